"""Which cells a search in inverted lists looks into.

A question [z_k + m_k, 1] times the mean vector of a cell is what the pair of concept and cell *promises*: the mean value of the
cell's items for the concept. Items lie some way above and below it. So all pairs are looked into that promise at most a margin
less than the best ones, of which there are as many as would hold what is looked for if it were all there. Promises are whole
numbers, multiplied in eight bits (`rounded.py`), the same on every processor.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from macrid.service.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from macrid.service.ranking.rounded import RoundedRows

# Items that each stage of a search returns. After the last one every item is scored.
STAGES = (32, 128, 1024, 8192)
# The depth for which a bundle states how many pairs are looked into at most; deeper stages may look into more, as the square
# root of their depth.
MEASURED_DEPTH = 128
# Of a million cells' promises the largest are found by way of the largest of so many at a time.
TALL = 64
LEAST = int(np.iinfo(np.int32).min)


@dataclass(frozen=True)
class Cells:
    """Those among which a search chooses: they hold something that is allowed.

    Attributes:
        numbers: (c,) in the index.
        places: (c,) among all cells that are not empty.
        allowed_in_each: how many items that is, on the average.
        share: of all items, how many are allowed.
    """

    numbers: Int64Array
    places: Int64Array
    allowed_in_each: float
    share: float


@dataclass(frozen=True)
class Promises:
    """What the questions of some users may find in cells.

    Attributes:
        values: (U, K'·c) τ·logits, as whole numbers; question by question.
        units: (U,) what they are to be multiplied by to be logits.
        cells: the c cells.
        fewest: pairs to look into, whatever they promise: of a cell a filter may leave little, so all the more cells are.
    """

    values: npt.NDArray[np.int32]
    units: Float64Array
    cells: Cells
    fewest: int = 1


class CellChoice:
    """The cells of an index, and how far a search looks below the best of them."""

    def __init__(self, index: Any, temperature: float, probes: int, margin: float) -> None:
        """Take an index with inverted lists, downcast, over M items.

        Args:
            index: it.
            temperature: τ.
            probes: how many pairs of question and cell to look into at most, for `MEASURED_DEPTH` items, ≥ 1.
            margin: how much less than the best ones a pair may promise, in logits, > 0; where it is infinite, as many as allowed
                are looked into.
        """
        self._index, self._temperature, self._probes, self._margin = index, temperature, probes, margin
        self.has_margin = math.isfinite(margin)
        # An empty cell's mean promises nothing, by a number that would leave the others no digits.
        inhabited = np.flatnonzero([index.get_list_size(cell) for cell in range(index.nlist)])
        self.all = Cells(inhabited, np.arange(len(inhabited)), index.ntotal / len(inhabited), 1.0)
        self._means = RoundedRows(index.quantizer.reconstruct_n(0, index.nlist)[inhabited])

    def promises(self, questions: Float32Array, offsets: Float32Array | None = None) -> Promises:
        """Return what cells promise.

        Args:
            questions: (U, K', d') of users.
            offsets: (K',) what is added to the values of each question, τ·logits; of one user.
        """
        whole, scales = self._means.rounded(questions)
        promised = np.empty((len(whole), len(self.all.numbers)), dtype=np.int32)
        for block, products in self._means.products(whole):
            promised[:, block] = products
        if offsets is not None:
            promised += np.rint(offsets[:, None] / scales[0]).astype(np.int32)
        return Promises(promised.reshape(len(questions), -1), scales / self._temperature, self.all)

    def among(self, promises: Promises, allowed: BoolArray) -> Promises:
        """Return what is left of one user's promises where only some of the items are allowed, (M,)."""
        held = np.zeros(len(self.all.numbers), dtype=np.bool_)
        held[self._places[np.flatnonzero(allowed)].astype(np.int64)] = True  # three times as fast as by the mask itself
        places, count = np.flatnonzero(held), int(np.count_nonzero(allowed))
        cells = Cells(self.all.numbers[places], places, count / len(places), count / len(allowed))
        best = self.best(promises, STAGES[0], [0])
        without_filter = min(int(np.count_nonzero(promises.values >= self._least(promises, best))), self._probes)
        values = promises.values.reshape(-1, len(self.all.numbers))[:, places].reshape(1, -1)
        return Promises(values, promises.units, cells, math.ceil(without_filter / cells.share))

    def best(self, promises: Promises, depth: int, left_out: Sequence[int]) -> list[int]:
        """Return what the last of each user's best pairs promises.

        Best are as many pairs as would hold what a stage looks for, and what the user excludes before it, if it were all there.
        """
        counts = [math.ceil((deepest(depth) + count) / promises.cells.allowed_in_each) for count in left_out]
        return [nth_largest(values, count) for values, count in zip(promises.values, counts, strict=True)]

    def chosen(
        self, promises: Promises, best: Sequence[int], depth: int, left_out: Sequence[int]
    ) -> tuple[Int64Array, Int64Array]:
        """Choose for each of some users the pairs that promise enough for a stage.

        Args:
            promises: theirs.
            best: what pairs may promise the margin less than, for each user.
            depth: of the stage.
            left_out: how many items each user excludes.

        Returns:
            (Q, p) cells, −1 filling up, as FAISS wants them, and which of the U·K' questions look into any, (Q,).
        """
        values, cells = promises.values, promises.cells
        columns = len(cells.numbers)
        most = [math.ceil(pairs_at_most(self._probes, depth, count) / cells.share) for count in left_out]
        bounds = zip(values, self._least(promises, best), most, strict=True)
        least = np.array([least_promise(*bound, promises.fewest) for bound in bounds], dtype=np.int32)
        rows, pairs = np.divmod(np.flatnonzero(values >= least[:, None]), columns)
        counts = np.bincount(rows, minlength=values.size // columns)
        asking = np.flatnonzero(counts)
        filled = np.full((len(asking), int(counts.max())), -1, dtype=np.int64)
        filled[np.arange(filled.shape[1]) < counts[asking, None]] = cells.numbers[pairs]
        return filled, asking

    def as_promise(self, promises: Promises, score: float) -> int:
        """Return what one user's item is worth as a whole number, as promises are."""
        return math.floor(max(score / float(promises.units[0]), LEAST))

    def _least(self, promises: Promises, best: Sequence[int]) -> list[int]:
        """Return what a pair has to promise where the best do so much, for each user."""
        less = np.minimum(self._margin / promises.units, -LEAST).tolist()
        return [max(math.ceil(of_best - of_margin), LEAST) for of_best, of_margin in zip(best, less, strict=True)]

    @cached_property
    def _places(self) -> npt.NDArray[np.uint16] | npt.NDArray[np.uint32]:
        """(M,) each item's cell, by its place among those that are not empty. Private memory, made for the first filter."""
        places: npt.NDArray[np.uint16] | npt.NDArray[np.uint32] = np.empty(self._index.ntotal, dtype=np.uint32)
        if len(self.all.numbers) <= np.iinfo(np.uint16).max:
            places = np.empty(self._index.ntotal, dtype=np.uint16)
        lists = self._index.invlists
        for place, cell in enumerate(self.all.numbers.tolist()):
            places[faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell))] = place
        return places


def least_promise(promised: npt.NDArray[np.int32], enough: int, most: int, fewest: int) -> int:
    """Return what a pair, of (P,), has to promise to be looked into: enough, but of pairs no more and no fewer than so many."""
    count = int(np.count_nonzero(promised >= enough))
    return enough if fewest <= count <= most else nth_largest(promised, min(max(count, fewest), most))


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
