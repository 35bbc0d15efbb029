"""Ranking by concept: a FAISS index yields each concept's best items, and a bound certifies the answer.

The share of concept k in an item's score is log c_{i,k} + ⟨z_k, h_i⟩/τ = (⟨h_i, z_k + m_k⟩ − τ·A_i)/τ: an inner product
of [h_i, −τ·A_i] with [z_k + m_k, 1] (DESIGN.md, "Maths that shapes the code"). So one flat index over (d+1)-vectors,
asked K questions at once, gives for every concept its items in the order of their share.

A concept weight ω_k adds log ω_k to all shares of its concept: the order within a list stays, only the bound moves. A
muted concept has no share in any score, so it is not searched.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import faiss
import numpy as np

from macrid.service.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.protocol import Ranking
from macrid.service.ranking.scores import (
    UNIT_ROUNDOFF,
    approximation_error,
    best,
    log_concept_weights,
    log_sum_exp,
    log_sum_over_concepts,
    soft_scores,
    within_reach_of_the_best,
)

# The lists hold WIDTH + WIDTH_PER_ITEM·n items of each concept. Trained models prove their answers with less (the
# demo shop's top 20 with 50 to 100); where concepts overlap much it takes thousands, and the search is widened.
WIDTH = 64
WIDTH_PER_ITEM = 4
# What FAISS puts where a list has places left.
NO_ITEM = -1
# Items per block when an index is built: bounds the float64 working memory to about 50 MB at d = 100.
BUILD_BLOCK = 65_536


class ByConceptRanker:
    """Asks the index for each concept's best items, rescores their union, and proves that nothing is missing."""

    name: Literal["by_concept"] = "by_concept"

    def __init__(
        self, item_embeddings: Float32Array, prototypes: Float32Array, temperature: float, index: faiss.Index
    ) -> None:
        """Take the arrays of a bundle and its index.

        Args:
            item_embeddings: (M, d), unit rows.
            prototypes: (K, d), unit rows.
            temperature: τ > 0.
            index: flat, inner product, over the M rows of `concept_vectors`.
        """
        self._items = item_embeddings
        self._prototypes = prototypes
        self._temperature = temperature
        self._index = index
        self._index_error = index_error(len(prototypes), prototypes.shape[1], temperature)

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
            found = self._rank_lists(components, n, excluded, width, weights, allowed)
            if found.certified:
                return found
            return self._rank_reaching(float(found.scores[-1]), components, n, excluded, weights, allowed)
        return self._every_item.rank(components, n, excluded, weights, allowed)

    def _rank_lists(
        self,
        components: Float32Array,
        n: int,
        excluded: Int64Array,
        width: int,
        weights: Float64Array | None = None,
        allowed: BoolArray | None = None,
    ) -> Ranking:
        """Rank the union of the lists of `width` items, certified if no item outside can belong to the answer."""
        weights = np.ones(len(components)) if weights is None else weights
        audible, log_weights = weights > 0, log_concept_weights(weights)  # (K,) each; K' of them are audible
        queries = (components + self._prototypes)[audible]  # (K', d)
        questions = np.pad(queries, ((0, 0), (0, 1)), constant_values=1.0)  # (K', d+1)
        values, lists = search(self._index, questions, width, allowed)  # (K', width) each
        union = np.setdiff1d(lists[lists != NO_ITEM], excluded)  # (L,) ascending
        approximate = self._approximate_scores(union, queries, log_weights[audible])
        error = approximation_error(queries.shape[1], self._temperature, log_weights[audible])
        near = union[within_reach_of_the_best(approximate, n, error)]
        scores, concepts = soft_scores(self._items[near], components, self._prototypes, self._temperature, log_weights)
        ranking = best(near, scores, concepts, n, certified=False)
        bound = self._best_score_outside(values[:, -1], log_weights[audible])
        # A list with places left holds all that is allowed, and then nothing is outside. Otherwise the last item must exceed
        # the bound, strictly: an unseen item that ties with it might have the lower index.
        everything = NO_ITEM in lists[:, -1]
        certified = everything or (len(ranking.indices) == n and bool(ranking.scores[-1] > bound))
        return replace(ranking, certified=certified)

    def _rank_reaching(
        self,
        score: float,
        components: Float32Array,
        n: int,
        excluded: Int64Array,
        weights: Float64Array | None = None,
        allowed: BoolArray | None = None,
    ) -> Ranking:
        """Rank all items that may reach a score that n items are known to have: widened once, and for good.

        A sum of K' terms is at most K' times the largest: an item whose score is s has a share of at least s − log K' in
        some concept. So the items whose share exceeds that in any concept are all that can belong to the answer. Longer
        lists were the alternative: they cost more at every length (20,000 items, 7 concepts: 5.6 ms for lists of 200, 9.7
        ms for 1,600) and end nowhere.
        """
        weights = np.ones(len(components)) if weights is None else weights
        audible, log_weights = weights > 0, log_concept_weights(weights)  # (K,) each; K' of them are audible
        queries = (components + self._prototypes)[audible]  # (K', d)
        least = self._temperature * (score - np.log(len(queries)) - log_weights[audible]) - self._index_error  # (K',)
        reaching = [
            search_above(self._index, np.append(query, np.float32(1.0)), value, allowed)
            for query, value in zip(queries, least.tolist(), strict=True)
        ]
        union = np.setdiff1d(np.concatenate(reaching), excluded)  # (L,) ascending
        approximate = self._approximate_scores(union, queries, log_weights[audible])
        error = approximation_error(queries.shape[1], self._temperature, log_weights[audible])
        near = union[within_reach_of_the_best(approximate, n, error)]
        scores, concepts = soft_scores(self._items[near], components, self._prototypes, self._temperature, log_weights)
        return best(near, scores, concepts, n, certified=True)

    def _approximate_scores(
        self, candidates: Int64Array, queries: Float32Array, log_weights: Float64Array
    ) -> Float32Array:
        rows = self._items[candidates]  # (L, d)
        partition = log_sum_over_concepts(rows, self._prototypes, self._temperature)  # (L,) A_i
        scores: Float32Array = log_sum_over_concepts(rows, queries, self._temperature, log_weights) - partition
        return scores

    def _best_score_outside(self, last_values: Float32Array, log_weights: Float64Array) -> float:
        """Return a score that no item outside all lists can exceed: log Σ_k ω_k · exp((w_k + error)/τ).

        Args:
            last_values: (K',) w_k, the last and lowest value in the list of each concept that is not muted.
            log_weights: (K',) log ω_k.
        """
        shares = (last_values.astype(np.float64) + self._index_error) / self._temperature
        return float(log_sum_exp(shares + log_weights))

    @cached_property
    def _every_item(self) -> ExactRanker:
        """The reference, for the rare answer that the lists cannot prove; prepared when first needed."""
        return ExactRanker(self._items, self._prototypes, self._temperature)


def search(
    index: faiss.Index, questions: Float32Array, width: int, allowed: BoolArray | None
) -> tuple[Float32Array, Int64Array]:
    """Return each question's best values and items among those allowed.

    Args:
        index: over M vectors of d+1 numbers.
        questions: (Q, d+1).
        width: how many items of each.
        allowed: (M,), None for all.

    Returns:
        (Q, width) values, falling, and (Q, width) items; `NO_ITEM` at the ends where fewer are allowed.
    """
    with among(allowed) as parameters:
        values, lists = index.search(questions, width, params=parameters)
    return values, lists


def search_above(index: faiss.Index, question: Float32Array, value: float, allowed: BoolArray | None) -> Int64Array:
    """Return the items among those allowed whose value for a question, (d+1,), is at least this: (L,), in no order."""
    lower = float(np.nextafter(np.float32(value), np.float32(-np.inf)))  # FAISS takes what is above, and in float32
    with among(allowed) as parameters:
        _, _, found = index.range_search(question[None], lower, params=parameters)
    items: Int64Array = found
    return items


@contextmanager
def among(allowed: BoolArray | None) -> Iterator[faiss.SearchParameters | None]:
    """Yield the parameters of a search among the items allowed, (M,); they hold only as long as this is open."""
    if allowed is None:
        yield None
        return
    bits = np.packbits(allowed, bitorder="little")
    selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))  # FAISS owns neither
    parameters = faiss.SearchParameters()
    parameters.sel = selector
    yield parameters


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


def concept_vectors(item_embeddings: Float32Array, prototypes: Float32Array, temperature: float) -> Float32Array:
    """Return the rows of the index, [h_i, −τ·A_i]: (M, d), (K, d) → (M, d+1) float32."""
    affinities = item_embeddings.astype(np.float64) @ prototypes.astype(np.float64).T / temperature  # (M, K)
    column = -temperature * log_sum_exp(affinities)  # (M,)
    return np.column_stack([item_embeddings, column.astype(np.float32)])


def build_index(item_embeddings: Float32Array, prototypes: Float32Array, temperature: float) -> faiss.Index:
    """Build the flat index of a bundle that carries none."""
    items, dimensions = item_embeddings.shape
    index = faiss.IndexFlatIP(dimensions + 1)
    for start in range(0, items, BUILD_BLOCK):
        index.add(concept_vectors(item_embeddings[start : start + BUILD_BLOCK], prototypes, temperature))
    return index


def read_index(path: Path, items: int, dimensions: int) -> faiss.Index:
    """Map a bundle's index into memory; workers that serve the same bundle share its pages.

    Raises:
        ValueError: it cannot be read, or is not a flat inner-product index over `items` vectors of `dimensions` + 1 numbers.
    """
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)  # owns the mapping: a downcast alone would dangle
    except RuntimeError as error:
        raise ValueError(f"{path}: FAISS cannot read it: {error}") from error
    kind = type(faiss.downcast_index(index))
    is_flat = issubclass(kind, faiss.IndexFlat) and index.metric_type == faiss.METRIC_INNER_PRODUCT
    if not is_flat or (index.ntotal, index.d) != (items, dimensions + 1):
        raise ValueError(
            f"{path} holds a {kind.__name__} of {index.ntotal} × {index.d}, "
            f"expected a flat inner-product index of {items} × {dimensions + 1}"
        )
    return index
