"""Ranking by concept in large catalogues: items in cells, of which a search looks into few.

The vectors are those of `by_concept.py`; cells group items whose embeddings lie together. Looked into are the pairs of concept
and cell that promise nearly as much as the best (`cells.py`), over all concepts together: few for a user who wants something
definite, many for one of whom little is known, and none of a concept that has nothing to offer. What is found of an item is added
up over the concepts it was found for, as its score adds up over all, and the items with most become candidates, which are
rescored exactly.

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

from macrid.service.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from macrid.service.ranking.cells import MEASURED_DEPTH, STAGES, CellChoice, Promises
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.index import NO_ITEM, eligible, questions_of
from macrid.service.ranking.items import Items, Question, are_among
from macrid.service.ranking.many import rescored
from macrid.service.ranking.protocol import Ranking
from macrid.service.ranking.selection import taken

# What two stages look at is scored in float64 at once, up to so many items. Of more, float32 finds the best first.
SCORED_TOGETHER = 1000
# Where a filter allows at most this many items they are all scored: 10 ms at d = 100. So are they for who excludes more than
# this share of the catalogue, which takes no longer than to look behind so much.
FEW, MUCH_EXCLUDED = 50_000, 1 / 40
# Behind excluded items values lie closer together, so lists are longer by half as many, up to here.
MOST_LONGER = 1024
# Users whose first stage is taken together: 10 MB of candidates at d = 100, in float64. Lists are made longer by what is excluded
# there, up to so many items.
USERS_AT_ONCE, MOST_LISTED = 64, 100
NOTHING: Int64Array = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Width:
    """How much a search keeps, for each item of its depth.

    Attributes:
        list_length: items in each concept's list.
        candidates: that are rescored, of all that lists hold.
    """

    list_length: float
    candidates: int


USUAL, WIDE = Width(1.5, 2), Width(8.0, 16)


@dataclass(frozen=True)
class Lists:
    """What a search found for the concepts that look into any cell.

    Attributes:
        values: (Q, length), falling along each row.
        items: (Q, length); `NO_ITEM` where a list has places left.
    """

    values: Float32Array
    items: Int64Array


@dataclass(frozen=True)
class Search:
    """What one user asks for, and what may come back.

    Attributes:
        question: of K' concepts.
        questions: (K', d') as the index is asked.
        offsets: (K',) what is added to each concept's values, τ·logits; None where concepts are not weighed.
        promises: what they may find.
        excluded: item indices.
        allowed: (M,), None for all.
    """

    question: Question
    questions: Float32Array
    offsets: Float32Array | None
    promises: Promises
    excluded: Int64Array
    allowed: BoolArray | None


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
        self._cells = CellChoice(lists, items.temperature, probes, margin)
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
        if self._scores_all(excluded) or (allowed is not None and int(np.count_nonzero(allowed)) <= FEW):
            return self._every_item.rank(components, n, excluded, weights, allowed)
        search = self._search_for(self._items.question(components, weights), excluded, allowed)
        parts: list[Ranking] = []
        known: Int64Array = np.empty(0, dtype=np.int64)
        served: dict[int, Ranking] = {}  # by depth
        for depth in STAGES:
            if depth not in served:
                # One search serves both stages up to `MEASURED_DEPTH`: how far it looks hangs on what the first finds.
                reach = MEASURED_DEPTH if depth == STAGES[0] < n else depth
                depths = [stage for stage in STAGES if depth <= stage <= reach]
                served |= self._found(search, depths)
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
        together = [
            user
            for user, out in enumerate(excluded)
            if n <= STAGES[0] and len(out) <= MOST_LISTED and not self._scores_all(out)
        ]
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

    def _scores_all(self, excluded: Int64Array) -> bool:
        return len(excluded) > MUCH_EXCLUDED * len(self._items)

    def _first_stage(self, components: Float32Array, excluded: Sequence[Int64Array]) -> Iterator[Ranking]:
        """Yield what the first stage finds for each user, (U, K, d): `_lists` and `_best_of`, in steps for all of them.

        What is excluded is left out of longer lists, for all users are searched for at once.
        """
        depth, left_out = STAGES[0], np.array([len(items) for items in excluded])
        users, concepts, dimensions = components.shape
        questions = questions_of((components + self._items.prototypes).reshape(-1, dimensions), self._index.d)
        promises = self._cells.promises(questions.reshape(users, concepts, -1))
        best = self._cells.best(promises, depth, left_out.tolist())
        cells, asking = self._cells.chosen(promises, best, depth, left_out.tolist())
        lengths = np.array([list_length(depth, count, USUAL) for count in left_out.tolist()])
        values, items = self._looked_up(questions[asking], cells, int((lengths + left_out).max()), None, NOTHING)
        owners = asking // concepts
        sure = is_sure_in_shorter(values, self._are_left(items, owners, excluded), lengths[owners])
        keys = (owners[:, None] * len(self._items) + items)[sure]
        distinct, found = added_up(keys, values[sure], self._items.temperature)
        rows, candidates = np.divmod(distinct, len(self._items))
        counts = np.bincount(rows, minlength=users)
        lines = np.full((users, int(counts.max(initial=0)) + 1), -np.inf)
        lines[np.arange(lines.shape[1]) < counts[:, None]] = found
        most = np.minimum(USUAL.candidates * depth + 2 * left_out, lines.shape[1])
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

    def _best_of(self, lists: Lists, search: Search, depths: Sequence[int], width: Width) -> dict[int, Ranking]:
        """Rank what lists hold, for each stage as deep as it is; what several stages look at is scored once."""
        question, excluded, temperature = search.question, len(search.excluded), self._items.temperature
        of_each = {depth: candidates_in(lists, depth, excluded, temperature, width) for depth in depths}
        if len(depths) > 1:
            everyone = np.unique(np.concatenate(list(of_each.values())))
            if len(everyone) <= SCORED_TOGETHER:
                ranked = self._items.rank_among(everyone, question, len(everyone), certified=False)
                return {
                    depth: cut(taken(ranked, are_among(ranked.indices, items)), depth)
                    for depth, items in of_each.items()
                }
        return {
            depth: self._items.rank_among(items, question, depth, certified=False) for depth, items in of_each.items()
        }

    def _search_for(self, question: Question, excluded: Int64Array, allowed: BoolArray | None) -> Search:
        questions = questions_of(question.queries, self._index.d)
        offsets = None
        if question.audible_weights is not None:
            offsets = (self._items.temperature * question.audible_weights).astype(np.float32)
        promises = self._cells.promises(questions[None], offsets)
        if allowed is not None:
            promises = self._cells.among(promises, allowed)
        return Search(question, questions, offsets, promises, excluded, allowed)

    def _found(self, search: Search, depths: Sequence[int]) -> dict[int, Ranking]:
        """Search for stages, which share what is looked up, and rank what each of them finds.

        What a filter or much that is excluded leaves may be unlike the cells that it lies in. If the last item found is worth
        less than the best pairs promise, one looks as far below that item as otherwise below those pairs, and at more of what
        is there: where nothing stands out, several concepts hold a little of an item, and not all of them have it in their lists.
        """
        first, deepest_one = depths[0], depths[-1]
        best = self._cells.best(search.promises, deepest_one, [len(search.excluded)])[0]
        may_be_unlike = search.allowed is not None or len(search.excluded) > MOST_LISTED
        found = self._best_of(self._lists(search, best, deepest_one, USUAL), search, depths, USUAL)
        if may_be_unlike and self._cells.has_margin and len(found[first].indices) == first:
            last = self._cells.as_promise(search.promises, float(found[first].scores[-1]))
            if last < best:
                found = self._best_of(self._lists(search, last, deepest_one, WIDE), search, depths, WIDE)
        return found

    def _lists(self, search: Search, best: int, depth: int, width: Width) -> Lists:
        """Look into the cells that promise at most the margin less than the best, for all stages down to a depth."""
        left_out = len(search.excluded)
        cells, asking = self._cells.chosen(search.promises, [best], depth, [left_out])
        questions, length = search.questions[asking], list_length(depth, left_out, width)
        values, items = self._looked_up(questions, cells, length, search.allowed, search.excluded)
        if search.offsets is not None:
            values += search.offsets[asking, None]
        return Lists(values, items)

    def _looked_up(
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
    last = values[np.arange(len(values)), np.minimum(ends, values.shape[1] - 1), None]
    sure: BoolArray = left & ((values > last) | (ends == values.shape[1])[:, None])
    return sure


def added_up(items: Int64Array, values: Float32Array, temperature: float) -> tuple[Int64Array, Float64Array]:
    """Add up what several concepts have for an item: (Q,), (Q,) τ·logits → (l,) items, ascending, and (l,) logits."""
    order = np.argsort(items, kind="stable")
    ordered = items[order]
    is_first = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    starts = np.flatnonzero(is_first)
    return ordered[starts], np.logaddexp.reduceat(values[order].astype(np.float64) / temperature, starts)


def candidates_in(lists: Lists, depth: int, excluded: int, temperature: float, width: Width) -> Int64Array:
    """Return the items of lists that a stage looks at, ascending.

    What it takes of lists that are longer than the stage needs is what lists of its own would hold: whatever has the same value
    as an item at the end is not in, as nothing else says which of the equal ones a shorter list would end with.
    """
    length = list_length(depth, excluded, width)
    values, items = lists.values[:, :length], lists.items[:, :length]
    sure = is_sure(values, items)
    distinct, found = added_up(items[sure], values[sure], temperature)
    most = width.candidates * depth + 2 * excluded
    return distinct[found >= np.partition(found, -most)[-most]] if len(distinct) > most else distinct


def list_length(depth: int, excluded: int, width: Width) -> int:
    """Return how many items of its concept a list holds for a stage."""
    return int(width.list_length * depth + min(excluded, MOST_LONGER))


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
