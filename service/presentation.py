"""From rows and numbers to the parts of an answer: items, components, steps, concepts with their exemplars."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import TypeAdapter

from macrid.artifacts.catalogue import CatalogueItem
from macrid.artifacts.schema import Concept
from macrid.service.addresses import picture_address
from macrid.service.arrays import Int64Array
from macrid.service.controls import Control
from macrid.service.encoder import Encoding
from macrid.service.loaded_model import LoadedModel
from macrid.service.schemas import (
    BoundedRange,
    ConceptDimension,
    ConceptSummary,
    ItemSummary,
    Range,
    RankedItem,
    TopDimension,
    WalkStart,
    WalkStep,
)
from macrid.service.walk import Walk
from macrid.service.walk_range import Interval

CONCEPT_EXEMPLARS = 6
# One call that makes all items of a list takes two thirds of the time of one call for each.
SUMMARIES = TypeAdapter(list[ItemSummary])
RANKED_ITEMS = TypeAdapter(list[RankedItem])


def summary_fields(model: LoadedModel, item: CatalogueItem) -> dict[str, object]:
    """Return the fields of an `ItemSummary`, for it and for the answers that extend it."""
    return item_fields(item, int(model.main_concepts[item.index]))


def item_fields(item: CatalogueItem, concept: int) -> dict[str, object]:
    """Return the same, with the concept that is to be named."""
    return {
        "item_id": item.item_id,
        "title": item.title,
        "image": picture_address(item.item_id) if item.has_picture else item.image,
        "concept": concept,
        "metadata": item.metadata,
    }


def summary(model: LoadedModel, item: CatalogueItem) -> ItemSummary:
    """Return an item as lists show it."""
    return ItemSummary.model_validate(summary_fields(model, item))


def summaries(model: LoadedModel, indices: Sequence[int]) -> list[ItemSummary]:
    """Return items as lists show them, in the order of the indices."""
    return SUMMARIES.validate_python([summary_fields(model, item) for item in model.items(indices)])


def ranked_items(
    model: LoadedModel, indices: Int64Array, concepts: Int64Array, scores: Sequence[float | None]
) -> list[RankedItem]:
    """Return items of a ranking that nothing steered, each with the concept that put it there."""
    return RANKED_ITEMS.validate_python(ranked_fields(model, indices, concepts, scores, [None] * len(scores)))


def ranked_fields(
    model: LoadedModel,
    indices: Int64Array,
    concepts: Int64Array,
    scores: Sequence[float | None],
    ranks_before: Sequence[int | None],
    first_rank: int = 1,
) -> list[dict[str, object]]:
    """Return the fields of a `RankedItem` for each item of a ranking, from a rank on; nobody has asked why yet."""
    items = model.items(indices.tolist())
    placed = zip(items, concepts.tolist(), scores, ranks_before, strict=True)
    found = []
    for rank, (item, concept, score, rank_before) in enumerate(placed, start=first_rank):
        fields = item_fields(item, concept)
        fields |= {"rank": rank, "score": score, "rank_before": rank_before, "why": None}
        found.append(fields)
    return found


def component_fields(model: LoadedModel, encoding: Encoding) -> list[dict[str, object]]:
    """Return the fields of a `Component` for each concept."""
    confidences = encoding.confidences.astype(np.float64)
    shares = confidences / confidences.sum()
    return [
        {
            "concept": concept.index,
            "id": concept.id,
            "label": concept.label,
            "confidence": confidence,
            "share": share,
        }
        for concept, confidence, share in zip(model.bundle.concepts, confidences.tolist(), shares.tolist(), strict=True)
    ]


def top_dimensions(model: LoadedModel, index: int, n: int) -> list[TopDimension]:
    """Return the dimensions on which an item stands out among its concept's items, most telling first.

    A dimension tells much of an item when it matters to the concept and the item lies far from the concept's middle:
    importance · |2 · quantile − 1|.
    """
    concept = int(model.main_concepts[index])
    row = model.item_embeddings[index]  # (d,)
    others = model.item_embeddings[model.members(concept)]  # (n, d)
    quantiles = (others < row).mean(axis=0) + (others == row).mean(axis=0) / 2  # (d,)
    dimensions = sorted(
        model.bundle.concepts[concept].dimensions,
        key=lambda dimension: (-dimension.importance * abs(2 * quantiles[dimension.dim] - 1), dimension.dim),
    )
    return [
        TopDimension(
            dim=dimension.dim,
            id=dimension.id,
            value=float(row[dimension.dim]),
            quantile=float(quantiles[dimension.dim]),
            importance=dimension.importance,
            low=dimension.low.label,
            high=dimension.high.label,
        )
        for dimension in dimensions[:n]
    ]


def walked_fields(model: LoadedModel, concept: int, dim: int, found: Walk) -> dict[str, object]:
    """Return the fields that the answers about walks share, wherever they start."""
    ends = model.dimension(concept, dim)
    items = summaries(model, [step.item for step in found.steps])
    return {
        "model_version": model.version,
        "concept": concept,
        "dim": dim,
        "range": bounded(found.range.used),
        "range_source": found.range.source,
        "prototype_range": unbounded(found.range.prototype),
        "items_range": bounded(found.range.items),
        "start": WalkStart(value=found.start_value, step=found.start_step),
        "low_label": ends.low.label,
        "high_label": ends.high.label,
        "gamma": found.gamma,
        "objective": found.objective,
        "steps": [
            WalkStep(
                step=number,
                low=step.edges.low,
                high=step.edges.high,
                value=step.value,
                similarity=step.similarity,
                item=stop,
            )
            for number, (step, stop) in enumerate(zip(found.steps, items, strict=True))
        ],
    }


def controls_fields(model: LoadedModel, controls: Sequence[Control]) -> list[dict[str, object]]:
    """Return the controls of a component as they are answered."""
    shown = [item for control in controls for item in (control.low_item, control.high_item) if item is not None]
    by_index = dict(zip(shown, summaries(model, shown), strict=True))
    return [
        {
            "dim": control.dimension.dim,
            "id": control.dimension.id,
            "low_label": control.dimension.low.label,
            "high_label": control.dimension.high.label,
            "strength": control.dimension.strength,
            "value": control.value,
            "quantile": control.quantile,
            "range": bounded(control.range.used),
            "range_source": control.range.source,
            "effect": control.effect,
            "low_item": None if control.low_item is None else by_index[control.low_item],
            "high_item": None if control.high_item is None else by_index[control.high_item],
        }
        for control in controls
    ]


def bounded(interval: Interval) -> BoundedRange:
    """Return an interval with two ends."""
    return BoundedRange(low=interval.low, high=interval.high)


def unbounded(interval: Interval | None) -> Range:
    """Return an interval that may lack ends; JSON knows no infinity, so a missing end is null."""
    if interval is None:
        return Range(low=None, high=None)
    low, high = (end if math.isfinite(end) else None for end in (interval.low, interval.high))
    return Range(low=low, high=high)


class Exemplars:
    """The exemplar items of some concepts and dimensions, fetched from the catalogue in one go."""

    def __init__(self, model: LoadedModel, item_ids: Iterable[str]) -> None:
        indices = model.bundle.catalogue.indices(list(dict.fromkeys(item_ids)))
        found = summaries(model, list(indices.values()))
        self._by_id = {item.item_id: item for item in found}

    def first(self, item_ids: Sequence[str], n: int) -> list[ItemSummary]:
        """Return the first n of these exemplars; a bundle that opens holds them all."""
        return [self._by_id[item_id] for item_id in item_ids[:n]]


def concept_fields(concept: Concept, exemplars: Exemplars) -> dict[str, object]:
    """Return the fields of a `ConceptSummary`, for it and for the answers that extend it."""
    return {
        "concept": concept.index,
        "id": concept.id,
        "label": concept.label,
        "size": concept.size,
        "exemplars": exemplars.first(concept.exemplars, CONCEPT_EXEMPLARS),
    }


def concept_summaries(model: LoadedModel) -> list[ConceptSummary]:
    """Return all concepts, in the order of their numbers."""
    concepts = model.bundle.concepts
    exemplars = Exemplars(model, (item_id for concept in concepts for item_id in concept.exemplars[:CONCEPT_EXEMPLARS]))
    return [ConceptSummary.model_validate(concept_fields(concept, exemplars)) for concept in concepts]


def concept_dimensions(concept: Concept, exemplars: Exemplars, ends: int) -> list[ConceptDimension]:
    """Return the dimensions of a concept, most important first, with so many items at each end."""
    return [
        ConceptDimension(
            dim=dimension.dim,
            id=dimension.id,
            importance=dimension.importance,
            strength=dimension.strength,
            low_label=dimension.low.label,
            high_label=dimension.high.label,
            low_exemplars=exemplars.first(dimension.low.exemplars, ends),
            high_exemplars=exemplars.first(dimension.high.exemplars, ends),
        )
        for dimension in concept.dimensions
    ]


def exemplars_of(model: LoadedModel, concept: Concept, ends: int) -> Exemplars:
    """Fetch the exemplars of a concept, and so many of both ends of all its dimensions."""
    item_ids = [*concept.exemplars[:CONCEPT_EXEMPLARS]]
    for dimension in concept.dimensions:
        item_ids.extend((*dimension.low.exemplars[:ends], *dimension.high.exemplars[:ends]))
    return Exemplars(model, item_ids)
