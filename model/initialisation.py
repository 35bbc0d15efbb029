"""Where training starts: concepts from the co-click graph, so that they are found every time and not by luck of the seed.

The authors start all tables at random and advise another seed when the prototypes match nothing. Here the items are first
grouped by whom they are clicked together with (spectral clustering of the graph of nearest neighbours by positive pointwise
mutual information), and every item starts on the side of its group's prototype. Nothing else is given away: the prototypes
are random orthogonal directions, and within a group the items start at random.
"""

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import sparse
from scipy.sparse import linalg
from sklearn.cluster import KMeans

from macrid.model.network import MacridVAE

NEIGHBOURS = 10  # kept for each item in the graph
LOOP = 1e-3  # of each item to itself, so that an item without neighbours is still a point of the graph
START_COSINE = (
    0.5  # between an item and its group's prototype at the start: at τ = 0.1 and K = 7 a concept weight of .96
)


def start_from_co_clicks(network: MacridVAE, training: sparse.csr_matrix, generator: torch.Generator) -> None:
    """Set item embeddings and prototypes of a new network from the groups of `co_click_groups`; touch nothing else."""
    seed = int(torch.randint(2**31, (1,), generator=generator))
    groups = co_click_groups(training, network.config.concepts, seed)
    K, d = network.config.concepts, network.config.dimensions
    directions = torch.randn(max(K, d), d, generator=generator)
    prototypes = torch.linalg.qr(directions).Q[:K] if d >= K else F.normalize(directions, dim=1)[:K]  # (K, d)
    scale = network.item_embeddings.norm(dim=1, keepdim=True)  # keep the tables' scale: Adam's steps are relative to it
    with torch.no_grad():
        noise = network.item_embeddings.detach()
        if d > K:  # leave only what says nothing about concepts
            noise = noise - noise @ prototypes.T @ prototypes
        noise = F.normalize(noise, dim=1)
        towards = prototypes[torch.from_numpy(groups)]  # (M, d)
        start = F.normalize(START_COSINE * towards + (1 - START_COSINE**2) ** 0.5 * noise, dim=1)
        network.item_embeddings.copy_(start * scale)
        network.prototypes.copy_(prototypes * network.prototypes.norm(dim=1, keepdim=True))


def co_click_groups(training: sparse.csr_matrix, groups: int, seed: int) -> npt.NDArray[np.int64]:
    """Group items by spectral clustering (Ng, Jordan, Weiss 2002) of their co-click graph.

    Args:
        training: (U, M) implicit matrix.
        groups: how many; fewer come out when there are fewer items.
        seed: of k-means and of the eigensolver's start.

    Returns:
        (M,) int64 in [0, groups).
    """
    graph = neighbour_graph(positive_pmi(training), NEIGHBOURS) + LOOP * sparse.identity(training.shape[1])
    degree = np.asarray(graph.sum(axis=1)).ravel()
    scale = sparse.diags(1.0 / np.sqrt(degree))
    rng = np.random.default_rng(seed)
    vectors = min(groups, graph.shape[0] - 1)
    if groups == 1 or vectors < 2:
        return np.zeros(graph.shape[0], dtype=np.int64)
    _, eigenvectors = linalg.eigsh(scale @ graph @ scale, k=vectors, which="LA", v0=rng.random(graph.shape[0]))
    rows = eigenvectors / np.maximum(np.linalg.norm(eigenvectors, axis=1, keepdims=True), 1e-12)
    labels = KMeans(n_clusters=vectors, n_init=10, random_state=seed).fit_predict(rows)
    return np.asarray(labels, dtype=np.int64)


def positive_pmi(training: sparse.csr_matrix) -> sparse.csr_matrix:
    """max(0, log( p(i, j) / (p(i) p(j)) )) over users, (M, M) without diagonal; only pairs clicked together are stored."""
    together = (training.T @ training).tocoo()  # (M, M) users who have both
    popularity = np.asarray(training.sum(axis=0)).ravel()
    information = np.log(together.data * training.shape[0] / (popularity[together.row] * popularity[together.col]))
    kept = (information > 0) & (together.row != together.col)
    return sparse.csr_matrix((information[kept], (together.row[kept], together.col[kept])), shape=together.shape)


def neighbour_graph(similarity: sparse.csr_matrix, neighbours: int) -> sparse.csr_matrix:
    """Each row's largest entries, made symmetric by keeping a pair that either side names; (M, M)."""
    similarity = similarity.copy()
    order = np.lexsort((-similarity.data, np.repeat(np.arange(similarity.shape[0]), np.diff(similarity.indptr))))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(similarity.indptr[:-1], np.diff(similarity.indptr))
    similarity.data[rank >= neighbours] = 0
    similarity.eliminate_zeros()
    return similarity.maximum(similarity.T).tocsr()
