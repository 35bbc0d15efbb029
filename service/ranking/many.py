"""Ranking for many users at once: products for all their components, then the few best of many users rescored together.

The answers are those of `exact.py`, to the last bit, for users without weights or filters. What is saved is the reading of the
catalogue, and steps: once for a block of users instead of once for each.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from macrid.service.arrays import BoolArray, Float32Array, Int64Array
from macrid.service.ranking.items import FEW, Items
from macrid.service.ranking.protocol import Ranking
from macrid.service.ranking.scores import soft_scores, within_reach_of_the_best

# Users · items scored at a time: bounds working memory to 8 MB for each concept.
SCORES_AT_ONCE = 1_000_000
# Up to so many users are scored in eight bits first. For more, products in float32 read the items seldom enough to take about as
# long, and what is near the best needs no second look.
FEW_USERS = 16
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
    roughly = items.in_eight_bits is not None and len(components) <= FEW_USERS
    users = FEW_USERS if roughly else max(1, SCORES_AT_ONCE // len(items))
    return [
        ranking
        for start in range(0, len(components), users)
        for ranking in _rank_block(
            items, components[start : start + users], n, excluded[start : start + users], roughly=roughly
        )
    ]


def _rank_block(
    items: Items, components: Float32Array, n: int, excluded: Sequence[Int64Array], *, roughly: bool
) -> list[Ranking]:
    counts, candidates = items.near(components + items.prototypes, n, excluded, roughly=roughly)
    edges = np.append(0, np.cumsum(counts))
    rankings: list[Ranking] = []
    at_once = max(1, RESCORED_AT_ONCE // max(1, int(counts.max())))
    for start in range(0, len(components), at_once):
        part = slice(start, min(start + at_once, len(components)))
        mine = candidates[edges[part.start] : edges[part.stop]]
        rankings.extend(rescored(items, components[part], counts[part], mine, n, certified=True))
    return rankings


def rescored(
    items: Items, components: Float32Array, counts: Int64Array, candidates: Int64Array, n: int, *, certified: bool
) -> Iterator[Ranking]:
    """Yield the n best of each user's candidates: (U,) how many each has, and all of them, user by user and ascending."""
    rows, taken = in_lines(counts, candidates)
    if rows.shape[1] > max(FEW, n):
        rows, taken = narrowed(items, components, rows, taken, n)
    scores, concepts = soft_scores(
        items.rows[rows], components, items.prototypes, items.temperature, None, items.log_partition[rows]
    )
    scores[~taken] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :n]  # of equal scores the lower item first
    places = np.arange(len(order))[:, None], order
    indices, scores, concepts = rows[places], scores[places], concepts[places]
    for user, count in enumerate(np.minimum(taken.sum(axis=1), n).tolist()):
        yield Ranking(indices[user, :count], scores[user, :count], concepts[user, :count], certified)


def in_lines(counts: Int64Array, candidates: Int64Array) -> tuple[Int64Array, BoolArray]:
    """Put candidates into a line for each user: (U, L) items, 0 filling up, and which places are taken."""
    taken = np.arange(counts.max()) < counts[:, None]
    rows = np.zeros(taken.shape, dtype=np.int64)
    rows[taken] = candidates
    return rows, taken


def narrowed(
    items: Items, components: Float32Array, rows: Int64Array, taken: BoolArray, n: int
) -> tuple[Int64Array, BoolArray]:
    """Keep of each user's candidates (U, L) those that may be among the n best, by their scores in float32."""
    scores = items.approximate_lines(components, rows)
    scores[~taken] = -np.inf
    near = within_reach_of_the_best(scores, n, items.error)
    return in_lines(near.sum(axis=1), rows[near])
