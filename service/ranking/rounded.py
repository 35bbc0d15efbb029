"""Products, and every item's score, roughly: from numbers of eight bits, with a bound on how roughly.

Items are turned by one rotation drawn at random, which changes no product and leaves no coordinate much larger than the
others, and rounded to whole numbers from −127 to 127; queries likewise. Products of whole numbers are exact and quick:
processors multiply four or more of them where they multiply one float32. With an item h = s·a + e and a query q = t·b + f,
where a and b are whole and e and f what rounding took away,

    |⟨h, q⟩ − s·t·⟨a, b⟩| = |⟨h, f⟩ + ⟨e, t·b⟩| ≤ ‖h‖·‖f‖ + ‖e‖·‖t·b‖,

and everything on the right is known.

Exponentials come from the same whole numbers. A float32 is kept as its exponent and then its digits, so the whole number
2²³·(127 + l), read as one, is 2^⌊l⌋·(1 + l − ⌊l⌋): about 2^l (Schraudolph, Neural Computation 11, 1999). For exp(⟨h, q⟩/τ) l is
s·t·⟨a, b⟩ / (τ·log 2). With t such that 2²³·s·t / (τ·log 2) is whole, that takes one multiplication and one addition of each
product.

Whatever is ranked by such scores can be proved, once the few that come near the best are scored exactly (`items.py`).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numkong
import numpy as np
import numpy.typing as npt

from macrid.service.arrays import Float32Array, Float64Array

# Items multiplied at a time: products of the few requests that are answered together stay in the processor's cache.
BLOCK = 3072
# Bytes that processors read at a time, to which rows are filled up; and queries that AMX takes at a time, to which they are.
WIDTH, TILE = 64, 16
# The largest whole number; the same on both sides of zero.
LARGEST = 127
ROTATION_SEED = 0
# What NumKong calls the families of processors that have them: AVX-512 VNNI, AVX-VNNI, AMX; the dot products of Arm.
WITH_TILES = {"sapphireamx", "graniteamx", "diamond"}
QUICK = {"icelake", "alder", "sierra", *WITH_TILES, "neonsdot", "svesdot", "sme"}
# A rotation of so many takes 8 MB. Products of 130,000 would be held by 32 bits.
MOST_DIMENSIONS = 1024
# The numbers of a float32 from 1 to below 2, and the exponent that is kept for them.
DIGITS, EXPONENT_OF_ONE = 2**23, 127
# (1 + f) / 2^f lies between 1, for f = 0 and 1, and this, where its slope is 0. An l that is less by half of its logarithm makes
# an exponential too large by as much as too small.
LARGEST_RATIO = 2 ** (1 - 1 / math.log(2)) / math.log(2)
EXPONENTIAL_ERROR = 1.001 * math.log(LARGEST_RATIO) / 2  # of its logarithm
ONE = round(DIGITS * (EXPONENT_OF_ONE - math.log2(LARGEST_RATIO) / 2))


@dataclass(frozen=True)
class RoundedQueries:
    """Queries as rows are multiplied with them.

    Attributes:
        whole: (Q, d⁺) int8, turned and rounded; filled up with zeros.
        scale: s·t, by which a product of whole numbers is to be multiplied.
        errors: (Q,) how far the product may then be from ⟨h, q⟩, beside roundings of float64.
    """

    whole: npt.NDArray[np.int8]
    scale: float
    errors: Float64Array


class RoundedRows:
    """Rows in eight bits; a fourth of their memory, which no other process shares."""

    def __init__(self, rows: Float32Array) -> None:
        """Turn and round (n, d) rows, d ≤ `MOST_DIMENSIONS`."""
        self._rotation = rotation(rows.shape[1])
        self._slices = [slice(start, start + BLOCK) for start in range(0, len(rows), BLOCK)]
        largest = max(float(np.abs(self._turned(rows[block])).max()) for block in self._slices)
        self.step = step_for(largest)  # s
        self._longest = self._error = 0.0  # ‖h‖ and ‖e‖
        self._packed: list[numkong.PackedMatrix] = []
        for block in self._slices:
            turned = self._turned(rows[block])
            whole = np.rint(turned / self.step)  # a
            self._longest = max(self._longest, float(lengths(turned).max()))
            self._error = max(self._error, float(lengths(turned - self.step * whole).max()))
            self._packed.append(numkong.dots_pack(filled_up(whole)))

    def queries(self, queries: Float32Array, grain: float = 0.0) -> RoundedQueries:
        """Turn and round queries, (Q, d), all in the same steps, which are a multiple of a grain."""
        turned = self._turned(queries)
        step = step_for(float(np.abs(turned).max()))  # t
        if grain:
            step = math.ceil(step / grain) * grain
        whole = np.rint(turned / step)  # b
        taken_away = lengths(turned - step * whole)  # ‖f‖
        errors = self._longest * taken_away + self._error * step * lengths(whole)
        return RoundedQueries(filled_up(whole), self.step * step, errors)

    def rounded(self, queries: Float32Array) -> tuple[npt.NDArray[np.int8], Float64Array]:
        """Turn and round the queries of some users, each user's in steps of their own, whoever else asks.

        Args:
            queries: (U, Q, d).

        Returns:
            (U·Q, d⁺) whole numbers, as in `RoundedQueries`, and (U,) the scales of their products.
        """
        turned = self._turned(queries)
        largest = np.abs(turned).max(axis=(1, 2))
        steps = np.where(largest > 0, largest, 1.0) / LARGEST
        whole = np.rint(turned / steps[:, None, None])
        return filled_up(whole.reshape(-1, queries.shape[-1])), self.step * steps

    def products(self, whole: npt.NDArray[np.int8]) -> Iterator[tuple[slice, npt.NDArray[np.int32]]]:
        """Yield ⟨a, b⟩ of all rows, (Q, d⁺), block of rows by block: which rows, and (Q, b), free to be changed."""
        queries = len(whole)
        if queries > TILE and queries % TILE and has_tiles():
            whole = np.concatenate([whole, np.zeros((-queries % TILE, whole.shape[1]), dtype=np.int8)])
        for block, packed in zip(self._slices, self._packed, strict=True):
            yield block, np.asarray(numkong.dots_packed(whole, packed))[:queries]

    def _turned(self, rows: Float32Array) -> Float64Array:
        turned: Float64Array = rows.astype(np.float64) @ self._rotation
        return turned


class RoundedItems:
    """Item embeddings in eight bits, and what makes scores of their products."""

    def __init__(self, item_embeddings: Float32Array, log_partition: Float64Array, temperature: float) -> None:
        """Take (M, d) embeddings, d ≤ `MOST_DIMENSIONS`, whose log partition is A, (M,)."""
        self._rows = RoundedRows(item_embeddings)
        self._temperature = temperature
        self._shares = np.exp(-log_partition).astype(np.float32)  # exp(−A)

    def exponentials(
        self, queries: Float32Array, log_weights: Float64Array | None = None
    ) -> tuple[Float32Array, Float64Array]:
        """Return the exponentials of all items' scores for some users at once.

        The queries of all are rounded in the same steps: how far a score may be off is said by its worst query anyway.

        Args:
            queries: (U, K', d) z_k + m_k, of the concepts that take part.
            log_weights: (K',) log ω_k; None for weights of 1. All ⟨h, q⟩/τ + log ω are within ±`scores.LARGEST_EXPONENT`.

        Returns:
            (U, M) float32, and (U,) how far their logarithms may be from the true scores, beside roundings of float32.
        """
        users, concepts, dimensions = queries.shape
        in_bits = DIGITS / (self._temperature * math.log(2))  # of a product of 1
        asked = self._rows.queries(queries.swapaxes(0, 1).reshape(-1, dimensions), 1 / (self._rows.step * in_bits))
        factor = round(asked.scale * in_bits)
        bits_of_one: int | npt.NDArray[np.int32] = ONE
        if log_weights is not None:
            bits = ONE + np.rint(log_weights * (DIGITS / math.log(2)))
            bits_of_one = np.repeat(bits.astype(np.int32), users)[:, None]
        exponentials = np.empty((users, len(self._shares)), dtype=np.float32)
        for block, products in self._rows.products(asked.whole):  # (K'·U, b)
            products *= factor
            products += bits_of_one
            terms = products.view(np.float32).reshape(concepts, users, -1)
            terms.sum(axis=0, out=exponentials[:, block])
        exponentials *= self._shares
        errors = asked.errors.reshape(concepts, users).max(axis=0) / self._temperature + EXPONENTIAL_ERROR
        return exponentials, errors


@cache
def are_quick() -> bool:
    """Say whether this processor has instructions for products of eight-bit numbers; without, float32 is no slower."""
    return bool(QUICK & families())


@cache
def has_tiles() -> bool:
    """Say whether this processor multiplies whole tiles of numbers, and a part of one no quicker."""
    return bool(WITH_TILES & families())


def families() -> set[str]:
    """Return what NumKong finds in this processor."""
    return {name for name, there in numkong.get_capabilities().items() if there}


def filled_up(whole: Float64Array) -> npt.NDArray[np.int8]:
    """Return whole numbers, (n, d), as int8 in rows of full width."""
    filled = np.zeros((len(whole), -(-whole.shape[1] // WIDTH) * WIDTH), dtype=np.int8)
    filled[:, : whole.shape[1]] = whole
    return filled


def rotation(dimensions: int) -> Float64Array:
    """Return a rotation (d, d), the same at every time and place that it is asked for."""
    drawn = np.random.default_rng(ROTATION_SEED).standard_normal((dimensions, dimensions))
    turn: Float64Array = np.linalg.qr(drawn)[0]
    return turn


def step_for(largest: float) -> float:
    """Return the size of one step, of which the largest value is `LARGEST`; any where that is zero."""
    return (largest or 1.0) / LARGEST


def lengths(rows: Float64Array) -> Float64Array:
    """Return the lengths of rows: (n, d) → (n,)."""
    squares: Float64Array = np.einsum("nd,nd->n", rows, rows)
    return np.sqrt(squares)
