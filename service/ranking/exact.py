"""Ranking by scoring every item: the reference for everything else, and the default for small catalogues."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from macrid.service.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from macrid.service.ranking.items import Items, are_among
from macrid.service.ranking.many import rank_many
from macrid.service.ranking.protocol import Ranking

# Of a filter that allows at most this share of the catalogue only the items allowed are scored.
GATHERED = 0.5


class ExactRanker:
    """Scores the whole catalogue in eight bits or, a large one, in float32; then the few that may be best in float64."""

    name: Literal["exact"] = "exact"

    def __init__(self, items: Items) -> None:
        """Take the items of a bundle."""
        self._items = items

    def rank(
        self,
        components: Float32Array,
        n: int,
        excluded: Int64Array,
        weights: Float64Array | None = None,
        allowed: BoolArray | None = None,
    ) -> Ranking:
        """Return the best items that are allowed and not excluded; always certified. See `Ranker.rank`."""
        items, question = self._items, self._items.question(components, weights)
        rows = None if allowed is None else rows_to_score(allowed)
        if rows is not None:
            approximate = items.approximate(question, rows)  # (r,)
            approximate[are_among(rows, excluded)] = -np.inf
            return items.rank_best(rows, approximate, question, n, certified=True)
        _, near = items.near(question.queries[None], n, [excluded], question.audible_weights, allowed)
        return items.rank_among(near, question, n, certified=True)

    def rank_each(self, components: Float32Array, n: int, excluded: Sequence[Int64Array]) -> list[Ranking]:
        """Rank for each of some users, with one matrix product for all. See `Ranker.rank_each`."""
        if len(components) == 1:
            return [self.rank(components[0], n, excluded[0])]
        return rank_many(self._items, components, n, excluded)


def rows_to_score(allowed: BoolArray) -> Int64Array | None:
    """Return the items that are allowed, ascending, where they are so few that gathering their rows pays; else None."""
    rows = np.flatnonzero(allowed)
    return rows if len(rows) <= GATHERED * len(allowed) else None
