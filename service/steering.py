"""Steering for the facade: what a request wants of one loaded model, and the account of what became of it.

Stands between `recommender`, which ranks before and after, and `control`, which holds the maths. Knows nothing of HTTP.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from macrid.service import control
from macrid.service.arrays import Float32Array, Float64Array, Int64Array
from macrid.service.control import AlteredComponent, Wishes, alter
from macrid.service.errors import InvalidError
from macrid.service.loaded_model import LoadedModel
from macrid.service.presentation import bounded, summary_fields
from macrid.service.ranking.protocol import Ranking
from macrid.service.schemas import (
    Adjustment,
    AppliedEdit,
    ConceptWeight,
    Critique,
    ItemThatLeft,
    RecommendRequest,
    SteeredComponent,
    Steering,
)

# How deep the ranking without steering is looked into, at least, to say where an item came from.
DEPTH_BEFORE = 100


@dataclass(frozen=True)
class Plan:
    """A request to steer in the terms of one model.

    Attributes:
        liked: item indices to add to the history, criticised ones included; sorted, without repeats.
        disliked: item indices to take out of it; sorted, without repeats.
        wishes: how to alter the components.
        weights: (K,) ω_k, None when none is given.
        unknown: ids among liked and disliked that the model does not know.
    """

    liked: Int64Array
    disliked: Int64Array
    wishes: Wishes
    weights: Float64Array | None
    unknown: list[str]


def steers(request: RecommendRequest) -> bool:
    """Say whether a request asks for anything but a plain ranking."""
    return bool(request.concepts or request.adjust or request.critiques or request.liked or request.disliked)


def plan_steering(model: LoadedModel, request: RecommendRequest) -> Plan:
    """Find out what a request to steer wants.

    Raises:
        InvalidError: it names a concept, dimension or criticised item that is not there, one thing twice, or an item as
            both liked and disliked; or it mutes everything.
    """
    named = list(dict.fromkeys([*request.liked, *request.disliked]))
    known = model.bundle.catalogue.indices([*named, *(critique.item for critique in request.critiques)])
    disliked = [known[item_id] for item_id in request.disliked if item_id in known]
    check_critiques(model, request.critiques, known)
    wanted = {*request.liked, *(critique.item for critique in request.critiques)}
    for at, item_id in enumerate(request.disliked):
        if item_id in wanted:
            raise InvalidError("body", f"disliked[{at}]", "the item is also liked or criticised")
    return Plan(
        liked=np.unique(np.array([known[item_id] for item_id in wanted if item_id in known], dtype=np.int64)),
        disliked=np.unique(np.array(disliked, dtype=np.int64)),
        wishes=Wishes(
            edits=edits_of(model, request.adjust),
            critiques=[critique_of(model, critique, known[critique.item]) for critique in request.critiques],
            disliked=by_concept(model, disliked),
        ),
        weights=weights_of(model, request.concepts),
        unknown=[item_id for item_id in named if item_id not in known],
    )


def weights_of(model: LoadedModel, given: Sequence[ConceptWeight]) -> Float64Array | None:
    """Return (K,) weights, 1 where none is given; None when there is none at all."""
    if not given:
        return None
    weights = np.ones(model.shape[1])
    seen: set[int] = set()
    for at, entry in enumerate(given):
        check_concept(model, entry.concept, f"concepts[{at}].concept")
        if entry.concept in seen:
            raise InvalidError("body", f"concepts[{at}].concept", f"concept {entry.concept} is given a weight twice")
        seen.add(entry.concept)
        weights[entry.concept] = entry.weight
    if not weights.any():
        raise InvalidError("body", "concepts", "every concept is muted; at least one must weigh more than 0")
    return weights


def edits_of(model: LoadedModel, adjustments: Sequence[Adjustment]) -> list[control.Edit]:
    """Return adjustments as edits, each of another dimension."""
    seen: set[tuple[int, int]] = set()
    for at, entry in enumerate(adjustments):
        check_concept(model, entry.concept, f"adjust[{at}].concept")
        check_dimension(model, entry.dim, f"adjust[{at}].dim")
        if not len(model.members(entry.concept)):
            message = f"no item belongs to concept {entry.concept} more than to any other, so nothing can be turned"
            raise InvalidError("body", f"adjust[{at}].concept", message)
        if (entry.concept, entry.dim) in seen:
            message = f"dimension {entry.dim} of concept {entry.concept} is adjusted twice"
            raise InvalidError("body", f"adjust[{at}]", message)
        seen.add((entry.concept, entry.dim))
    return [edit_of(entry) for entry in adjustments]


def edit_of(adjustment: Adjustment) -> control.Edit:
    """Return an adjustment as an edit; the schema has seen to it that exactly one amount is given."""
    amounts = {"value": adjustment.value, "shift": adjustment.shift, "quantile": adjustment.quantile}
    kinds: tuple[control.EditKind, ...] = ("value", "shift", "quantile")
    return next(
        control.Edit(adjustment.concept, adjustment.dim, kind, amount)
        for kind in kinds
        if (amount := amounts[kind]) is not None
    )


def critique_of(model: LoadedModel, critique: Critique, item: int) -> control.Critique:
    """Return a critique with the concept and the coordinate of its item."""
    coordinate = float(model.item_embeddings[item, critique.dim])
    return control.Critique(int(model.main_concepts[item]), critique.dim, critique.direction, coordinate)


def by_concept(model: LoadedModel, items: Sequence[int]) -> dict[int, Int64Array]:
    """Group items by the concept they belong to most."""
    indices = np.array(items, dtype=np.int64)
    concepts = model.main_concepts[indices]
    return {int(concept): indices[concepts == concept] for concept in np.unique(concepts)}


def check_critiques(model: LoadedModel, critiques: Sequence[Critique], known: Mapping[str, int]) -> None:
    """Refuse critiques of items or dimensions that are not there: unlike a click, one cannot be left out unnoticed."""
    for at, critique in enumerate(critiques):
        check_dimension(model, critique.dim, f"critiques[{at}].dim")
        if critique.item not in known:
            raise InvalidError("body", f"critiques[{at}].item", "no item has this id")


def check_concept(model: LoadedModel, concept: int, field: str) -> None:
    """Refuse a concept that is not there."""
    concepts = model.shape[1]
    if not 0 <= concept < concepts:
        raise InvalidError("body", field, f"there is no such concept; concepts are numbered 0 to {concepts - 1}")


def check_dimension(model: LoadedModel, dim: int, field: str) -> None:
    """Refuse a dimension that is not there."""
    dimensions = model.shape[2]
    if not 0 <= dim < dimensions:
        raise InvalidError("body", field, f"there is no such dimension; dimensions are numbered 0 to {dimensions - 1}")


def alter_components(
    model: LoadedModel, components: Float32Array, plan: Plan
) -> tuple[Float32Array, list[AlteredComponent]]:
    """Return the components that rank, (K, d), and what became of each that was meant."""
    return alter(
        components,
        plan.wishes,
        prototypes=model.bundle.prototypes,
        item_embeddings=model.item_embeddings,
        members=model.members,
    )


# --- The account -------------------------------------------------------------------------------------------------


def ranks_before(before: Ranking, after: Ranking) -> list[int | None]:
    """Return the rank, 1-based, that each item had before; None where it was not among those looked at."""
    ranks = {index: rank for rank, index in enumerate(before.indices.tolist(), start=1)}
    return [ranks.get(index) for index in after.indices.tolist()]


def steering_account(
    model: LoadedModel,
    request: RecommendRequest,
    altered: Sequence[AlteredComponent],
    before: Ranking,
    after: Ranking,
) -> Steering:
    """Return what was applied, and which items it brought into the first offset + n, which is how far `after` goes, and out."""
    depth = request.offset + request.n
    page = after.indices[request.offset :]
    entered = page[~np.isin(page, before.indices[:depth])]
    return Steering(
        components=[steered_component(model, entry) for entry in altered],
        weights=sorted(request.concepts, key=lambda entry: entry.concept),
        entered=[item.item_id for item in model.bundle.catalogue.items(entered.tolist())],
        left=list(items_that_left(model, before, after, depth)),
    )


def items_that_left(model: LoadedModel, before: Ranking, after: Ranking, n: int) -> Iterator[ItemThatLeft]:
    """Yield the items that were among the first n and are no longer."""
    positions = np.flatnonzero(~np.isin(before.indices[:n], after.indices))
    items = model.bundle.catalogue.items(before.indices[positions].tolist())
    concepts = before.concepts[positions].tolist()
    for item, concept, position in zip(items, concepts, positions.tolist(), strict=True):
        yield ItemThatLeft.model_validate(
            {**summary_fields(model, item), "concept": concept, "rank_before": position + 1}
        )


def steered_component(model: LoadedModel, altered: AlteredComponent) -> SteeredComponent:
    """Return what became of a component, as it is answered."""
    concept = model.bundle.concepts[altered.concept]
    edits = [applied_edit(model, altered.concept, edit) for edit in altered.edits]
    return SteeredComponent(concept=concept.index, id=concept.id, scale=altered.scale, edits=edits)


def applied_edit(model: LoadedModel, concept: int, edit: control.AppliedEdit) -> AppliedEdit:
    """Return what became of a dimension, as it is answered."""
    dimension = model.dimension(concept, edit.dim)
    return AppliedEdit(
        dim=edit.dim,
        id=dimension.id,
        low_label=dimension.low.label,
        high_label=dimension.high.label,
        before=edit.before,
        requested=edit.requested,
        applied=edit.applied,
        quantile_before=edit.quantile_before,
        quantile_applied=edit.quantile_applied,
        range=bounded(edit.range.used),
        range_source=edit.range.source,
    )
