"""How far a walk may go: where a concept's prototype stays the nearest, cut to where its items are (PAPER.md, 2.4).

The paper finds the prototype's range by binary search; it has a closed form. Pure numpy, used by `walk.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from macrid.service.arrays import Float32Array

RangeSource = Literal["prototype_and_items", "items"]

# How much nearer another prototype may seem at the start before the start counts as lying elsewhere: concept weights
# are float32, so an item halfway between two prototypes may be nearest to either, depending on who computes it.
NEAREST_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Interval:
    """A closed interval of coordinate values; unbounded ends are ±inf."""

    low: float
    high: float

    def contains(self, value: float) -> bool:
        """Say whether the value lies inside, ends included."""
        return self.low <= value <= self.high

    def intersect(self, other: "Interval") -> "Interval | None":
        """Return what both intervals share, or None."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else None


@dataclass(frozen=True)
class WalkRange:
    """The values a walk covers, and where they come from.

    Attributes:
        used: the interval that is walked.
        source: "prototype_and_items" when both limit it; "items" when another prototype is nearer at the start (or
            the prototype's range holds none of the concept's items), so that only the items can limit it.
        prototype: where the concept's prototype stays the nearest, None when it is nowhere so.
        items: [min, max] of the coordinate over the concept's items.
    """

    used: Interval
    source: RangeSource
    prototype: Interval | None
    items: Interval


def prototype_range(start: Float32Array, dim: int, concept: int, prototypes: Float32Array) -> Interval | None:
    """Return where prototype `concept` stays the nearest as coordinate `dim` varies; see `prototype_ranges`."""
    return prototype_ranges(start, [dim], concept, prototypes)[0]


def prototype_ranges(
    start: Float32Array, dims: Sequence[int], concept: int, prototypes: Float32Array
) -> list[Interval | None]:
    """Return where prototype `concept` stays the nearest to the start as one coordinate varies, all else fixed.

    With value v at coordinate j, prototype k is at cosine (start_{−j}·m_{k,−j} + v·m_{k,j}) / ‖start(v)‖. The length
    is common to all k, so each rival gives one linear inequality v·(m_{concept,j} − m_{k,j}) ≥ r_k: a half-line, all
    or nothing. Their intersection is the paper's (a, b), which it finds by binary search.

    Returns:
        For each coordinate the interval, ±inf where no rival limits it; None when a rival is nearer whatever the value.
    """
    fixed = np.repeat(start.astype(np.float64)[None], len(dims), axis=0)  # (D, d)
    fixed[np.arange(len(dims)), dims] = 0.0
    own, rivals = prototypes[concept].astype(np.float64), np.delete(prototypes, concept, axis=0)
    gaps = own - rivals  # (K−1, d)
    # Both (D, K−1): v · slope ≥ needed. `einsum`, so that a coordinate's range does not depend on how many are asked for.
    slopes, needed = gaps[:, dims].T, -np.einsum("jd,kd->jk", fixed, gaps)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        bounds = needed / slopes
    lows = np.where(slopes > 0, bounds, -np.inf).max(axis=1, initial=-np.inf)
    highs = np.where(slopes < 0, bounds, np.inf).min(axis=1, initial=np.inf)
    possible = (lows <= highs) & ~((slopes == 0) & (needed > 0)).any(axis=1)
    return [
        Interval(low, high) if is_possible else None
        for low, high, is_possible in zip(lows.tolist(), highs.tolist(), possible.tolist(), strict=True)
    ]


def range_along(
    start: Float32Array, dim: int, concept: int, prototypes: Float32Array, coordinates: Float32Array
) -> WalkRange:
    """Return the range of a walk: the prototype's, cut to where the concept's items are.

    The prototype's range alone is mostly dead travel: on trained models nine in ten reach beyond [−1, 1] while the
    items' coordinates lie within about ±.23.

    Args:
        start: (d,).
        dim: the coordinate.
        concept: whose prototype must stay the nearest.
        prototypes: (K, d).
        coordinates: (n,) of the concept's items, n ≥ 1.
    """
    items = Interval(float(coordinates.min()), float(coordinates.max()))
    return ranges_along(start, [dim], concept, prototypes, [items])[0]


def ranges_along(
    start: Float32Array, dims: Sequence[int], concept: int, prototypes: Float32Array, items: Sequence[Interval]
) -> list[WalkRange]:
    """Return the ranges along several dimensions, `items` being where the concept's items are along each."""
    at_home = is_nearest(start, concept, prototypes)
    found = prototype_ranges(start, dims, concept, prototypes)
    return [
        cut_to_items(prototype, at_home, float(start[dim]), where)
        for prototype, dim, where in zip(found, dims, items, strict=True)
    ]


def cut_to_items(prototype: Interval | None, at_home: bool, value: float, items: Interval) -> WalkRange:
    """Return what is walked from a value, given where the prototype stays the nearest and where the items are."""
    if prototype is not None and at_home:
        # The start itself is inside, whatever rounding made of the ends.
        prototype = Interval(min(prototype.low, value), max(prototype.high, value))
        shared = prototype.intersect(items)
        if shared is not None:
            return WalkRange(shared, "prototype_and_items", prototype, items)
    return WalkRange(items, "items", prototype, items)


def is_nearest(start: Float32Array, concept: int, prototypes: Float32Array) -> bool:
    """Say whether no prototype is nearer to the start than this concept's."""
    products = prototypes.astype(np.float64) @ start.astype(np.float64)  # (K,)
    return bool(products[concept] >= products.max() - NEAREST_TOLERANCE)
