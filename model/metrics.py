"""Ranking metrics as Liang et al. 2018 define them: pure numpy, one value per user.

Every function takes the ranked items' hits: `hits[u, r]` is True when the item at rank r of user u was withheld.
"""

import numpy as np
import numpy.typing as npt

from macrid.artifacts.schema import Float32Array

Hits = npt.NDArray[np.bool_]
PerUser = npt.NDArray[np.float64]


def top_items(scores: Float32Array, k: int) -> npt.NDArray[np.int64]:
    """The k best columns of each row, best first, (B, min(k, M)) int64; equal scores by lower column."""
    k = min(k, scores.shape[1])
    smallest = np.partition(scores, -k, axis=1)[:, -k]  # (B,) the k-th best
    return np.stack([_best_of_row(row, least, k) for row, least in zip(scores, smallest, strict=True)])


def _best_of_row(row: Float32Array, least: np.float32, k: int) -> npt.NDArray[np.int64]:
    candidates = np.flatnonzero(row >= least)  # more than k where scores are equal
    return candidates[np.argsort(-row[candidates], kind="stable")[:k]]


def ndcg_at_k(hits: Hits, withheld: npt.NDArray[np.int64], k: int) -> PerUser:
    """Discounted gain of the first k ranks over the best possible one, in [0, 1].

    Args:
        hits: (B, >= k) bool.
        withheld: (B,) how many items each user has to be found, each at least 1.
        k: ranks that count.
    """
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(withheld, k)]
    found = hits[:, :k]
    gained: PerUser = found @ discounts[: found.shape[1]] / ideal
    return gained


def recall_at_k(hits: Hits, withheld: npt.NDArray[np.int64], k: int) -> PerUser:
    """Share of the findable withheld items among the first k: hits / min(k, withheld), in [0, 1]."""
    share: PerUser = hits[:, :k].sum(axis=1) / np.minimum(withheld, k)
    return share


def standard_error(values: PerUser) -> float:
    """Standard error of the mean over users: sample standard deviation / sqrt(users); 0 for a single user."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
