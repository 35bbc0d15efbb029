"""Ranking by concept: a FAISS index yields each concept's best items, and a bound certifies the answer.

The share of concept k in an item's score is log c_{i,k} + ⟨z_k, h_i⟩/τ = (⟨h_i, z_k + m_k⟩ − τ·A_i)/τ: an inner product
of [h_i, −τ·A_i] with [z_k + m_k, 1] (DESIGN.md, "Maths that shapes the code"). So one flat index over (d+1)-vectors,
asked K questions at once, gives for every concept its items in the order of their share.

A concept weight ω_k adds log ω_k to all shares of its concept: the order within a list stays, only the bound moves. A
muted concept has no share in any score, so it is not searched.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal

import faiss
import numpy as np

from macrid.service.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.index import NO_ITEM, questions_of, search, search_above
from macrid.service.ranking.items import Items, Question, without
from macrid.service.ranking.protocol import Ranking
from macrid.service.ranking.scores import UNIT_ROUNDOFF, log_sum_exp

# The lists hold WIDTH + WIDTH_PER_ITEM·n items of each concept. Trained models prove their answers with less (the
# demo shop's top 20 with 50 to 100); where concepts overlap much it takes thousands, and the search is widened.
WIDTH = 64
WIDTH_PER_ITEM = 4


class ByConceptRanker:
    """Asks the index for each concept's best items, rescores their union, and proves that nothing is missing."""

    name: Literal["by_concept"] = "by_concept"

    def __init__(self, items: Items, index: faiss.Index) -> None:
        """Take the items of a bundle and an index over them: flat, inner product, over the rows of `concept_vectors`."""
        self._items = items
        self._index = index
        self._index_error = index_error(len(items.prototypes), items.prototypes.shape[1], items.temperature)

    def rank(
        self,
        components: Float32Array,
        n: int,
        excluded: Int64Array,
        weights: Float64Array | None = None,
        allowed: BoolArray | None = None,
    ) -> Ranking:
        """Return the best items that are allowed and not excluded; always certified. See `Ranker.rank`."""
        # For what is excluded longer lists, not an IDSelector: that costs a virtual call for each of K·M pairs, this
        # |excluded| places. What a filter leaves out may be nearly everything, so there the selector it is.
        width = WIDTH + WIDTH_PER_ITEM * n + len(excluded)
        if width < (len(self._items) if allowed is None else np.count_nonzero(allowed)):
            question = self._items.question(components, weights)
            found = self._rank_lists(question, n, excluded, width, allowed)
            if found.certified:
                return found
            return self._rank_reaching(float(found.scores[-1]), question, n, excluded, allowed)
        return self._every_item.rank(components, n, excluded, weights, allowed)

    def rank_each(self, components: Float32Array, n: int, excluded: Sequence[Int64Array]) -> list[Ranking]:
        """Rank for each of some users, one after the other. See `Ranker.rank_each`."""
        return [self.rank(own, n, out) for own, out in zip(components, excluded, strict=True)]

    def _rank_lists(
        self, question: Question, n: int, excluded: Int64Array, width: int, allowed: BoolArray | None = None
    ) -> Ranking:
        """Rank the union of the lists of `width` items, certified if no item outside can belong to the answer."""
        questions = questions_of(question.queries, self._index.d)  # (K', d+1)
        values, lists = search(self._index, questions, width, allowed)  # (K', width) each
        union = without(np.unique(lists[lists != NO_ITEM]), excluded)  # (L,) ascending
        ranking = self._items.rank_among(union, question, n, certified=False)
        bound = self._best_score_outside(values[:, -1], question.audible_weights)
        # A list with places left holds all that is allowed, and then nothing is outside. Otherwise the last item must exceed
        # the bound, strictly: an unseen item that ties with it might have the lower index.
        everything = NO_ITEM in lists[:, -1]
        certified = everything or (len(ranking.indices) == n and bool(ranking.scores[-1] > bound))
        return replace(ranking, certified=certified)

    def _rank_reaching(
        self, score: float, question: Question, n: int, excluded: Int64Array, allowed: BoolArray | None = None
    ) -> Ranking:
        """Rank all items that may reach a score that n items are known to have: widened once, and for good.

        A sum of K' terms is at most K' times the largest: an item whose score is s has a share of at least s − log K' in
        some concept. So the items whose share exceeds that in any concept are all that can belong to the answer. Longer
        lists were the alternative: they cost more at every length (20,000 items, 7 concepts: 5.6 ms for lists of 200, 9.7
        ms for 1,600) and end nowhere.
        """
        least = np.full(len(question.queries), score - np.log(len(question.queries)))  # (K',)
        if question.audible_weights is not None:
            least -= question.audible_weights
        values = self._items.temperature * least - self._index_error
        questions = questions_of(question.queries, self._index.d)
        reaching = [
            search_above(self._index, asked, value, allowed)
            for asked, value in zip(questions, values.tolist(), strict=True)
        ]
        union = without(np.unique(np.concatenate(reaching)), excluded)  # (L,) ascending
        return self._items.rank_among(union, question, n, certified=True)

    def _best_score_outside(self, last_values: Float32Array, log_weights: Float64Array | None = None) -> float:
        """Return a score that no item outside all lists can exceed: log Σ_k ω_k · exp((w_k + error)/τ).

        Args:
            last_values: (K',) w_k, the last and lowest value in the list of each concept that is not muted.
            log_weights: (K',) log ω_k; None for weights of 1.
        """
        shares = (last_values.astype(np.float64) + self._index_error) / self._items.temperature
        return float(log_sum_exp(shares if log_weights is None else shares + log_weights))

    @cached_property
    def _every_item(self) -> ExactRanker:
        """The reference, where lists would hold nearly everything."""
        return ExactRanker(self._items)


def index_error(concepts: int, dimensions: int, temperature: float) -> float:
    """Bound how far a value of the index may be from τ times an item's true share of the score.

    The certificate compares exact scores with values that FAISS computed in float32, so the bound must allow for: the
    dot product over d+1 terms, off by at most (d + 3) roundings of ‖[h, −τA]‖·‖[z + m, 1]‖; z + m rounded once;
    and −τ·A_i, which a trainer may itself have computed in float32, off by (d + 8) roundings. Doubled for the last
    because what is not ours is not known. Without this margin a near-tie just outside a list would be certified away.
    """
    largest_row = np.hypot(1.0, 1.0 + temperature * np.log(concepts))  # |τ·A_i| ≤ 1 + τ·log K
    largest_query = np.hypot(2.0, 1.0)
    roundings = (dimensions + 3) * largest_row * largest_query + 2 + 2 * (dimensions + 8) * largest_row
    return float(1.02 * UNIT_ROUNDOFF * roundings)
