"""The map of items, and where a user stands on it."""

import struct
from base64 import b64decode
from collections.abc import Iterator

from pydantic import ConfigDict, Field

from macrid.service.schemas.base import Answer, ForModel, ItemId, Part, Request
from macrid.service.schemas.steering import Adjustment
from macrid.service.schemas.users import Component


class MapQuery(Request):
    """How much of the map to return."""

    limit: int = Field(default=100_000, ge=1, le=200_000)
    """How many items at most. Of a larger catalogue each concept keeps its share, with its most popular items."""


class Place(Part):
    """A place on the map."""

    x: float = Field(examples=[0.61])
    """From 0 to 1."""
    y: float = Field(examples=[0.27])
    """From 0 to 1, to the same scale."""


class PlacedConcept(Place):
    """A concept's prototype on the map."""

    concept: int = Field(examples=[2])
    """Number of the concept, 0-based."""
    label: str = Field(examples=["bags"])
    """Name of the concept."""


class ItemsOnMap(Answer):
    """Where items lie: near ones are alike. Only nearness means anything; the axes have no names.

    Each of the three columns has one entry for each item, in the same order.
    """

    total: int = Field(examples=[2000])
    """How many items the model knows."""
    item_ids: list[str] = Field(examples=[["bag-0001", "lamp-0042"]])
    """Ids of the items that are shown, most popular first."""
    places: str = Field(examples=["AAD//wCAAIA="])
    """Base64 of x and y of each item: whole numbers of two bytes, the lower byte first, to be divided by 65535."""
    concepts: str = Field(examples=["AQAFAA=="])
    """Base64 of the concept of each item, to which it belongs most: whole numbers of two bytes, the lower byte first."""
    prototypes: list[PlacedConcept]
    """Each concept's prototype, in the order of the concepts, drawn at the mean of the places of its eight nearest items, weighed
    by exp(cosine / temperature). A projection knows places of items only: this says where its like are, and nothing finer."""

    def points(self) -> Iterator[tuple[str, int, float, float]]:
        """Yield item id, concept, x and y of each item."""
        places = struct.iter_unpack("<HH", b64decode(self.places))
        concepts = struct.iter_unpack("<H", b64decode(self.concepts))
        for item_id, (x, y), (concept,) in zip(self.item_ids, places, concepts, strict=True):
            yield item_id, concept, x / 65535, y / 65535


class MapRequest(ForModel):
    """Whom to place on the map. `adjust`, `liked` and `disliked` mean what they do in `POST /recommend`."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={"examples": [{"history": ["bag-0001", "lamp-0042"]}]},
    )

    history: list[ItemId]
    """Ids of the items the user has clicked. A set: order and repeats change nothing; unknown ids are reported back."""
    adjust: list[Adjustment] = Field(default=[], max_length=200, examples=[[]])
    """Dimensions of components to set, each named once."""
    liked: list[ItemId] = Field(default=[])
    """Ids of items to add to the history; as many as a history may hold."""
    disliked: list[ItemId] = Field(default=[])
    """Ids of items to take out of the history and to move away from; as many as a history may hold."""


class PlacedComponent(Component, Place):
    """A component on the map: at the mean of the places of its eight nearest items of its concept, as a prototype is."""


class PlacedItem(Place):
    """An item on the map."""

    item_id: str = Field(examples=["bag-0001"])
    """Id of the item."""


class UserOnMap(Answer):
    """Where a user stands on the map."""

    unknown_items: list[str]
    """Ids of the history, liked or disliked that the model does not know, in the order they were sent."""
    components: list[PlacedComponent]
    """One for each concept, in the order of the concepts, where adjusting has moved it; empty when no id is known."""
    clicks: list[PlacedItem]
    """The known items of the history, with what is liked and without what is disliked, in the order of the catalogue."""
