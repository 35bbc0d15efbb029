"""The map: where items lie, as the trainer placed them, and where prototypes and components are drawn among them.

Stands between `recommender` and the places that a bundle holds. A prototype or a component has no place of its own: the
projection knows items only. It is drawn at the weighted mean of the places of the items nearest to it, which says where
on the map its like are, and nothing finer.
"""

from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from macrid.artifacts.schema import Float32Array
from macrid.service.arrays import Float64Array, Int64Array
from macrid.service.loaded_model import LoadedModel
from macrid.service.presentation import component_fields
from macrid.service.schemas import (
    ItemsOnMap,
    MapRequest,
    PlacedComponent,
    PlacedConcept,
    PlacedItem,
    RecommendRequest,
    UserOnMap,
)
from macrid.service.steering import alter_components, plan_steering

# Enough that one odd item does not decide, few enough that they lie together.
NEAREST = 8


@dataclass(frozen=True, eq=False)
class ItemMap:
    """The items of a model on a square.

    Attributes:
        model: whose items they are.
        item_places: (M, 2) as the bundle holds them.
    """

    model: LoadedModel
    item_places: Float32Array

    @cached_property
    def places(self) -> Float64Array:
        """(M, 2) x and y in [0, 1], both axes to the same scale; what is narrower lies in the middle."""
        low, high = self.item_places.min(axis=0), self.item_places.max(axis=0)
        extent = max(float((high - low).max()), np.finfo(np.float64).tiny)
        return np.asarray(0.5 + (self.item_places.astype(np.float64) - (low + high) / 2) / extent)

    @cached_property
    def prototype_places(self) -> Float64Array:
        """(K, 2)."""
        prototypes = self.model.bundle.prototypes
        return np.stack([self.place_among(concept, vector) for concept, vector in enumerate(prototypes)])

    def place_among(self, concept: int, vector: Float32Array) -> Float64Array:
        """Return where a vector is drawn: the mean of the places of its NEAREST items of a concept, x and y.

        Items weigh exp(cosine / temperature), as their scores do. A concept without items is drawn among all.

        Args:
            concept: whose items count.
            vector: (d,), a unit vector.
        """
        members = self.model.members(concept)
        rows = members if len(members) else np.arange(len(self.item_places))
        cosines = self.model.item_embeddings[rows] @ vector  # (n,)
        nearest = np.argsort(-cosines, kind="stable")[:NEAREST]
        weights = np.exp((cosines[nearest] - cosines[nearest[0]]) / self.model.bundle.manifest.temperature)
        place: Float64Array = weights @ self.places[rows[nearest]] / weights.sum()
        return place

    def shown(self, limit: int) -> Int64Array:
        """Return the items to draw where no more than `limit` may be: item indices, most popular first.

        Each concept keeps its share, with its most popular items: those come first of which the concept has fewest that are
        more popular, in proportion to its size.
        """
        order = self.model.by_popularity  # (M,)
        if len(order) <= limit:
            return order
        concepts = self.model.main_concepts[order]
        by_concept = np.argsort(concepts, kind="stable")
        sizes = np.bincount(concepts)
        ranks = np.empty(len(order))
        ranks[by_concept] = np.concatenate([(np.arange(size) + 0.5) / size for size in sizes])
        return order[np.sort(np.argsort(ranks, kind="stable")[:limit])]


def items_on_map(chart: ItemMap, limit: int) -> ItemsOnMap:
    """Return where items lie, at most `limit` of them, and each concept's prototype among them."""
    model, shown = chart.model, chart.shown(limit)
    return ItemsOnMap(
        model_version=model.version,
        total=len(model.by_popularity),
        item_ids=model.bundle.catalogue.item_ids(shown.tolist()),
        places=packed(np.rint(chart.places[shown] * 65535)),
        concepts=packed(model.main_concepts[shown]),
        prototypes=[
            PlacedConcept(concept=concept.index, label=concept.label, x=x, y=y)
            for concept, (x, y) in zip(model.bundle.concepts, chart.prototype_places.tolist(), strict=True)
        ],
    )


def user_on_map(chart: ItemMap, request: MapRequest, history: Int64Array, unknown: list[str]) -> UserOnMap:
    """Return where a user's components are drawn, and the items they come from.

    Args:
        chart: the map.
        request: what is adjusted, liked and disliked.
        history: item indices of its history, sorted.
        unknown: ids of its history that are not known.

    Raises:
        InvalidError: a wish to steer cannot be understood, see `plan_steering`.
    """
    model = chart.model
    wish = RecommendRequest(history=[], adjust=request.adjust, liked=request.liked, disliked=request.disliked)
    plan = plan_steering(model, wish)
    clicks = np.setdiff1d(np.union1d(history, plan.liked), plan.disliked)
    components = []
    if len(clicks):
        encoding = model.encoder.encode(clicks)
        altered, _ = alter_components(model, encoding.components, plan)
        fields = component_fields(model, encoding)
        components = [
            PlacedComponent.model_validate({**fields[k], **place_fields(chart.place_among(k, component))})
            for k, component in enumerate(altered)
        ]
    places = zip(model.bundle.catalogue.item_ids(clicks.tolist()), chart.places[clicks], strict=True)
    return UserOnMap(
        model_version=model.version,
        unknown_items=list(dict.fromkeys([*unknown, *plan.unknown])),
        components=components,
        clicks=[PlacedItem.model_validate({"item_id": item_id, **place_fields(place)}) for item_id, place in places],
    )


def place_fields(place: Float64Array) -> dict[str, float]:
    """Return the fields of a `Place`."""
    x, y = place.tolist()
    return {"x": x, "y": y}


def packed(numbers: Float64Array | Int64Array) -> str:
    """Return whole numbers as Base64 of two bytes each, the lower byte first."""
    return b64encode(numbers.astype("<u2").tobytes()).decode()
