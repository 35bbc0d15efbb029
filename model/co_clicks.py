"""Groups of items that are clicked by the same people: a graph of co-clicks, cut in two ways, the better one kept.

An edge weighs n_ij · log(n_ij / e_ij), n_ij users having clicked both items and e_ij being expected by chance: the leading
term of Dunning's log-likelihood ratio (1993). Information alone (PMI) would make the strongest edges those of items clicked
once. The graph of each item's nearest neighbours is cut into parts of about equal size by METIS (Karypis and Kumar 1998), which
finds the categories of a real shop best, and spectrally (Ng, Jordan and Weiss 2002), which allows for groups of unequal size;
modularity decides between them, and how far all cuts agree says how sure the groups are. Measured in docs/decisions/0002.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pymetis
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from scipy.sparse import linalg
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

NEIGHBOURS = 10  # kept for each item in the graph
BALANCE = 1.25  # largest part that METIS may make, against the mean
RUNS = 10  # METIS cuts from different seeds, of which the one most like the others is taken
MANY_ITEMS = 200_000  # beyond, a fifth of the runs
LOOP = 1e-3  # median edges from each item to itself, so that an item without neighbours has a place in the spectrum
MAX_PAIRS = 200_000_000  # co-clicks counted: users are sampled beyond that
WEIGHT_STEPS = 1_000  # METIS takes whole numbers: the median edge becomes so many

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def co_click_memberships(training: sparse.csr_matrix, groups: int, seed: int) -> FloatArray:
    """Group the items by whom they are clicked together with, and say how sure it is.

    A METIS cut may end anywhere, so several are made. The one that agrees most with the others stands against the spectral one;
    then every cut, its groups matched to the winner's, has a vote on each item, and as many votes again are spread over all
    groups: no cut is more than a guess. Where the clicks do not say where an item belongs, cuts differ and its row is flat.

    Args:
        training: (U, M) implicit matrix.
        groups: how many.
        seed: of the cuts, and of the sample of users.

    Returns:
        (M, groups) float64, rows sum to 1.
    """
    items = training.shape[1]
    if groups >= items:  # a group of its own for each
        return _shares([np.arange(items)], groups)
    if groups == 1:
        return np.ones((items, 1))
    graph = co_click_graph(training, seed)
    seeds = np.random.default_rng(seed).integers(2**31, size=RUNS if items <= MANY_ITEMS else RUNS // 5)
    cuts = [_equal_parts(graph, groups, int(one)) for one in seeds]
    winner = max(_most_alike(cuts), _spectral_parts(graph, groups, seed), key=lambda labels: modularity(graph, labels))
    return _shares([winner, *(_matched(cut, winner, groups) for cut in cuts)], groups)


def co_click_groups(training: sparse.csr_matrix, groups: int, seed: int) -> IntArray:
    """The group that most cuts put each item in, (M,) int64; arguments as `co_click_memberships`."""
    return np.asarray(co_click_memberships(training, groups, seed).argmax(axis=1), dtype=np.int64)


def _matched(labels: IntArray, other: IntArray, groups: int) -> IntArray:
    """The same groups, numbered so that as many items as possible have the number that they have in the other grouping."""
    common = np.zeros((groups, groups))
    np.add.at(common, (labels, other), 1)
    mine, theirs = linear_sum_assignment(common, maximize=True)
    number = np.empty(groups, dtype=np.int64)
    number[mine] = theirs
    return number[labels]


def _shares(votes: Sequence[IntArray], groups: int) -> FloatArray:
    counts = np.full((len(votes[0]), groups), len(votes) / groups)
    for vote in votes:
        counts[np.arange(len(vote)), vote] += 1
    return counts / (2 * len(votes))


def co_click_graph(training: sparse.csr_matrix, seed: int) -> sparse.csr_matrix:
    """Each item's NEIGHBOURS strongest co-clicks, made symmetric: (M, M), no loops, positive weights."""
    return neighbour_graph(likelihood_ratio(_bounded(training, seed)), NEIGHBOURS)


def _bounded(training: sparse.csr_matrix, seed: int) -> sparse.csr_matrix:
    """Users in random order until they have MAX_PAIRS pairs of clicks; all of them where they have fewer."""
    pairs = np.square(np.diff(training.indptr).astype(np.float64))
    if pairs.sum() <= MAX_PAIRS:
        return training
    order = np.random.default_rng(seed).permutation(training.shape[0])
    return training[order[: max(1, int(np.searchsorted(np.cumsum(pairs[order]), MAX_PAIRS)))]]


def likelihood_ratio(training: sparse.csr_matrix) -> sparse.csr_matrix:
    """n_ij · log(n_ij / e_ij) of pairs clicked together oftener than by chance, e_ij = n_i · n_j / U: (M, M), no diagonal."""
    together = (training.T @ training).tocoo()  # n_ij
    clicks = np.asarray(training.sum(axis=0), dtype=np.float64).ravel()
    expected = clicks[together.row] * clicks[together.col] / training.shape[0]
    weight = together.data * np.log(together.data / expected)
    kept = (weight > 0) & (together.row != together.col)
    return sparse.csr_matrix((weight[kept], (together.row[kept], together.col[kept])), shape=together.shape)


def neighbour_graph(similarity: sparse.csr_matrix, neighbours: int) -> sparse.csr_matrix:
    """Each row's largest entries, made symmetric by keeping a pair that either side names; (M, M)."""
    similarity = similarity.copy()
    order = np.lexsort((-similarity.data, np.repeat(np.arange(similarity.shape[0]), np.diff(similarity.indptr))))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(similarity.indptr[:-1], np.diff(similarity.indptr))
    similarity.data[rank >= neighbours] = 0
    similarity.eliminate_zeros()
    return similarity.maximum(similarity.T).tocsr()


def modularity(graph: sparse.csr_matrix, labels: IntArray) -> float:
    """Share of the weight within groups beyond what groups of these degrees would have by chance (Newman 2006)."""
    member = sparse.csr_matrix((np.ones(len(labels)), (np.arange(len(labels)), labels)))
    between = (member.T @ graph @ member).toarray()
    total = between.sum()
    return float(np.trace(between) / total - np.square(between.sum(axis=1) / total).sum()) if total else 0.0


def _most_alike(found: Sequence[IntArray]) -> IntArray:
    likeness = np.zeros((len(found), len(found)))
    for one, other in combinations(range(len(found)), 2):
        likeness[one, other] = likeness[other, one] = normalized_mutual_info_score(found[one], found[other])
    return found[int(np.argmax(likeness.sum(axis=1)))]


def _equal_parts(graph: sparse.csr_matrix, groups: int, seed: int) -> IntArray:
    unit = float(np.median(graph.data)) / WEIGHT_STEPS if graph.nnz else 1.0
    weights = np.clip(np.rint(graph.data / unit), 1, 1e6).astype(np.int64)
    _, labels = pymetis.part_graph(
        groups,
        pymetis.CSRAdjacency(graph.indptr.tolist(), graph.indices.tolist()),
        eweights=weights.tolist(),
        options=pymetis.Options(seed=seed, ufactor=round((BALANCE - 1) * 1000), niter=20, ncuts=3),
        recursive=False,
    )
    return np.asarray(labels, dtype=np.int64)


def _spectral_parts(graph: sparse.csr_matrix, groups: int, seed: int) -> IntArray:
    items = graph.shape[0]
    if groups >= items - 1:
        return np.arange(items, dtype=np.int64) % groups
    loops = LOOP * (float(np.median(graph.data)) if graph.nnz else 1.0)
    looped = graph + loops * sparse.identity(items)
    scale = sparse.diags(1.0 / np.sqrt(np.asarray(looped.sum(axis=1)).ravel()))
    start = np.random.default_rng(seed).random(items)
    _, vectors = linalg.eigsh(scale @ looped @ scale, k=groups, which="LA", v0=start)
    rows = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(KMeans(n_clusters=groups, n_init=10, random_state=seed).fit_predict(rows), dtype=np.int64)
