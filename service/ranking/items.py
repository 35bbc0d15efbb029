"""The items of one bundle as rankers see them, and a user's question to them; both end in `scores.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from macrid.artifacts import derived
from macrid.service.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from macrid.service.ranking import rounded
from macrid.service.ranking.protocol import Ranking
from macrid.service.ranking.scores import (
    approximation_error,
    best,
    exponentials_fit,
    log_concept_weights,
    log_sum_exp_of_rows,
    log_sum_over_concepts,
    log_sums_over_concepts,
    soft_scores,
    within_reach_of_the_best,
)

# Up to so many items float64 alone takes less time than float32 first.
FEW = 160
# Up to so many items each worker keeps them in eight bits, for itself: 3 MB at d = 100. Beyond, an index is quicker.
ROUNDED_UP_TO = 25_000


@dataclass(frozen=True, eq=False)
class Question:
    """What a user wants, in the terms of the index: only concepts that are not muted, K' of them, take part.

    Attributes:
        components: (K, d), the user's.
        queries: (K', d) z_k + m_k.
        log_weights: (K,) log ω_k, −inf for muted ones; None when every weight is 1.
        audible: (K,) which concepts are not muted; None for all.
        error: how far `Items.approximate` may be from a true score.
    """

    components: Float32Array
    queries: Float32Array
    log_weights: Float64Array | None
    audible: BoolArray | None
    error: float

    @property
    def audible_weights(self) -> Float64Array | None:
        """(K',) log ω_k of the concepts that take part; None when every weight is 1."""
        return self.log_weights if self.log_weights is None or self.audible is None else self.log_weights[self.audible]


class Items:
    """Item embeddings with what is needed to score them."""

    def __init__(
        self,
        item_embeddings: Float32Array,
        prototypes: Float32Array,
        temperature: float,
        log_partition: Float64Array | None = None,
        *,
        eight_bits: bool | None = None,
    ) -> None:
        """Take the arrays of a bundle.

        Args:
            item_embeddings: (M, d), unit rows.
            prototypes: (K, d), unit rows.
            temperature: τ > 0.
            log_partition: (M,) A_i, as the bundle has it; computed where it is not given.
            eight_bits: whether to keep the items so too; None for where it pays.
        """
        if log_partition is None:
            log_partition = derived.log_partition(item_embeddings, prototypes, temperature)
        self.rows = item_embeddings
        self.prototypes = prototypes
        self.temperature = temperature
        self.log_partition = log_partition
        self._eight_bits = eight_bits
        self.error = approximation_error(item_embeddings.shape[1], temperature)  # of any question without weights

    def __len__(self) -> int:
        return len(self.rows)

    def question(self, components: Float32Array, weights: Float64Array | None = None) -> Question:
        """Return what components (K, d) and concept weights (K,) ask; see `Ranker.rank`."""
        queries = components + self.prototypes
        if weights is None:
            return Question(components, queries, None, None, self.error)
        audible, log_weights = weights > 0, log_concept_weights(weights)
        return Question(components, queries[audible], log_weights, audible, self._error_with(log_weights[audible]))

    def _error_with(self, log_weights: Float64Array) -> float:
        """How far float32 may put a score of a question with these weights, (K',), from the true one."""
        return approximation_error(self.rows.shape[1], self.temperature, log_weights)

    def approximate(self, question: Question, chosen: Int64Array | None = None) -> Float32Array:
        """Return scores in float32, off by at most `question.error`: (L,) of the items chosen, (M,) of all."""
        scores = log_sum_over_concepts(self.rows, question.queries, self.temperature, question.audible_weights, chosen)
        scores -= self.log_partition if chosen is None else self.log_partition[chosen]
        return scores

    def near(
        self,
        queries: Float32Array,
        n: int,
        excluded: Sequence[Int64Array],
        log_weights: Float64Array | None = None,
        allowed: BoolArray | None = None,
        *,
        roughly: bool = True,
    ) -> tuple[Int64Array, Int64Array]:
        """Score all items for some users at once, and find those that may be among each user's n best.

        Args:
            queries: (U, K', d) z_k + m_k, of the concepts that take part.
            n: how many are wanted, ≥ 1.
            excluded: of each user the items that are not, sorted and without repeats.
            log_weights: (K',) log ω_k, all finite; None for weights of 1.
            allowed: (M,) which items are; None for all.
            roughly: whether to go by the items in eight bits, where they are kept so.

        Returns:
            (U,) how many items may be among each user's best, and all of them, user by user and ascending.
        """
        error: float | Float64Array = self.error if log_weights is None else self._error_with(log_weights)
        fit = roughly and exponentials_fit(self.temperature, log_weights, with_shares=True)
        eight_bits = self.in_eight_bits if fit else None
        if eight_bits is not None:
            scores, errors = eight_bits.exponentials(queries, log_weights)
            error += errors[:, None]
        else:
            scores = log_sums_over_concepts(self.rows, queries, self.temperature, log_weights)
            scores -= self.log_partition.astype(np.float32)
        out = -np.inf if eight_bits is None else 0.0
        for line, left_out in zip(scores, excluded, strict=True):
            line[left_out] = out
        if allowed is not None:
            scores[:, ~allowed] = out
        near = within_reach_of_the_best(scores, n, error, exponentials=eight_bits is not None)
        users, items = np.divmod(np.flatnonzero(near), len(self))  # in a tenth of the time of np.nonzero
        return np.bincount(users, minlength=len(queries)), items

    @cached_property
    def in_eight_bits(self) -> rounded.RoundedItems | None:
        """The items in eight bits, where they are few enough to be kept so and the processor is made for it."""
        count, dimensions = self.rows.shape
        kept = self._eight_bits
        if kept is None:
            kept = count <= ROUNDED_UP_TO and dimensions <= rounded.MOST_DIMENSIONS and rounded.are_quick()
        return rounded.RoundedItems(self.rows, self.log_partition, self.temperature) if kept else None

    def approximate_lines(self, components: Float32Array, rows: Int64Array) -> Float32Array:
        """Return scores in float32, off by at most `error`, of some items for each of some users: (U, K, d), (U, L) → (U, L)."""
        queries: Float32Array = (components + self.prototypes) / np.float32(self.temperature)
        products = np.matmul(self.rows[rows], np.ascontiguousarray(queries.swapaxes(1, 2)))  # (U, L, K)
        scores = log_sum_exp_of_rows(np.ascontiguousarray(products.transpose(2, 0, 1)), self.temperature)
        scores -= self.log_partition[rows]
        return scores

    def rank_among(self, candidates: Int64Array, question: Question, n: int, *, certified: bool) -> Ranking:
        """Return the n best of some items (L,), by their scores in float64."""
        if len(candidates) <= max(FEW, n):
            return self._rank_near(candidates, question, n, certified=certified)
        return self.rank_best(candidates, self.approximate(question, candidates), question, n, certified=certified)

    def rank_best(
        self, candidates: Int64Array, approximate: Float32Array, question: Question, n: int, *, certified: bool
    ) -> Ranking:
        """Return the n best of items (L,) whose approximate scores (L,) are known; −inf leaves an item out."""
        near = candidates[within_reach_of_the_best(approximate, n, question.error)]
        return self._rank_near(near, question, n, certified=certified)

    def _rank_near(self, near: Int64Array, question: Question, n: int, *, certified: bool) -> Ranking:
        scores, concepts = soft_scores(
            self.rows[near],
            question.components,
            self.prototypes,
            self.temperature,
            question.log_weights,
            self.log_partition[near],
        )
        return best(near, scores, concepts, n, certified=certified)


def without(candidates: Int64Array, excluded: Int64Array) -> Int64Array:
    """Return the candidates that are not among the excluded items, which are sorted: (L,), (e,) → (l,), in their order."""
    kept: Int64Array = candidates[~are_among(candidates, excluded)]
    return kept


def are_among(items: Int64Array, known: Int64Array) -> BoolArray:
    """Say which items are among some that are sorted: (L,), (e,) → (L,); of few in a fourth of the time of np.isin."""
    if not len(known):
        return np.zeros(len(items), dtype=np.bool_)
    places = np.searchsorted(known, items)
    places[places == len(known)] = 0
    among: BoolArray = known[places] == items
    return among
