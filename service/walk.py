"""A walk: items that resemble a start and move along one dimension, from one end to the other (PAPER.md, 2.4).

    range_along          how far the coordinate may go          prototype_range, cut to where the concept's items are
    cut_into_subranges   equally many items in each             strictly increasing by construction
    choose_items         one item per subrange                  beam search and local improvement, in `walk_search`

Pure numpy on arrays of a bundle; knows neither HTTP nor the catalogue.
"""

from dataclasses import dataclass

import numpy as np

from macrid.service.arrays import Float32Array, Float64Array, Int64Array
from macrid.service.walk_range import Interval, WalkRange, range_along
from macrid.service.walk_search import choose_items, cosines_without, nearest_of_each


@dataclass(frozen=True)
class Subrange:
    """A piece of the walked range, and the items whose coordinates lie in it (positions in the list that was cut)."""

    edges: Interval
    members: Int64Array


@dataclass(frozen=True)
class Step:
    """One item of a walk.

    Attributes:
        edges: the subrange it was chosen for.
        item: item index.
        value: its coordinate, within the edges.
        similarity: cosine to the start, both without the coordinate that is walked.
    """

    edges: Interval
    item: int
    value: float
    similarity: float


@dataclass(frozen=True)
class Walk:
    """A whole walk: never two items from one subrange, coordinates strictly increasing.

    Attributes:
        range: what was walked, and why just that.
        start_value: the start's own coordinate.
        start_step: the step whose subrange the start falls into, None when it lies outside the walked range.
        gamma: the weight of the pairs in the objective.
        objective: Σ_t cos(i_t, start) + γ Σ_{t<t'} cos(i_t, i_t'), all without the coordinate.
        steps: as many as were asked for, or fewer where the concept has too few different values.
    """

    range: WalkRange
    start_value: float
    start_step: int | None
    gamma: float
    objective: float
    steps: tuple[Step, ...]


def walk(
    start: Float32Array,
    dim: int,
    *,
    concept: int,
    prototypes: Float32Array,
    item_embeddings: Float32Array,
    members: Int64Array,
    candidates: Int64Array,
    steps: int,
    beam: int,
    gamma: float | None,
) -> Walk:
    """Walk along one dimension.

    Args:
        start: (d,) where the walk takes its bearings: an item's embedding or a user's component.
        dim: 0-based coordinate that changes.
        concept: the concept whose items are walked.
        prototypes: (K, d).
        item_embeddings: (M, d).
        members: indices of the concept's items, at least one: they limit the range.
        candidates: those of the members that may appear in the walk, ascending (all but a starting item).
        steps: how many subranges, ≥ 1.
        beam: how wide to search, ≥ 1; see `walk_search`.
        gamma: weight of similarity between the chosen items; None for 1/(number of steps − 1), so that all pairs
            together weigh half as much as all similarities to the start.
    """
    walked = range_along(start, dim, concept, prototypes, item_embeddings[members, dim])
    coordinates = item_embeddings[candidates, dim].astype(np.float64)
    subranges = cut_into_subranges(coordinates, walked.used, steps)
    if gamma is None:
        gamma = 1.0 / max(len(subranges) - 1, 1)
    rows = item_embeddings[candidates]  # (n, d)
    groups = nearest_of_each(rows, start, dim, [subrange.members for subrange in subranges])
    chosen, objective = choose_items(rows, start, dim, groups, beam, gamma)
    similarities = cosines_without(rows[chosen], start, dim)
    return Walk(
        range=walked,
        start_value=float(start[dim]),
        start_step=find_subrange(subranges, float(start[dim])),
        gamma=gamma,
        objective=objective,
        steps=tuple(
            Step(subrange.edges, int(candidates[position]), float(coordinates[position]), float(similarity))
            for subrange, position, similarity in zip(subranges, chosen, similarities, strict=True)
        ),
    )


# --- The subranges -----------------------------------------------------------------------------------------------


def cut_into_subranges(coordinates: Float64Array, walked: Interval, steps: int) -> list[Subrange]:
    """Cut a range into subranges that hold about equally many items, and none of them none.

    Items with equal coordinates stay together, so every coordinate of one subrange is smaller than every coordinate
    of the next. Edges lie halfway between the neighbours they part; the outermost are those of the range. There are
    fewer subranges than `steps` when the range holds fewer different values, and none when it holds no item.
    """
    inside = np.flatnonzero((coordinates >= walked.low) & (coordinates <= walked.high))
    if not len(inside):
        return []
    order = inside[np.argsort(coordinates[inside], kind="stable")]
    values, counts = np.unique(coordinates[order], return_counts=True)  # (v,) different values, ascending
    firsts = first_values(counts, min(steps, len(values)))  # where each subrange begins, among the values
    inner = (values[firsts[1:] - 1] + values[firsts[1:]]) / 2
    edges = [walked.low, *inner.tolist(), walked.high]
    starts = np.concatenate([[0], np.cumsum(counts)])[firsts]  # the same, among the items
    groups = np.split(order, starts[1:])
    return [Subrange(Interval(*ends), members) for *ends, members in zip(edges, edges[1:], groups, strict=False)]


def first_values(counts: Int64Array, subranges: int) -> Int64Array:
    """Return the value at which each subrange begins, so that their item counts are as equal as whole values allow.

    Each cut goes to the value boundary nearest to its equal share, but never so far that a subrange, before it or
    after it, is left without a value.

    Args:
        counts: (v,) items at each value.
        subranges: 1 ≤ subranges ≤ v.
    """
    below = np.concatenate([[0], np.cumsum(counts)])  # (v+1,) items below each boundary
    firsts = [0]
    for cut in range(1, subranges):
        ideal = below[-1] * cut / subranges
        allowed = np.arange(firsts[-1] + 1, len(counts) - (subranges - cut) + 1)
        firsts.append(int(allowed[np.argmin(np.abs(below[allowed] - ideal))]))
    return np.array(firsts)


def find_subrange(subranges: list[Subrange], value: float) -> int | None:
    """Return which subrange a value falls into (on an edge: the lower one), None when it lies outside all."""
    return next((step for step, subrange in enumerate(subranges) if subrange.edges.contains(value)), None)
