"""The index of a bundle: which one, built, and asked for its recall on sampled users before anybody relies on it.

The vectors are [h_i, −τ·A_i] (DESIGN.md, "Maths that shapes the code"). A small catalogue needs none: scoring every item is
fastest and exact. A larger one gets inverted lists: cells of items whose embeddings lie together, each represented by its mean
vector, and 8-bit codes on one scale; `docs/decisions/0005-inverted-lists.md` has the alternatives in numbers. The search here is
that of the server's `ranking/inverted_lists.py`, which this package must not import; a test holds the two together.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from macrid.artifacts.schema import Float32Array, Int64Array
from macrid.artifacts.store import RECALL_FLOOR
from macrid.model.cells import divide
from macrid.model.errors import DataError

SMALLEST = 5_000  # items; below, scoring all takes less than a millisecond
# Finer cells search fewer items, and assigning items to more of them takes longer.
ITEMS_PER_CELL, MANY_CELLS = 24, 16_384
ITEMS_PER_LARGE_CELL, MOST_CELLS = 305, 32_768
CODE_POINTS = 100_000
LANES = 16  # FAISS compares codes sixteen numbers at a time where their count is a multiple of this: ten times as fast
BLOCK = 65_536
# Recall@20 and recall@100 up to which the margin is raised. In a very large catalogue the last per cent costs as much as
# all before, and scoring every item instead costs seconds.
WANTED, VERY_LARGE, WANTED_OF_VERY_LARGE = (0.992, 0.991), 2_000_000, (0.985, 0.985)
# How much less than the best pairs of concept and cell others may promise, as τ·logits, each a seventh more: a cell's items
# lie as far apart whatever the temperature is.
MARGINS = tuple(0.1 * 1.15**step for step in range(22))
MEASURED_USERS = 200
DEPTHS = {20: 32, 100: 128}  # how deep the server looks for so many items; these numbers are the same there
LIST_LENGTH, CANDIDATES = 1.5, 2
DEFAULT_BUDGET = 1.5  # bytes of the index for each byte of the item embeddings


@dataclass(frozen=True)
class BuiltIndex:
    """An index as a bundle carries it: what the manifest says of it (artifacts/README.md), and the file's bytes, if any."""

    described: dict[str, object] = field(default_factory=lambda: {"kind": "none"})
    content: bytes | None = None


@dataclass(frozen=True)
class Effort:
    """Which pairs of concept and cell a search looks into, for up to 128 items.

    Attributes:
        margin: how much less than the best ones a pair may promise, in logits.
        probes: how many at most.
    """

    margin: float
    probes: int


def choose_index(
    arrays: Mapping[str, np.ndarray],
    log_partition: npt.NDArray[np.float64],
    temperature: float,
    components: Float32Array,
    budget: float = DEFAULT_BUDGET,
) -> BuiltIndex:
    """Build the index that suits a catalogue, and measure its recall.

    Args:
        arrays: those of the bundle: `item_embeddings` (M, d) and `prototypes` (K, d).
        log_partition: (M,) A_i.
        temperature: τ.
        components: (U, K, d) of users; at most `MEASURED_USERS` of them are asked.
        budget: how large the index may be, as a multiple of the item embeddings; 0 for none.

    Returns:
        The index; none for a small catalogue, and none where it would not find what `macrid publish` asks for.

    Raises:
        DataError: the budget is negative or no number.
    """
    if not budget >= 0:
        raise DataError(f"the memory budget of the index is {budget}, expected 0 or more times the item embeddings")
    items, dimensions = arrays["item_embeddings"].shape
    if items < SMALLEST or budget < expected_size(items, dimensions):
        return BuiltIndex()
    index = build(arrays["item_embeddings"], log_partition, temperature)
    users = components[np.unique(np.linspace(0, len(components) - 1, MEASURED_USERS).astype(np.int64))]
    effort, recall = measure(index, arrays, log_partition, temperature, users)
    if min(recall.values()) < RECALL_FLOOR:  # the codes are too coarse for these items
        return BuiltIndex()
    content = faiss.serialize_index(index).tobytes()
    described = {"kind": "ivf_sq8", "cells": index.nlist, **asdict(effort), **recall, "users": len(users)}
    return BuiltIndex({**described, "bytes": len(content)}, content)


def expected_size(items: int, dimensions: int) -> float:
    """How large the index will be, as a multiple of the item embeddings: a byte a number, an id, and the cells' means."""
    width, cells = padded(dimensions), cells_for(items)
    return (items * (width + 8) + cells * width * 4) / (items * dimensions * 4)


def cells_for(items: int) -> int:
    """How many cells a catalogue is divided into."""
    return max(1, min(items // ITEMS_PER_CELL, max(MANY_CELLS, min(items // ITEMS_PER_LARGE_CELL, MOST_CELLS))))


def padded(dimensions: int) -> int:
    """How many numbers a vector has: d + 1, brought to a multiple of `LANES` with zeros."""
    return -(-(dimensions + 1) // LANES) * LANES


def vectors(items: Float32Array, log_partition: npt.NDArray[np.float64], temperature: float) -> Float32Array:
    """[h_i, −τ·A_i] and zeros: (n, d) and (n,) -> (n, padded)."""
    count, dimensions = items.shape
    rows = np.zeros((count, padded(dimensions)), dtype=np.float32)
    rows[:, :dimensions] = items
    rows[:, dimensions] = -temperature * log_partition
    return rows


def build(items: Float32Array, log_partition: npt.NDArray[np.float64], temperature: float, seed: int = 0) -> Any:
    """Divide items into cells by direction, and put their codes there; in blocks, whatever M is."""
    count, dimensions = items.shape
    cells, width = cells_for(count), padded(dimensions)
    divided = divide(items, cells, seed)
    quantizer: Any = faiss.IndexFlatIP(width)
    quantizer.add(np.zeros((cells, width), dtype=np.float32))  # replaced when the cells' means are known
    index: Any = faiss.IndexIVFScalarQuantizer(
        quantizer, width, cells, faiss.ScalarQuantizer.QT_8bit_uniform, faiss.METRIC_INNER_PRODUCT, False
    )
    quantizer.this.disown()
    index.own_fields, index.quantizer_trains_alone = True, 2  # the cells are given
    sample = np.random.default_rng(seed).choice(count, min(count, CODE_POINTS), replace=False)
    index.train(vectors(items[np.sort(sample)], log_partition[np.sort(sample)], temperature))
    sums, sizes = np.zeros((cells, width)), np.zeros(cells)
    for start in range(0, count, BLOCK):
        block = np.ascontiguousarray(items[start : start + BLOCK])
        rows = vectors(block, log_partition[start : start + BLOCK], temperature)
        assigned = divided.nearest(block)
        index.add_core(len(rows), faiss.swig_ptr(rows), None, faiss.swig_ptr(assigned))
        order = np.argsort(assigned, kind="stable")
        present, starts = np.unique(assigned[order], return_index=True)
        sums[present] += np.add.reduceat(rows[order], starts, axis=0, dtype=np.float64)
        sizes += np.bincount(assigned, minlength=cells)
    means = sums / np.maximum(sizes, 1)[:, None]
    means[sizes == 0, dimensions] = -1e9  # promise nothing
    quantizer.reset()
    quantizer.add(means.astype(np.float32))
    return index


def measure(
    index: Any,
    arrays: Mapping[str, np.ndarray],
    log_partition: npt.NDArray[np.float64],
    temperature: float,
    users: Float32Array,
) -> tuple[Effort, dict[str, float]]:
    """Look into more pairs of concept and cell until both recalls are what is wanted at this size, and no further.

    Returns:
        The margin that gave them, with the most pairs that anybody needed there; and "recall@20" and "recall@100": the mean share
        of the true first n that are among the n found.
    """
    asked = [Asked(arrays, log_partition, temperature, components) for components in users]
    truth = [user.best(None, 100) for user in asked]
    means = index.quantizer.reconstruct_n(0, index.nlist)
    inhabited = np.array([index.get_list_size(cell) > 0 for cell in range(index.nlist)])
    wanted = WANTED if index.ntotal <= VERY_LARGE else WANTED_OF_VERY_LARGE
    effort, recall = Effort(math.inf, 1), {}
    for margin in (float(f"{margin / temperature:.3g}") for margin in MARGINS):
        chosen = [pairs(user.promised(means), inhabited, index.ntotal, margin) for user in asked]
        counts = [int(np.count_nonzero(own)) for own in chosen]
        effort = Effort(margin, max(counts))
        lists = [search(index, user.questions, own) for user, own in zip(asked, chosen, strict=True)]
        for n, depth in DEPTHS.items():
            found = [user.best(candidates(*own, depth, temperature), n) for user, own in zip(asked, lists, strict=True)]
            shares = [np.isin(t[:n], f).mean() for t, f in zip(truth, found, strict=True)]
            recall[f"recall@{n}"] = round(float(np.mean(shares)), 4)
        enough = all(got >= at_least for got, at_least in zip(recall.values(), wanted, strict=True))
        if enough or np.mean(counts) >= index.nlist:
            break
    return effort, recall


class Asked:
    """One user's scores."""

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        log_partition: npt.NDArray[np.float64],
        temperature: float,
        components: Float32Array,
    ) -> None:
        self._items, self._log_partition = arrays["item_embeddings"], log_partition
        self._queries = components + arrays["prototypes"]  # (K, d)
        self._temperature = temperature
        self.questions = np.zeros((len(components), padded(components.shape[1])), dtype=np.float32)
        self.questions[:, : components.shape[1]] = self._queries
        self.questions[:, components.shape[1]] = 1.0

    def promised(self, means: Float32Array) -> Float32Array:
        """What each pair of concept and cell promises, in logits, by the cells' means: (c, padded) -> (K, c)."""
        return np.asarray(self.questions @ means.T / self._temperature)

    def best(self, among: Int64Array | None, n: int) -> Int64Array:
        """The n items with the highest scores, of all or among some."""
        if among is None:
            starts = range(0, len(self._items), BLOCK)
            scores = np.concatenate([self._scores(slice(start, start + BLOCK)) for start in starts])
            place = max(len(scores) - n, 0)
            near = np.flatnonzero(scores >= np.partition(scores, place)[place])  # few of a million are to be sorted
            return near[np.argsort(-scores[near], kind="stable")[:n]]
        return among[np.argsort(-self._scores(among), kind="stable")[:n]]

    def _scores(self, chosen: Int64Array | slice) -> npt.NDArray[np.float64]:
        exponents = (self._items[chosen] @ self._queries.T) / self._temperature  # (n, K)
        top = exponents.max(axis=1)
        scores = top + np.log(np.exp(exponents - top[:, None]).sum(axis=1)) - self._log_partition[chosen]
        return np.asarray(scores, dtype=np.float64)


def pairs(promised: Float32Array, inhabited: npt.NDArray[np.bool_], items: int, margin: float) -> npt.NDArray[np.bool_]:
    """Which pairs promise enough, (K, c): the best are as many as would hold the answer if it were all there."""
    values = np.where(inhabited, promised, -np.inf)
    best = min(math.ceil(min(DEPTHS.values()) / (items / np.count_nonzero(inhabited))), values.size)
    least = np.partition(values.ravel(), values.size - best)[values.size - best]
    return np.asarray(values >= least - margin)


def search(index: Any, questions: Float32Array, chosen_pairs: npt.NDArray[np.bool_]) -> tuple[Float32Array, Int64Array]:
    """The best values in some pairs of concept and cell, (K, c), and whose they are: (K, l) both, for the deepest answer."""
    counts = np.count_nonzero(chosen_pairs, axis=1)
    chosen = np.full((len(questions), int(counts.max())), -1, dtype=np.int64)
    chosen[np.arange(chosen.shape[1]) < counts[:, None]] = np.nonzero(chosen_pairs)[1]
    length = int(LIST_LENGTH * max(DEPTHS.values()))
    values, found = np.empty((len(questions), length), np.float32), np.empty((len(questions), length), np.int64)
    unused = np.zeros(chosen.shape, dtype=np.float32)
    parameters = faiss.SearchParametersIVF()
    parameters.nprobe = chosen.shape[1]
    pointers = [faiss.swig_ptr(array) for array in (questions, chosen, unused, values, found)]
    index.search_preassigned_c(len(questions), pointers[0], length, *pointers[1:], False, parameters)
    return values, found


def candidates(values: Float32Array, found: Int64Array, depth: int, temperature: float) -> Int64Array:
    """The items of which lists (K, l) hold most, added up over concepts, ascending."""
    length = int(LIST_LENGTH * depth)
    values, found = values[:, :length], found[:, :length]
    distinct, places = np.unique(found[found >= 0], return_inverse=True)
    sums = np.full(len(distinct), -np.inf)
    np.logaddexp.at(sums, places, values[found >= 0].astype(np.float64) / temperature)
    return np.sort(distinct[np.argsort(-sums, kind="stable")[: CANDIDATES * depth]])
