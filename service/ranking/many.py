"""Ranking for many users at once: one matrix product for all their components, then each user's few best rescored.

The answers are those of `exact.py`, to the last bit, for users without weights or filters. What is saved is the reading of the
catalogue: once for a block of users instead of once for each.
"""

from collections.abc import Sequence

import numpy as np

from macrid.service.arrays import Float32Array, Int64Array
from macrid.service.ranking.items import Items
from macrid.service.ranking.protocol import Ranking
from macrid.service.ranking.scores import within_reach_of_the_best

# Users · items scored at a time: bounds working memory to 32 MB for each concept, and keeps blocks in the cache.
SCORES_AT_ONCE = 4_000_000
ITEMS_AT_ONCE = 4096


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
    rankings = []
    for scores, own, left_out in zip(approximate, components, excluded, strict=True):
        scores[left_out] = -np.inf
        question = items.question(own)
        near = within_reach_of_the_best(scores, n, question.error)
        rankings.append(items.rank_best(near, scores[near], question, n, certified=True))
    return rankings


def approximate_scores(items: Items, components: Float32Array) -> Float32Array:
    """Return scores in float32, within `Question.error`: (U, K, d) → (U, M)."""
    users, concepts, dimensions = components.shape
    queries = (components + items.prototypes) / np.float32(items.temperature)  # (U, K, d)
    stacked = queries.transpose(1, 0, 2).reshape(concepts * users, dimensions)  # (K·U, d)
    totals = np.empty((users, len(items)), dtype=np.float32)
    for start in range(0, len(items), ITEMS_AT_ONCE):
        rows = items.rows[start : start + ITEMS_AT_ONCE]  # (b, d)
        logits = (stacked @ rows.T).reshape(concepts, users, len(rows))
        top = logits.max(axis=0)  # (U, b)
        logits -= top
        np.exp(logits, out=logits)
        totals[:, start : start + len(rows)] = np.log(logits.sum(axis=0)) + top
    totals -= items.log_partition.astype(np.float32)
    return totals
