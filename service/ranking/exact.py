"""Ranking by scoring every item: the reference for everything else, and the default for small catalogues."""

from typing import Literal

import numpy as np

from macrid.service.arrays import Float32Array, Int64Array
from macrid.service.ranking.protocol import Ranking
from macrid.service.ranking.scores import UNIT_ROUNDOFF, best, soft_scores, within_reach_of_the_best


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
        self._log_partition = self._log_sum_over_concepts(prototypes)  # (M,)
        self._error = approximation_error(item_embeddings.shape[1], temperature)

    def rank(self, components: Float32Array, n: int, excluded: Int64Array) -> Ranking:
        """Return the best items that are not excluded; always certified. See `Ranker.rank`."""
        approximate = self._log_sum_over_concepts(components + self._prototypes) - self._log_partition  # (M,)
        approximate[excluded] = -np.inf
        candidates = within_reach_of_the_best(approximate, n, self._error)
        scores, concepts = soft_scores(self._items[candidates], components, self._prototypes, self._temperature)
        return best(candidates, scores, concepts, n, certified=True)

    def _log_sum_over_concepts(self, queries: Float32Array) -> Float32Array:
        """Return log Σ_k exp(⟨h_i, q_k⟩/τ) for every item: (K, d) → (M,) float32."""
        logits = (self._items @ (queries / np.float32(self._temperature)).T).T  # (K, M)
        logits = np.ascontiguousarray(logits)  # sums over K run along whole rows: a third of the time
        top = logits.max(axis=0)  # (M,) keeps exp in range for any τ
        total: Float32Array = np.log(np.exp(logits - top).sum(axis=0)) + top
        return total


def approximation_error(dimensions: int, temperature: float) -> float:
    """Bound how far float32 may put a score from its true value.

    A dot product of d terms is off by at most (d + 2) roundings of ‖a‖·‖b‖, in any order of summation. Two of them
    enter a score, one with ‖z + m‖ ≤ 2 and one with ‖m‖ = 1; log Σ exp passes an error on without enlarging it
    and adds a few roundings of its own, of values up to 2/τ + log K. Rows of a bundle are unit to within 0.1 %: the 1.02.
    """
    roundings = (3 * (dimensions + 2) + 16) / temperature + 32
    return 1.02 * UNIT_ROUNDOFF * roundings
