"""Where training starts: concepts from the co-click graph, so that they are found every time and not by luck of the seed.

The authors start all tables at random and advise another seed when the prototypes match nothing. Here the items are first
grouped by whom they are clicked together with (co_clicks.py), and every item starts on the side of its group's prototype.
Nothing else is given away: the prototypes are random orthogonal directions, and within a group the items start at random.
"""

import torch
import torch.nn.functional as F
from scipy import sparse

from macrid.model.co_clicks import co_click_groups
from macrid.model.network import MacridVAE

START_COSINE = (
    0.5  # between an item and its group's prototype at the start: at τ = 0.1 and K = 7 a concept weight of .96
)


def start_from_co_clicks(network: MacridVAE, training: sparse.csr_matrix, generator: torch.Generator) -> torch.Tensor:
    """Set item embeddings and prototypes of a new network from the groups of `co_click_groups`; touch nothing else.

    Returns:
        (M,) int64, the concept whose side each item starts on.
    """
    seed = int(torch.randint(2**31, (1,), generator=generator))
    groups = torch.from_numpy(co_click_groups(training, network.config.concepts, seed))
    K, d = network.config.concepts, network.config.dimensions
    directions = torch.randn(max(K, d), d, generator=generator)
    prototypes = torch.linalg.qr(directions).Q[:K] if d >= K else F.normalize(directions, dim=1)[:K]  # (K, d)
    scale = network.item_embeddings.norm(dim=1, keepdim=True)  # keep the tables' scale: Adam's steps are relative to it
    with torch.no_grad():
        noise = network.item_embeddings.detach()
        if d > K:  # leave only what says nothing about concepts
            noise = noise - noise @ prototypes.T @ prototypes
        noise = F.normalize(noise, dim=1)
        towards = prototypes[groups]  # (M, d)
        start = F.normalize(START_COSINE * towards + (1 - START_COSINE**2) ** 0.5 * noise, dim=1)
        network.item_embeddings.copy_(start * scale)
        network.prototypes.copy_(prototypes * network.prototypes.norm(dim=1, keepdim=True))
    return groups
