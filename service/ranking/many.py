"""Ranking for many users at once: one matrix product for all their components, then the few best of many users rescored together.

The answers are those of `exact.py`, to the last bit, for users without weights or filters. What is saved is the reading of the
catalogue: once for a block of users instead of once for each.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from macrid.service.arrays import Float32Array, Int64Array
from macrid.service.ranking.items import Items
from macrid.service.ranking.protocol import Ranking
from macrid.service.ranking.scores import log_sum_exp_of_rows, soft_scores, within_reach_of_the_best

# Users · items scored at a time: bounds working memory to 32 MB for each concept, and keeps blocks in the cache.
SCORES_AT_ONCE = 4_000_000
ITEMS_AT_ONCE = 4096
# Candidates of users together that are rescored at a time: 8 MB of them at d = 100, in float64.
RESCORED_AT_ONCE = 10_000


def rank_many(items: Items, components: Float32Array, n: int, excluded: Sequence[Int64Array]) -> list[Ranking]:
    """Return each user's best items.

    Args:
        items: M of them.
        components: (U, K, d) float32, unit rows.
        n: how many items for each.
        excluded: for each user the item indices that must not be returned, sorted and without repeats.
    """
    users = max(1, SCORES_AT_ONCE // len(items))
    return [
        ranking
        for start in range(0, len(components), users)
        for ranking in _rank_block(items, components[start : start + users], n, excluded[start : start + users])
    ]


def _rank_block(items: Items, components: Float32Array, n: int, excluded: Sequence[Int64Array]) -> list[Ranking]:
    approximate = approximate_scores(items, components)  # (U, M)
    for scores, left_out in zip(approximate, excluded, strict=True):
        scores[left_out] = -np.inf
    near = within_reach_of_the_best(approximate, n, items.error)  # (U, M)
    users, candidates = np.nonzero(near)  # user by user, items ascending
    counts = np.bincount(users, minlength=len(components))
    rankings: list[Ranking] = []
    at_once = max(1, RESCORED_AT_ONCE // max(1, int(counts.max())))
    for start in range(0, len(components), at_once):
        part = slice(start, start + at_once)
        mine = candidates[slice(*np.searchsorted(users, [part.start, part.stop]))]
        rankings.extend(rescored(items, components[part], counts[part], mine, n, certified=True))
    return rankings


def rescored(
    items: Items, components: Float32Array, counts: Int64Array, candidates: Int64Array, n: int, *, certified: bool
) -> Iterator[Ranking]:
    """Yield the n best of each user's candidates: (U,) how many each has, and all of them, user by user and ascending."""
    taken = np.arange(counts.max()) < counts[:, None]  # (U, L)
    rows = np.zeros(taken.shape, dtype=np.int64)
    rows[taken] = candidates
    scores, concepts = soft_scores(
        items.rows[rows], components, items.prototypes, items.temperature, None, items.log_partition[rows]
    )
    scores[~taken] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :n]  # of equal scores the lower item first
    for user, count in enumerate(np.minimum(counts, n).tolist()):
        best = order[user, :count]
        yield Ranking(rows[user, best], scores[user, best], concepts[user, best], certified)


def approximate_scores(items: Items, components: Float32Array) -> Float32Array:
    """Return scores in float32, within `Question.error`: (U, K, d) → (U, M)."""
    users, concepts, dimensions = components.shape
    queries: Float32Array = (components + items.prototypes) / np.float32(items.temperature)  # (U, K, d)
    stacked = queries.transpose(1, 0, 2).reshape(concepts * users, dimensions)  # (K·U, d)
    totals = np.empty((users, len(items)), dtype=np.float32)
    for start in range(0, len(items), ITEMS_AT_ONCE):
        rows = items.rows[start : start + ITEMS_AT_ONCE]  # (b, d)
        logits: Float32Array = (stacked @ rows.T).reshape(concepts, users, len(rows))
        totals[:, start : start + len(rows)] = log_sum_exp_of_rows(logits, items.temperature)
    totals -= items.log_partition.astype(np.float32)
    return totals
