"""Concepts start from the co-click graph: planted groups are found, and a network starts on their side."""

import numpy as np
import torch
from scipy import sparse
from sklearn.metrics import normalized_mutual_info_score

from macrid.model.initialisation import co_click_groups, neighbour_graph, positive_pmi, start_from_co_clicks
from macrid.model.network import MacridVAE, NetworkConfig


def planted(users=400, items=90, groups=3, seed=0):
    """Users click mostly within one of three groups of items; returns clicks and the groups."""
    rng = np.random.default_rng(seed)
    home, taste = np.arange(items) % groups, rng.integers(groups, size=users)
    chance = np.where(home == taste[:, None], 0.3, 0.02)
    return sparse.csr_matrix((rng.random((users, items)) < chance).astype(np.float32)), home


def test_planted_groups_are_found_for_every_seed():
    clicks, home = planted()
    for seed in range(5):
        assert normalized_mutual_info_score(home, co_click_groups(clicks, 3, seed)) > 0.95


def test_a_network_starts_with_items_nearest_to_their_groups_prototype():
    clicks, home = planted()
    generator = torch.Generator().manual_seed(0)
    network = MacridVAE(clicks.shape[1], NetworkConfig(concepts=3, dimensions=16), generator)
    scale = network.item_embeddings.norm(dim=1).detach().clone()
    start_from_co_clicks(network, clicks, generator)
    assignment = network.concept_logits(network.unit_items()).argmax(dim=1).numpy()
    assert normalized_mutual_info_score(home, assignment) > 0.95
    torch.testing.assert_close(network.item_embeddings.norm(dim=1), scale)


def test_more_concepts_than_items_or_dimensions_is_no_error():
    clicks, _ = planted(items=9)
    network = MacridVAE(9, NetworkConfig(concepts=12, dimensions=4), torch.Generator().manual_seed(0))
    start_from_co_clicks(network, clicks, torch.Generator().manual_seed(0))
    assert torch.isfinite(network.item_embeddings).all()


def test_an_item_that_is_never_clicked_with_another_is_placed_too():
    clicks = sparse.csr_matrix(np.eye(6, dtype=np.float32))
    assert co_click_groups(clicks, 2, seed=0).shape == (6,)


def test_pmi_is_the_logarithm_of_how_much_oftener_than_chance():
    clicks = sparse.csr_matrix(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1]], dtype=np.float32))
    found = positive_pmi(clicks).toarray()
    np.testing.assert_allclose(found[0, 1], np.log(2 * 4 / (3 * 2)), rtol=1e-6)
    assert found[0, 2] == 0  # 1 · 4 / (3 · 2) < 1: rarer than chance
    assert found.diagonal().sum() == 0


def test_the_graph_keeps_each_rows_largest_and_is_symmetric():
    similarity = sparse.csr_matrix(np.array([[0, 3, 2, 1], [3, 0, 0, 0], [2, 0, 0, 0], [1, 0, 0, 0]], dtype=float))
    graph = neighbour_graph(similarity, 1).toarray()
    assert graph.tolist() == [[0, 3, 2, 1], [3, 0, 0, 0], [2, 0, 0, 0], [1, 0, 0, 0]]
    assert neighbour_graph(similarity, 1)[0].nnz == 3
