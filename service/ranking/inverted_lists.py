"""Ranking by concept in large catalogues: items in cells, of which a search looks into few.

The vectors are those of `by_concept.py`; cells group items whose embeddings lie together, and each is represented by its
mean vector. A question [z_k + m_k, 1] times a mean is the mean value of the cell's items for the concept: what the pair of
concept and cell promises. Items lie some way above and below the mean of their cell, so all pairs are looked into that promise
nearly as much as the best, within a margin, over all concepts together: few for a user who wants something definite, many
for one of whom little is known, and none of a concept that has nothing to offer. What is found of an item is added up over the
concepts it was found for, as its score adds up over all, and the items with most become candidates, which are rescored exactly.

What is found is not proved: how much of the true answer it holds was measured when the bundle was made, and stands in its
manifest. The answer for n items begins with the answer for fewer, as pages need: items come in stages of fixed depth, and what
an earlier stage returned stays where it is.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import faiss
import numpy as np
import numpy.typing as npt

from macrid.service.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.index import NO_ITEM, eligible, questions_of
from macrid.service.ranking.items import Items, Question, are_among
from macrid.service.ranking.many import rescored
from macrid.service.ranking.protocol import Ranking
from macrid.service.ranking.rounded import RoundedRows
from macrid.service.ranking.selection import taken

# Items that each stage returns. After the last one every item is scored.
STAGES = (32, 128, 1024, 8192)
# The depth for which a bundle states how many pairs are looked into at most; deeper stages may look into more, as the square
# root of their depth.
MEASURED_DEPTH = 128
# A list holds LIST_LENGTH·depth items of its concept, and CANDIDATES·depth items are rescored.
LIST_LENGTH, CANDIDATES = 1.5, 2
# What two stages look at is scored in float64 at once, up to so many items. Of more, float32 finds the best first.
SCORED_TOGETHER = 1000
# Where a filter allows at most this many items they are all scored: 10 ms at d = 100.
FEW = 50_000
# Behind excluded items values lie closer together, so lists are longer by half as many, up to here.
MOST_LONGER = 1024
# Users whose first stage is taken together: 10 MB of candidates at d = 100, in float64. Lists are made longer by what is excluded
# there, up to so many items.
USERS_AT_ONCE, MOST_LISTED = 64, 100
# Of a million cells' promises the largest are found by way of the largest of so many at a time.
TALL = 64
LEAST = int(np.iinfo(np.int32).min)
NOTHING: Int64Array = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Lists:
    """What a search found for the concepts that look into any cell.

    Attributes:
        values: (Q, length), falling along each row.
        items: (Q, length); `NO_ITEM` where a list has places left.
    """

    values: Float32Array
    items: Int64Array


class InvertedListsRanker:
    """Looks into the cells that promise most; not certified, with a recall that was measured."""

    name: Literal["by_concept"] = "by_concept"

    def __init__(self, items: Items, index: faiss.Index, probes: int, margin: float = math.inf) -> None:
        """Take the items of a bundle and an index over them.

        Args:
            items: M of them.
            index: with inverted lists, as `read_index` gives it.
            probes: how many pairs of concept and cell to look into at most, for `MEASURED_DEPTH` items, ≥ 1.
            margin: how much less than the best ones a pair may promise, in logits, > 0; without one as many as allowed
                are looked into.
        """
        self._items = items
        self._owner = index  # of the mapping, which `_index` alone would leave dangling
        lists: Any = faiss.downcast_index(index)
        self._index = lists
        self._probes, self._margin = probes, margin
        # An empty cell's mean promises nothing, by a number that would leave the others no digits.
        self._inhabited = np.flatnonzero([lists.get_list_size(cell) for cell in range(lists.nlist)])
        self._items_per_cell = len(items) / len(self._inhabited)
        self._means = RoundedRows(lists.quantizer.reconstruct_n(0, lists.nlist)[self._inhabited])
        self._every_item = ExactRanker(items)

    def rank(
        self,
        components: Float32Array,
        n: int,
        excluded: Int64Array,
        weights: Float64Array | None = None,
        allowed: BoolArray | None = None,
    ) -> Ranking:
        """Return items that are allowed and not excluded, nearly always the best. See `Ranker.rank`."""
        allowed_count = len(self._items) if allowed is None else int(np.count_nonzero(allowed))
        if allowed is not None and allowed_count <= FEW:
            return self._every_item.rank(components, n, excluded, weights, allowed)
        question = self._items.question(components, weights)
        share = allowed_count / len(self._items)
        parts: list[Ranking] = []
        known: Int64Array = np.empty(0, dtype=np.int64)
        served: dict[int, Ranking] = {}  # by depth
        for depth in STAGES:
            if depth not in served:
                # One search serves both stages up to `MEASURED_DEPTH`.
                reach = MEASURED_DEPTH if depth < n <= MEASURED_DEPTH else depth
                lists = self._lists(question, reach, excluded, allowed, share)
                depths = [stage for stage in STAGES if depth <= stage <= reach]
                served |= self._best_of(lists, question, depths, len(excluded))
            found = served[depth]
            parts.append(leave_out(found, known) if parts else found)
            known = np.concatenate([part.indices for part in parts])
            if len(known) >= n:
                return cut(joined(parts), n)
            if len(found.indices) < depth:  # the cells are used up; whatever n is, so that pages fit together
                break
        # As deep as this, or with nearly everything left out, nothing is quicker than to score all.
        rest = self._every_item.rank(components, n + len(known), excluded, weights, allowed)
        return cut(joined([*parts, leave_out(rest, known)]), n)

    def rank_each(self, components: Float32Array, n: int, excluded: Sequence[Int64Array]) -> list[Ranking]:
        """Rank for each of some users, in steps that they take together. See `Ranker.rank_each`."""
        together = [user for user, out in enumerate(excluded) if n <= STAGES[0] and len(out) <= MOST_LISTED]
        if len(together) == 1:  # alone in a fifth less
            together = []
        firsts: dict[int, Ranking] = {}
        for start in range(0, len(together), USERS_AT_ONCE):
            users = together[start : start + USERS_AT_ONCE]
            found = self._first_stage(components[users], [excluded[user] for user in users])
            firsts |= zip(users, found, strict=True)
        return [
            cut(firsts[user], n) if user in firsts and len(firsts[user].indices) >= n else self.rank(own, n, out)
            for user, (own, out) in enumerate(zip(components, excluded, strict=True))
        ]

    def _first_stage(self, components: Float32Array, excluded: Sequence[Int64Array]) -> Iterator[Ranking]:
        """Yield what the first stage finds for each user, (U, K, d): `_lists` and `_best_of`, in steps for all of them.

        What is excluded is left out of longer lists, for all users are searched for at once.
        """
        depth, left_out = STAGES[0], np.array([len(items) for items in excluded])
        users, concepts, dimensions = components.shape
        questions = questions_of((components + self._items.prototypes).reshape(-1, dimensions), self._index.d)
        whole, scales = self._means.rounded(questions.reshape(users, concepts, -1))
        promised = self._promised(whole).reshape(users, concepts, -1)
        cells, asking = self._cells(promised, scales, depth, left_out)
        lengths = np.array([list_length(depth, count) for count in left_out.tolist()])
        values, items = self._search(questions[asking], cells, int((lengths + left_out).max()), None, NOTHING)
        owners = asking // concepts
        sure = is_sure_in_shorter(values, self._are_left(items, owners, excluded), lengths[owners])
        keys = (owners[:, None] * len(self._items) + items)[sure]
        distinct, found = added_up(keys, values[sure], self._items.temperature)
        rows, candidates = np.divmod(distinct, len(self._items))
        counts = np.bincount(rows, minlength=users)
        lines = np.full((users, int(counts.max(initial=0)) + 1), -np.inf)
        lines[np.arange(lines.shape[1]) < counts[:, None]] = found
        most = np.minimum(CANDIDATES * depth + left_out, lines.shape[1])
        chosen = found >= np.sort(lines, axis=1)[np.arange(users), -most][rows]  # −inf where fewer are there
        counts = np.bincount(rows[chosen], minlength=users)
        return rescored(self._items, components, counts, candidates[chosen], depth, certified=False)

    def _are_left(self, items: Int64Array, owners: Int64Array, excluded: Sequence[Int64Array]) -> BoolArray:
        """Say which places of lists (Q, l) hold an item that the list's owner, (Q,), does not exclude."""
        users = np.repeat(np.arange(len(excluded)), [len(out) for out in excluded])
        out = users * len(self._items) + np.concatenate(excluded)
        held = owners[:, None] * len(self._items) + items
        left: BoolArray = (items != NO_ITEM) & ~are_among(held.ravel(), out).reshape(items.shape)
        return left

    def _best_of(self, lists: Lists, question: Question, depths: Sequence[int], excluded: int) -> dict[int, Ranking]:
        """Rank what lists hold, for each stage as deep as it is; what several stages look at is scored once."""
        of_each = {depth: candidates_in(lists, depth, excluded, self._items.temperature) for depth in depths}
        if len(depths) > 1:
            everyone = np.unique(np.concatenate(list(of_each.values())))
            if len(everyone) <= SCORED_TOGETHER:
                ranked = self._items.rank_among(everyone, question, len(everyone), certified=False)
                return {
                    depth: cut(taken(ranked, are_among(ranked.indices, candidates)), depth)
                    for depth, candidates in of_each.items()
                }
        return {
            depth: self._items.rank_among(candidates, question, depth, certified=False)
            for depth, candidates in of_each.items()
        }

    def _lists(
        self, question: Question, depth: int, excluded: Int64Array, allowed: BoolArray | None, share: float
    ) -> Lists:
        """Search the cells that promise most, for all stages down to a depth."""
        questions = questions_of(question.queries, self._index.d)  # (K', d')
        whole, scales = self._means.rounded(questions[None])
        promised = self._promised(whole)
        offsets = None
        if question.audible_weights is not None:
            offsets = (self._items.temperature * question.audible_weights).astype(np.float32)[:, None]  # (K', 1)
            promised += np.rint(offsets / scales[0]).astype(np.int32)
        cells, concepts = self._cells(promised[None], scales, depth, np.array([len(excluded)]), share)
        length = list_length(depth, len(excluded))
        values, items = self._search(questions[concepts], cells, length, allowed, excluded)
        if offsets is not None:
            values += offsets[concepts]
        return Lists(values, items)

    def _promised(self, whole: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
        """Return what questions may find in each cell that is not empty, (Q, d⁺) → (Q, c): whole numbers, larger is better."""
        promised = np.empty((len(whole), len(self._inhabited)), dtype=np.int32)
        for block, products in self._means.products(whole):
            promised[:, block] = products
        return promised

    def _cells(
        self,
        promised: npt.NDArray[np.int32],
        scales: Float64Array,
        depth: int,
        left_out: Int64Array,
        share: float = 1.0,
    ) -> tuple[Int64Array, Int64Array]:
        """Choose for each of some users the pairs that promise enough for a stage.

        Args:
            promised: (U, K', c), whole numbers.
            scales: (U,), which makes τ·logits of them.
            depth: of the stage.
            left_out: (U,) how many items each user excludes.
            share: of the items, how many are allowed.

        Returns:
            (Q, p) cells, −1 filling up, as FAISS wants them, and which of the U·K' concepts look into any, (Q,).
        """
        users, concepts, cells = promised.shape
        values = promised.reshape(users, -1)
        less = self._margin * self._items.temperature / scales  # (U,)
        # The best pairs are as many as would hold the answer and what is left out before it, if it were all there.
        best = np.ceil((deepest(depth) + left_out) / self._items_per_cell).astype(np.int64)
        most = [pairs_at_most(self._probes, depth, count) for count in left_out.tolist()]
        bounds = zip(values, best.tolist(), most, less.tolist(), strict=True)
        least = np.array([least_promise(*bound, share) for bound in bounds], dtype=np.int32)
        rows, pairs = np.divmod(np.flatnonzero(values >= least[:, None]), cells)
        counts = np.bincount(rows, minlength=users * concepts)
        asking = np.flatnonzero(counts)
        filled = np.full((len(asking), int(counts.max())), -1, dtype=np.int64)
        filled[np.arange(filled.shape[1]) < counts[asking, None]] = self._inhabited[pairs]
        return filled, asking

    def _search(
        self, questions: Float32Array, cells: Int64Array, length: int, allowed: BoolArray | None, excluded: Int64Array
    ) -> tuple[Float32Array, Int64Array]:
        """Return the best values and items of each question (Q, d') in its cells (Q, p): (Q, length) both."""
        questions, shape = np.ascontiguousarray(questions), (len(questions), length)
        values, items = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.int64)
        unused = np.zeros(cells.shape, dtype=np.float32)  # of the quantizer; codes have no residuals
        with eligible(allowed, excluded, len(self._items)) as selection:
            parameters = faiss.SearchParametersIVF()
            parameters.nprobe = cells.shape[1]
            if selection is not None:
                parameters.sel = selection
            pointers = [faiss.swig_ptr(array) for array in (questions, cells, unused, values, items)]
            self._index.search_preassigned_c(shape[0], pointers[0], length, *pointers[1:], False, parameters)
        return values, items


def is_sure(values: Float32Array, items: Int64Array) -> BoolArray:
    """Say which entries of lists (Q, length) do not hang on the order of equal ones at the end of a list that is full."""
    sure: BoolArray = (items != NO_ITEM) & ((values > values[:, -1:]) | (items[:, -1:] == NO_ITEM))
    return sure


def is_sure_in_shorter(values: Float32Array, left: BoolArray, lengths: Int64Array) -> BoolArray:
    """Say the same of lists (Q, l) without what is not left there, (Q, l), and then cut to lengths, (Q,)."""
    places = np.cumsum(left, axis=1)
    ends = np.count_nonzero(places < lengths[:, None], axis=1)  # (Q,); l where a list is not full
    last = np.take_along_axis(values, np.minimum(ends, values.shape[1] - 1)[:, None], axis=1)
    sure: BoolArray = left & ((values > last) | (ends == values.shape[1])[:, None])
    return sure


def added_up(items: Int64Array, values: Float32Array, temperature: float) -> tuple[Int64Array, Float64Array]:
    """Add up what several concepts have for an item: (Q,), (Q,) τ·logits → (l,) items, ascending, and (l,) logits."""
    order = np.argsort(items, kind="stable")
    ordered = items[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    return ordered[starts], np.logaddexp.reduceat(values[order].astype(np.float64) / temperature, starts)


def candidates_in(lists: Lists, depth: int, excluded: int, temperature: float) -> Int64Array:
    """Return the items of lists that a stage looks at, ascending.

    What it takes of lists that are longer than the stage needs is what lists of its own would hold: whatever has the same value
    as an item at the end is not in, as nothing else says which of the equal ones a shorter list would end with.
    """
    length = list_length(depth, excluded)
    values, items = lists.values[:, :length], lists.items[:, :length]
    sure = is_sure(values, items)
    distinct, found = added_up(items[sure], values[sure], temperature)
    most = CANDIDATES * depth + excluded
    return distinct[found >= np.partition(found, -most)[-most]] if len(distinct) > most else distinct


def list_length(depth: int, excluded: int) -> int:
    """Return how many items of its concept a list holds for a stage."""
    return int(LIST_LENGTH * depth + 0.5 * min(excluded, MOST_LONGER))


def least_promise(promised: npt.NDArray[np.int32], best: int, most: int, less: float, share: float) -> int:
    """Return what a pair has to promise for somebody to look into it.

    Args:
        promised: (P,) by all pairs.
        best: how many the best ones are.
        most: how many may be looked into.
        less: how much less than the last of the best a pair may promise; may be infinite.
        share: of the items, how many are allowed: of a cell only so much is, so all the more cells are looked into.
    """
    least = max(math.ceil(nth_largest(promised, best) - less), LEAST) if math.isfinite(less) else LEAST
    enough = int(np.count_nonzero(promised >= least))
    wanted = math.ceil(min(enough, most) / share)
    return least if wanted == enough else nth_largest(promised, wanted)


def nth_largest(values: npt.NDArray[np.int32], n: int) -> int:
    """Return it, n ≥ 1; the smallest of fewer values."""
    columns = len(values) // TALL
    if n < columns:  # as many columns have something as large, so what is less can be left out unsorted
        values = values[values >= nth_largest(values[: TALL * columns].reshape(TALL, columns).max(axis=0), n)]
    place = max(len(values) - n, 0)
    return int(np.partition(values, place)[place])


def deepest(depth: int) -> int:
    """Return how many items the best pairs of a stage are to hold; stages up to `MEASURED_DEPTH` look into the same pairs."""
    return depth if depth > MEASURED_DEPTH else STAGES[0]


def pairs_at_most(probes: int, depth: int, excluded: int) -> int:
    """Return how many pairs a stage looks into at most. Items that are left out take places as if they were asked for."""
    return math.ceil(probes * max(1.0, math.sqrt((deepest(depth) + excluded) / MEASURED_DEPTH)))


def cut(ranking: Ranking, n: int) -> Ranking:
    """Return the first n items of a ranking."""
    return taken(ranking, slice(n))


def leave_out(ranking: Ranking, known: Int64Array) -> Ranking:
    """Return a ranking without some items."""
    return taken(ranking, ~are_among(ranking.indices, np.sort(known)))


def joined(parts: list[Ranking]) -> Ranking:
    """Return rankings one after the other."""
    return Ranking(
        np.concatenate([part.indices for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.concepts for part in parts]),
        all(part.certified for part in parts),
    )
