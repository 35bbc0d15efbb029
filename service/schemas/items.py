"""Items: as lists show them, in detail, found, and their neighbours."""

from pydantic import Field

from macrid.service.schemas.base import Answer, Part, Request


class ItemSummary(Part):
    """An item, as lists show it."""

    item_id: str = Field(examples=["bag-0001"])
    """The catalogue's own id: an opaque string."""
    title: str = Field(examples=["Small round bag"])
    """What to call it."""
    image: str | None = Field(examples=["/items/bag-0001/picture"])
    """Address of a picture: a path on this server, an address elsewhere, or null."""
    concept: int = Field(examples=[2])
    """The concept the item belongs to most. In a ranking: the concept that put it there."""
    metadata: dict[str, str | int | float | None] = Field(examples=[{"department": "bags", "price": 49.0}])
    """The catalogue's columns."""


class TopDimension(Part):
    """A dimension on which an item stands out within its concept."""

    dim: int = Field(examples=[17])
    """Number of the dimension, 0-based."""
    id: str = Field(examples=["c2d17"])
    """Stable id of the dimension within its concept."""
    value: float = Field(examples=[0.131])
    """The item's coordinate."""
    quantile: float = Field(examples=[0.92])
    """Share of the concept's items below it, those that are equal counted half."""
    importance: float = Field(examples=[0.08])
    """Share of the concept's score variance that the dimension explains."""
    low: str | None = Field(examples=["small"])
    """Name of the low end, null when the evidence names nothing."""
    high: str | None = Field(examples=["large"])
    """Name of the high end, null when the evidence names nothing."""


class ItemDetail(ItemSummary, Answer):
    """An item with what the model knows of it."""

    popularity: int = Field(examples=[132])
    """How many training users have it."""
    concept_weights: list[float] = Field(examples=[[0.02, 0.01, 0.97]])
    """How much the item belongs to each concept; they sum to 1."""
    top_dimensions: list[TopDimension]
    """At most ten, most telling first: importance times the distance of the quantile from the middle."""


class ItemsQuery(Request):
    """What to look for in the catalogue."""

    q: str = Field(default="", max_length=200, examples=["round bag"])
    """Words to find in titles and metadata, the last one may be unfinished. Empty: all items, most popular first."""
    limit: int = Field(default=20, ge=1, le=100)
    """How many items to return."""
    offset: int = Field(default=0, ge=0, le=1_000_000_000)
    """How many to skip."""


class ItemsFound(Answer):
    """A page of the catalogue."""

    total: int = Field(examples=[57])
    """How many items there are in all."""
    items: list[ItemSummary]
    """This page of them, best first."""


class SimilarQuery(Request):
    """How many neighbours to return."""

    n: int = Field(default=10, ge=1)
    """How many items; at most the server's `max_n`."""


class SimilarItem(ItemSummary):
    """A neighbour."""

    similarity: float = Field(examples=[0.87])
    """Cosine of the two items' embeddings."""


class SimilarItems(Answer):
    """An item's neighbours."""

    item: ItemSummary
    """The item itself."""
    items: list[SimilarItem]
    """Its neighbours, nearest first."""
