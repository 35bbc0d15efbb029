"""Ranking by scoring every item: the reference for everything else, and the default."""

from typing import Literal

import numpy as np

from macrid.service.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from macrid.service.ranking.protocol import Ranking
from macrid.service.ranking.scores import (
    approximation_error,
    best,
    log_concept_weights,
    log_sum_over_concepts,
    soft_scores,
    within_reach_of_the_best,
)

# Of a filter that allows at most this share of the catalogue only the items allowed are scored.
GATHERED = 0.5


class ExactRanker:
    """Scores the whole catalogue with one matrix product in float32, then the few best in float64."""

    name: Literal["exact"] = "exact"

    def __init__(self, item_embeddings: Float32Array, prototypes: Float32Array, temperature: float) -> None:
        """Prepare log Σ_k exp(⟨h_i, m_k⟩/τ) of every item.

        Args:
            item_embeddings: (M, d), unit rows.
            prototypes: (K, d), unit rows.
            temperature: τ > 0.
        """
        self._items = item_embeddings
        self._prototypes = prototypes
        self._temperature = temperature
        self._log_partition = log_sum_over_concepts(item_embeddings, prototypes, temperature)  # (M,)
        self._error = approximation_error(item_embeddings.shape[1], temperature)

    def rank(
        self,
        components: Float32Array,
        n: int,
        excluded: Int64Array,
        weights: Float64Array | None = None,
        allowed: BoolArray | None = None,
    ) -> Ranking:
        """Return the best items that are allowed and not excluded; always certified. See `Ranker.rank`."""
        queries = components + self._prototypes  # (K, d)
        error, audible_weights, log_weights = self._error, None, None
        if weights is not None:
            log_weights = log_concept_weights(weights)  # (K,)
            audible = weights > 0
            queries, audible_weights = queries[audible], log_weights[audible]
            error = approximation_error(self._items.shape[1], self._temperature, audible_weights)
        rows = None if allowed is None else rows_to_score(allowed)
        approximate = log_sum_over_concepts(
            self._items, queries, self._temperature, audible_weights, rows
        )  # (M,) or (r,)
        if rows is None:
            approximate -= self._log_partition
            approximate[excluded] = -np.inf
            if allowed is not None:
                approximate[~allowed] = -np.inf
            candidates = within_reach_of_the_best(approximate, n, error)
        else:
            approximate -= self._log_partition[rows]
            approximate[np.isin(rows, excluded, assume_unique=True)] = -np.inf
            candidates = rows[within_reach_of_the_best(approximate, n, error)]
        scores, concepts = soft_scores(
            self._items[candidates], components, self._prototypes, self._temperature, log_weights
        )
        return best(candidates, scores, concepts, n, certified=True)


def rows_to_score(allowed: BoolArray) -> Int64Array | None:
    """Return the items that are allowed, ascending, where they are so few that gathering their rows pays; else None."""
    rows = np.flatnonzero(allowed)
    return rows if len(rows) <= GATHERED * len(allowed) else None
