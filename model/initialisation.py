"""Where training starts: concepts from the co-click graph, so that they are found every time and not by luck of the seed.

The authors start all tables at random and advise another seed when the prototypes match nothing. Here the items are first
grouped by whom they are clicked together with (co_clicks.py), and every item starts with the concept weights that the cuts of
that graph give it: on the side of one prototype where they agree, between several where they do not. Nothing else is given
away: the prototypes are random orthogonal directions, and within a group the items start at random.
"""

import torch
import torch.nn.functional as F
from scipy import sparse

from macrid.model.co_clicks import co_click_memberships
from macrid.model.network import MacridVAE

MAX_LEANING = 0.95  # length of an item's part among the prototypes, which is shortened to leave room for what is random


def start_from_co_clicks(network: MacridVAE, training: sparse.csr_matrix, generator: torch.Generator) -> torch.Tensor:
    """Set item embeddings and prototypes of a new network from `co_click_memberships`; touch nothing else.

    Returns:
        (M, K) float32, the concept weights that the items start with; rows sum to 1.
    """
    seed = int(torch.randint(2**31, (1,), generator=generator))
    K, d = network.config.concepts, network.config.dimensions
    weights = torch.from_numpy(co_click_memberships(training, K, seed)).float()  # (M, K)
    directions = torch.randn(max(K, d), d, generator=generator)
    prototypes = torch.linalg.qr(directions).Q[:K] if d >= K else F.normalize(directions, dim=1)[:K]  # (K, d)
    leaning = network.config.temperature * weights.log()
    leaning = leaning - leaning.mean(
        dim=1, keepdim=True
    )  # cosines with the prototypes whose softmax over τ is the weights
    leaning = leaning * (MAX_LEANING / leaning.norm(dim=1, keepdim=True).clamp_min(1e-12)).clamp_max(1.0)
    scale = network.item_embeddings.norm(dim=1, keepdim=True)  # keep the tables' scale: Adam's steps are relative to it
    with torch.no_grad():
        noise = network.item_embeddings.detach()
        if d > K:  # leave only what says nothing about concepts
            noise = noise - noise @ prototypes.T @ prototypes
        rest = (1 - leaning.square().sum(dim=1, keepdim=True)).sqrt()
        start = F.normalize(leaning @ prototypes + rest * F.normalize(noise, dim=1), dim=1)
        network.item_embeddings.copy_(start * scale)
        network.prototypes.copy_(prototypes * network.prototypes.norm(dim=1, keepdim=True))
    return weights
