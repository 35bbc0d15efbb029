"""Ranking by scoring every item: the reference for everything else, and the default."""

from typing import Literal

import numpy as np

from macrid.service.arrays import Float32Array, Int64Array
from macrid.service.ranking.protocol import Ranking
from macrid.service.ranking.scores import (
    approximation_error,
    best,
    log_sum_over_concepts,
    soft_scores,
    within_reach_of_the_best,
)


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

    def rank(self, components: Float32Array, n: int, excluded: Int64Array) -> Ranking:
        """Return the best items that are not excluded; always certified. See `Ranker.rank`."""
        queries = components + self._prototypes  # (K, d)
        approximate = log_sum_over_concepts(self._items, queries, self._temperature) - self._log_partition  # (M,)
        approximate[excluded] = -np.inf
        candidates = within_reach_of_the_best(approximate, n, self._error)
        scores, concepts = soft_scores(self._items[candidates], components, self._prototypes, self._temperature)
        return best(candidates, scores, concepts, n, certified=True)
