"""Products of every item with some queries, from numbers of eight bits, and a bound on what the rounding costs.

Items are turned by one rotation drawn at random, which changes no product and leaves no coordinate much larger than the
others, and rounded to whole numbers from −127 to 127; queries likewise. Products of whole numbers are exact and quick:
processors multiply four or more of them where they multiply one float32. With an item h = s·a + e and a query q = t·b + f,
where a and b are whole and e and f what rounding took away,

    |⟨h, q⟩ − s·t·⟨a, b⟩| = |⟨h, f⟩ + ⟨e, t·b⟩| ≤ ‖h‖·‖f‖ + ‖e‖·‖t·b‖,

and everything on the right is known. So whatever is ranked by such products can be proved, once the few that come near the
best are scored exactly (`items.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numkong
import numpy as np
import numpy.typing as npt

from macrid.service.arrays import Float32Array, Float64Array

# Items multiplied at a time: products of the few requests that are answered together stay in the processor's cache.
BLOCK = 4096
# The largest whole number; the same on both sides of zero.
LARGEST = 127
ROTATION_SEED = 0
# What NumKong calls the families of processors that have them: AVX-512 VNNI, AVX-VNNI, AMX; the dot products of Arm.
QUICK = {"icelake", "alder", "sierra", "sapphireamx", "graniteamx", "diamond", "neonsdot", "svesdot", "sme"}
# Products that are exact in float32: up to 2²⁴.
MOST_DIMENSIONS = 2**24 // LARGEST**2


@dataclass(frozen=True)
class RoundedQueries:
    """Queries as items are multiplied with them.

    Attributes:
        whole: (Q, d) int8, turned and rounded.
        scales: (Q,) s·t, by which a product of whole numbers is to be multiplied.
        errors: (Q,) how far that may be from the true product, beside roundings of float64.
    """

    whole: npt.NDArray[np.int8]
    scales: Float64Array
    errors: Float64Array


class RoundedItems:
    """Item embeddings in eight bits; a fourth of their memory, which no other process shares."""

    def __init__(self, item_embeddings: Float32Array) -> None:
        """Turn and round (M, d) embeddings, d ≤ `MOST_DIMENSIONS`."""
        self._rotation = rotation(item_embeddings.shape[1])
        blocks = [slice(start, start + BLOCK) for start in range(0, len(item_embeddings), BLOCK)]
        largest = max(float(np.abs(self._turned(item_embeddings[block])).max()) for block in blocks)
        self._step = float(step_for(np.array(largest)))  # s
        self._longest = self._error = 0.0  # ‖h‖ and ‖e‖
        self._blocks: list[numkong.PackedMatrix] = []
        for block in blocks:
            turned = self._turned(item_embeddings[block])
            whole = np.rint(turned / self._step)  # a
            self._longest = max(self._longest, float(lengths(turned).max()))
            self._error = max(self._error, float(lengths(turned - self._step * whole).max()))
            self._blocks.append(numkong.dots_pack(whole.astype(np.int8)))

    def queries(self, queries: Float32Array) -> RoundedQueries:
        """Turn and round queries, (Q, d)."""
        turned = self._turned(queries)
        steps = step_for(np.abs(turned).max(axis=1))  # t
        whole = np.rint(turned / steps[:, None])  # b
        taken_away = lengths(turned - steps[:, None] * whole)  # ‖f‖
        errors = self._longest * taken_away + self._error * steps * lengths(whole)
        return RoundedQueries(whole.astype(np.int8), self._step * steps, errors)

    def products(self, queries: RoundedQueries) -> Iterator[tuple[slice, Float32Array]]:
        """Yield products of whole numbers, block of items by block: which items, and (Q, b) float32, free to be changed."""
        start = 0
        for block in self._blocks:
            whole = np.asarray(numkong.dots_packed(queries.whole, block))  # (Q, b) int32
            yield slice(start, start + whole.shape[1]), whole.astype(np.float32)
            start += whole.shape[1]

    def _turned(self, rows: Float32Array) -> Float64Array:
        turned: Float64Array = rows.astype(np.float64) @ self._rotation
        return turned


@cache
def are_quick() -> bool:
    """Say whether this processor has instructions for products of eight-bit numbers; without, float32 is no slower."""
    return any(there and name in QUICK for name, there in numkong.get_capabilities().items())


def rotation(dimensions: int) -> Float64Array:
    """Return a rotation (d, d), the same at every time and place that it is asked for."""
    drawn = np.random.default_rng(ROTATION_SEED).standard_normal((dimensions, dimensions))
    turn: Float64Array = np.linalg.qr(drawn)[0]
    return turn


def step_for(largest: Float64Array) -> Float64Array:
    """Return the size of one step, of which the largest value is `LARGEST`; any where that is zero."""
    return np.where(largest > 0, largest, 1.0) / LARGEST


def lengths(rows: Float64Array) -> Float64Array:
    """Return the lengths of rows: (n, d) → (n,)."""
    squares: Float64Array = np.einsum("nd,nd->n", rows, rows)
    return np.sqrt(squares)
