"""Concepts start from the co-click graph: planted groups are found, and a network starts on their side."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from sklearn.metrics import normalized_mutual_info_score

from macrid.model.initialisation import start_from_co_clicks
from macrid.model.network import MacridVAE, NetworkConfig
from macrid.model.objective import anchoring


def planted(users=400, items=90, groups=3, seed=0):
    """Users click mostly within one of three groups of items; returns clicks and the groups."""
    rng = np.random.default_rng(seed)
    home, taste = np.arange(items) % groups, rng.integers(groups, size=users)
    chance = np.where(home == taste[:, None], 0.3, 0.02)
    return sparse.csr_matrix((rng.random((users, items)) < chance).astype(np.float32)), home


def test_a_network_starts_with_items_nearest_to_their_groups_prototype():
    clicks, home = planted()
    generator = torch.Generator().manual_seed(0)
    network = MacridVAE(clicks.shape[1], NetworkConfig(concepts=3, dimensions=16), generator)
    scale = network.item_embeddings.norm(dim=1).detach().clone()
    start = start_from_co_clicks(network, clicks, generator)
    weights = network.concept_logits(network.unit_items()).softmax(dim=1)
    torch.testing.assert_close(weights, start)
    assignment = network.concept_logits(network.unit_items()).argmax(dim=1).numpy()
    assert normalized_mutual_info_score(home, assignment) > 0.95
    torch.testing.assert_close(network.item_embeddings.norm(dim=1), scale)


def test_more_concepts_than_items_or_dimensions_is_no_error():
    clicks, _ = planted(items=9)
    network = MacridVAE(9, NetworkConfig(concepts=12, dimensions=4), torch.Generator().manual_seed(0))
    start_from_co_clicks(network, clicks, torch.Generator().manual_seed(0))
    assert torch.isfinite(network.item_embeddings).all()


def test_an_anchor_holds_the_items_to_the_concepts_they_started_in():
    clicks, home = planted(users=60)
    start = F.one_hot(torch.from_numpy(np.roll(home, 1))).float()  # a wrong one, which the clicks would leave
    network = MacridVAE(clicks.shape[1], NetworkConfig(concepts=3, dimensions=8), torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    before = anchoring(network, start).item()
    for _ in range(20):
        optimizer.zero_grad()
        anchoring(network, start).backward()
        optimizer.step()
    assert anchoring(network, start).item() < 0.5 * before
