"""Altering a user's components: what a person turns, criticises or dislikes becomes a new vector (PAPER.md, 2.4).

Stands between the encoder and the rankers (`encoder → control → ranking`). docs/steering.md has every formula. Pure
numpy on arrays of a bundle; knows neither HTTP nor the catalogue.

For a component z of concept k, all wishes of a request together name one target y. It differs from z in the dimensions
that are set, and, where items are disliked, by a step away from them. The new component is (z + t·(y − z)) / ‖…‖: one
step, one normalisation, so the order of the wishes changes nothing. t is 1 unless y leaves the concept: see `scale_for`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from macrid.service.arrays import Float32Array, Float64Array, Int64Array
from macrid.service.walk_range import WalkRange, is_nearest, range_along

# "More" and "less" than an item mean this share of the concept's items further: far enough to be seen, near enough to
# say it again.
QUANTILE_STEP = 0.15
# How far a component steps away from the mean of its concept's disliked items, which are unit vectors. Rocchio's rule
# with its usual proportion of about one to four; the mean, and not the sum, so that the tenth dislike does not
# outweigh the whole history.
REPULSION = 0.25
# How far below 0 float64 may put a margin that is 0: that of an edit to the very end of the prototype's range.
ROUNDING = 1e-12
# A target shorter than this points nowhere.
SHORTEST = 1e-6

EditKind = Literal["value", "shift", "quantile"]
Direction = Literal["more", "less"]


@dataclass(frozen=True)
class Edit:
    """Set one coordinate of one component.

    Attributes:
        concept: whose component.
        dim: which coordinate.
        kind: "value": set it to `amount`; "shift": add `amount` to it; "quantile": set it to that quantile of the
            concept's items, 0 to 1.
        amount: how much.
    """

    concept: int
    dim: int
    kind: EditKind
    amount: float


@dataclass(frozen=True)
class Critique:
    """Want a coordinate to be one quantile step more, or less, than an item's.

    Attributes:
        concept: the item's concept, whose component is meant.
        dim: which coordinate.
        direction: "more" or "less".
        coordinate: the item's.
    """

    concept: int
    dim: int
    direction: Direction
    coordinate: float


@dataclass(frozen=True)
class Wishes:
    """All that a request wants altered; at most one edit for one concept and dimension, anything else in any number.

    Attributes:
        edits: coordinates to set.
        critiques: bounds on coordinates.
        disliked: concept → item indices that its component shall step away from.
    """

    edits: Sequence[Edit] = ()
    critiques: Sequence[Critique] = ()
    disliked: dict[int, Int64Array] = field(default_factory=dict)

    @property
    def concepts(self) -> list[int]:
        """Concepts whose components are meant, ascending."""
        edited, criticised = {edit.concept for edit in self.edits}, {critique.concept for critique in self.critiques}
        return sorted(edited | criticised | set(self.disliked))

    def of(self, concept: int) -> "dict[int, tuple[Edit | None, list[Critique]]]":
        """Return what is wanted of each dimension of a concept, dimensions ascending."""
        edits = {edit.dim: edit for edit in self.edits if edit.concept == concept}
        critiques: dict[int, list[Critique]] = {}
        for critique in self.critiques:
            if critique.concept == concept:
                critiques.setdefault(critique.dim, []).append(critique)
        return {dim: (edits.get(dim), critiques.get(dim, [])) for dim in sorted(edits.keys() | critiques.keys())}


@dataclass(frozen=True)
class AppliedEdit:
    """What became of one dimension.

    Attributes:
        dim: the coordinate.
        before: the component's coordinate as it was.
        requested: the coordinate that was asked for, before it was cut to the range.
        applied: the new component's coordinate. Normalising moves it a little from what was set.
        quantile_before: share of the concept's items below `before`, equal ones counted half.
        quantile_applied: the same of `applied`.
        range: what the request was cut to.
    """

    dim: int
    before: float
    requested: float
    applied: float
    quantile_before: float
    quantile_applied: float
    range: WalkRange


@dataclass(frozen=True)
class AlteredComponent:
    """What became of one component.

    Attributes:
        concept: whose.
        vector: (d,) float32, the new component.
        scale: t, the share of the way to the target that was gone.
        edits: dimensions that were set or criticised, ascending; none where the component only stepped away from items.
    """

    concept: int
    vector: Float32Array
    scale: float
    edits: tuple[AppliedEdit, ...]


def alter(
    components: Float32Array,
    wishes: Wishes,
    *,
    prototypes: Float32Array,
    item_embeddings: Float32Array,
    members: Callable[[int], Int64Array],
) -> tuple[Float32Array, list[AlteredComponent]]:
    """Alter a user's components.

    Args:
        components: (K, d), unit rows, as the encoder gives them.
        wishes: what to alter. A concept that is set or criticised holds at least one item.
        prototypes: (K, d).
        item_embeddings: (M, d).
        members: concept → indices of its items.

    Returns:
        (K, d) float32, the very array that was given when nothing changes, and an account of every component that was
        meant, in the order of the concepts.
    """
    altered = [
        alter_component(components[concept], concept, wishes, prototypes, item_embeddings, members(concept))
        for concept in wishes.concepts
    ]
    if all(np.array_equal(entry.vector, components[entry.concept]) for entry in altered):
        return components, altered
    result = components.copy()
    for entry in altered:
        result[entry.concept] = entry.vector
    return result, altered


def alter_component(
    component: Float32Array,
    concept: int,
    wishes: Wishes,
    prototypes: Float32Array,
    item_embeddings: Float32Array,
    members: Int64Array,
) -> AlteredComponent:
    """Alter one component by what the wishes want of its concept: (d,) → (d,). Arguments as in `alter`."""
    before = component.astype(np.float64)
    target = before.copy()
    if concept in wishes.disliked:
        rows = item_embeddings[np.unique(wishes.disliked[concept])].astype(np.float64)  # sorted: same set, same bits
        target -= REPULSION * rows.mean(axis=0)
    settings = []
    for dim, (edit, critiques) in wishes.of(concept).items():
        coordinates = item_embeddings[members, dim]  # (n,)
        walked = range_along(component, dim, concept, prototypes, coordinates)
        value = float(target[dim]) if edit is None else edited_value(edit, float(before[dim]), coordinates)
        requested = between_bounds(value, critiques, coordinates)
        settings.append((dim, requested, walked, coordinates))
    for dim, requested, walked, _ in settings:
        target[dim] = cut_to_range(requested, float(before[dim]), walked)
    scale = scale_for(component, target, concept, prototypes)
    vector = move(component, target, scale)
    return AlteredComponent(
        concept,
        vector,
        scale,
        tuple(
            AppliedEdit(
                dim=dim,
                before=float(component[dim]),
                requested=requested,
                applied=float(vector[dim]),
                quantile_before=quantile_of(coordinates, component[dim]),
                quantile_applied=quantile_of(coordinates, vector[dim]),
                range=walked,
            )
            for dim, requested, walked, coordinates in settings
        ),
    )


# --- The target --------------------------------------------------------------------------------------------------


def edited_value(edit: Edit, before: float, coordinates: Float32Array) -> float:
    """Return the coordinate that an edit names."""
    if edit.kind == "shift":
        return before + edit.amount
    return value_at(coordinates, edit.amount) if edit.kind == "quantile" else edit.amount


def between_bounds(value: float, critiques: Sequence[Critique], coordinates: Float32Array) -> float:
    """Return the nearest coordinate that critiques allow: at least the largest "more", at most the smallest "less".

    Where these exclude each other ("more than this one, less than that one", and the two are less than two steps
    apart), the middle of the two bounds is what both come nearest to.
    """
    bounds = [(critique.direction, critique_bound(critique, coordinates)) for critique in critiques]
    least = max((bound for direction, bound in bounds if direction == "more"), default=-np.inf)
    most = min((bound for direction, bound in bounds if direction == "less"), default=np.inf)
    return (least + most) / 2 if least > most else min(max(value, least), most)


def critique_bound(critique: Critique, coordinates: Float32Array) -> float:
    """Return the coordinate one quantile step beyond the item's, at most the concept's outermost."""
    step = QUANTILE_STEP if critique.direction == "more" else -QUANTILE_STEP
    quantile = quantile_of(coordinates, np.float32(critique.coordinate)) + step
    return value_at(coordinates, min(max(quantile, 0.0), 1.0))


def cut_to_range(requested: float, before: float, walked: WalkRange) -> float:
    """Return the nearest value in the range, widened to where the component already is.

    Without the widening a component that lies outside its items' coordinates would jump when it is shifted by 0.
    """
    low, high = min(walked.used.low, before), max(walked.used.high, before)
    return min(max(requested, low), high)


def quantile_of(coordinates: Float32Array, value: np.float32) -> float:
    """Return the share of the items below a value, those that are equal counted half."""
    return float((coordinates < value).mean() + (coordinates == value).mean() / 2)


def value_at(coordinates: Float32Array, quantile: float) -> float:
    """Return the coordinate at a quantile of the items: the inverse of `quantile_of` at every item (Hazen's rule)."""
    return float(np.quantile(coordinates.astype(np.float64), quantile, method="hazen"))


# --- The step ----------------------------------------------------------------------------------------------------


def scale_for(component: Float32Array, target: Float64Array, concept: int, prototypes: Float32Array) -> float:
    """Return the largest t ≤ 1 for which z + t·(y − z) stays with its concept.

    The cosine to prototype r is (z + t·(y − z))·m_r / ‖z + t·(y − z)‖, and the length is common to all prototypes. So
    the own prototype k stays the nearest while, for every rival r,

        (m_k − m_r)·z + t · (m_k − m_r)·(y − z) ≥ 0:

    one linear inequality in t each. Those that fall below 0 before t = 1 do so at t = margin / −slope, and the smallest
    of these is exact; no search is needed.

    A component that lay nearer to another prototype before is not in its concept and cannot be kept in it: its t is 1,
    and only the items' coordinates limit it (`range_source: "items"`). A target without direction is not approached.
    """
    if not is_nearest(component, concept, prototypes):
        scale = 1.0
    else:
        start = component.astype(np.float64)
        own, rivals = prototypes[concept].astype(np.float64), np.delete(prototypes, concept, axis=0)
        gaps = own - rivals  # (K−1, d)
        margins, slopes = gaps @ start, gaps @ (target - start)  # (K−1,) each
        leaving = (slopes < 0) & (margins + slopes < -ROUNDING)
        limits = np.maximum(margins[leaving], 0.0) / -slopes[leaving]
        scale = float(np.min(limits, initial=1.0))
    reached = component + scale * (target - component)
    return scale if np.linalg.norm(reached) > SHORTEST else 0.0


def move(component: Float32Array, target: Float64Array, scale: float) -> Float32Array:
    """Go the share `scale` of the way to the target and normalise once; the very same bits when that is no way at all."""
    moved: Float32Array = moves(component, target[None], np.array([scale]))[0]
    return moved


def moves(component: Float32Array, targets: Float64Array, scales: Float64Array) -> Float32Array:
    """Go from a component (d,) to each of some targets (E, d), each a share of the way (E,): (E, d), see `move`."""
    steps = scales[:, None] * (targets - component)
    reached = component + steps
    lengths = np.sqrt(np.einsum("ed,ed->e", reached, reached))  # the same bits however many there are
    moved: Float32Array = (reached / np.maximum(lengths, SHORTEST)[:, None]).astype(np.float32)
    moved[~steps.any(axis=1)] = component
    return moved
