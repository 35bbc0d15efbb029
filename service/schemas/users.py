"""Answers about a user: recommendations, and the components they rest on."""

from typing import Literal

from pydantic import ConfigDict, Field

from macrid.service.schemas.base import Answer, ForModel, ItemId, Part
from macrid.service.schemas.items import ItemSummary

RankerUsed = Literal["exact", "by_concept", "popularity"]


class RecommendRequest(ForModel):
    """Whom to recommend to, and how much."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={"examples": [{"history": ["bag-0001", "lamp-0042"], "n": 5}]},
    )

    history: list[ItemId]
    """Ids of the items the user has clicked. A set: order and repeats change nothing; unknown ids are reported back."""
    n: int = Field(default=20, ge=1)
    """How many items to return; at most the server's `max_n`."""
    exclude: list[ItemId] = Field(default=[])
    """Ids of items that must not be returned."""
    exclude_history: bool = True
    """Whether items of the history are left out."""


class Component(Part):
    """What a history says of a user within one concept."""

    concept: int = Field(examples=[2])
    """Number of the concept, 0-based."""
    id: str = Field(examples=["c2"])
    """Stable id of the concept."""
    label: str = Field(examples=["bags"])
    """Name of the concept."""
    confidence: float = Field(examples=[1.94])
    """Sum of the history's concept weights: how much of it belongs to the concept."""
    share: float = Field(examples=[0.65])
    """The confidence as a share of all concepts' confidences."""


class RankedItem(ItemSummary):
    """A recommended item."""

    rank: int = Field(examples=[1])
    """Place in the ranking, 1-based."""
    score: float | None = Field(examples=[7.31])
    """log Σ_k c_k · exp(cos(component k, item) / temperature); null in a ranking by popularity."""


class RankingUsed(Part):
    """How the items were ranked."""

    ranker: RankerUsed
    """Which ranker: every item, the index by concept, or popularity."""
    certified: bool
    """Whether the answer is proved to be what scoring every item gives."""


class Recommendations(Answer):
    """Ranked items for a user, and what the ranking rests on."""

    fallback: Literal["popular"] | None
    """"popular" when no id of the history is known and the items are simply the most popular ones."""
    unknown_items: list[str]
    """Ids of the history that the model does not know, in the order they were sent."""
    components: list[Component]
    """One for each concept, in the order of the concepts; empty in a fallback."""
    items: list[RankedItem]
    """Best first. Fewer than n only when no more are left."""
    ranking: RankingUsed
    """How they were ranked."""


class EncodeRequest(ForModel):
    """Whom to encode."""

    model_config = ConfigDict(strict=True, json_schema_extra={"examples": [{"history": ["bag-0001", "lamp-0042"]}]})

    history: list[ItemId]
    """Ids of the items the user has clicked. A set: order and repeats change nothing; unknown ids are reported back."""


class EncodedComponent(Component):
    """A component with its vector."""

    vector: list[float] = Field(examples=[[0.12, -0.05]])
    """The user's unit vector for this concept."""


class Encoded(Answer):
    """A history as the model sees it."""

    unknown_items: list[str]
    """Ids of the history that the model does not know, in the order they were sent."""
    components: list[EncodedComponent]
    """One for each concept, in the order of the concepts; empty when no id of the history is known."""
