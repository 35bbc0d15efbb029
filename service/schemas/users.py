"""Answers about a user: recommendations, and the components they rest on."""

from typing import Literal

from pydantic import ConfigDict, Field

from macrid.service.schemas.base import Answer, ForModel, ItemId, Part
from macrid.service.schemas.explanations import Why
from macrid.service.schemas.filters import FilterInBody
from macrid.service.schemas.items import ItemSummary
from macrid.service.schemas.steering import Adjustment, ConceptWeight, Critique, Steering

RankerUsed = Literal["exact", "by_concept", "popularity"]


class RecommendRequest(ForModel):
    """Whom to recommend to, and how much; and, if the person steers, what to change about it.

    `concepts`, `adjust`, `critiques`, `liked` and `disliked` steer: together, in any order, and not at all when empty.
    """

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={"examples": [{"history": ["bag-0001", "lamp-0042"], "n": 5}]},
    )

    history: list[ItemId]
    """Ids of the items the user has clicked. A set: order and repeats change nothing; unknown ids are reported back."""
    n: int = Field(default=20, ge=1)
    """How many items to return; at most the server's `max_n`."""
    offset: int = Field(default=0, ge=0, le=10_000)
    """How many of the best to skip. Pages of the same request, from the same model version, fit together."""
    exclude: list[ItemId] = Field(default=[])
    """Ids of items that must not be returned."""
    exclude_history: bool = True
    """Whether items of the history are left out, liked and criticised ones with them."""
    filter: FilterInBody | None = Field(default=None, examples=[None])
    """Which items may be returned, by the catalogue's columns. It is part of the search: n items come back where n are
    allowed."""
    min_score: float | None = Field(default=None, allow_inf_nan=False, examples=[None])
    """The least score of an item that may be returned. A ranking by popularity has no scores and ignores it."""
    per_concept: int | None = Field(default=None, ge=1, examples=[None])
    """The most items that one concept may put there, on all pages together."""
    diversity: float = Field(default=0.0, ge=0, le=1, allow_inf_nan=False)
    """How much it counts against an item that it is like one placed before: 0 is the ranking by score, 1 looks for nothing but
    difference. Each place is filled from the 200 items with the highest scores that are left. Ignored in a ranking by
    popularity."""
    concepts: list[ConceptWeight] = Field(default=[], max_length=1000, examples=[[]])
    """Concepts to mute or to strengthen, each named once."""
    adjust: list[Adjustment] = Field(default=[], max_length=200, examples=[[]])
    """Dimensions of components to set, each named once. Values are cut to the dimension's range; where all together leave
    the concept, all are scaled down alike."""
    critiques: list[Critique] = Field(default=[], max_length=200, examples=[[]])
    """Items that are nearly right, and what they should have more or less of."""
    liked: list[ItemId] = Field(default=[])
    """Ids of items to add to the history; as many as a history may hold."""
    disliked: list[ItemId] = Field(default=[])
    """Ids of items to take out of the history, to move away from and never to return; as many as a history may hold."""
    explain: bool = False
    """Whether each item says why it is there."""


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
    """log Σ_k ω_k · c_k · exp(cos(component k, item) / temperature), every concept weight ω_k being 1 unless the request
    says otherwise; null in a ranking by popularity."""
    rank_before: int | None = Field(examples=[None])
    """Its rank without steering, 1-based: in the answer to the same request with nothing liked, disliked, criticised,
    adjusted or weighed. Null when the request did not steer, or when it was not among the first max(offset + n, 100) then."""
    why: Why | None = None
    """Why it is there, when the request asked for that; null otherwise, and in a ranking by popularity."""


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
    """Ids of the history, liked or disliked that the model does not know, in the order they were sent."""
    components: list[Component]
    """One for each concept, in the order of the concepts; empty in a fallback. Of the history with what is liked and
    without what is disliked, before any of them is adjusted."""
    items: list[RankedItem]
    """Best first; with `diversity`, in the order of their places. Fewer than n only when no more are left."""
    ranking: RankingUsed
    """How they were ranked."""
    steering: Steering | None
    """What became of the wish to steer; null when there was none, and in a fallback, which has nothing to steer."""


class BatchRequest(ForModel):
    """Whom to recommend to, many at once."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"examples": [{"histories": [["bag-0001", "lamp-0042"], ["hat-0003"]], "n": 5}]}
    )

    histories: list[list[ItemId]] = Field(min_length=1, max_length=1000)
    """For each user the ids of the items clicked, as in `POST /recommend`."""
    n: int = Field(default=20, ge=1)
    """How many items to return to each; at most the server's `max_n`, and 20,000 to all users together."""
    exclude_history: bool = True
    """Whether items of a user's history are left out for that user."""


class UserRecommendations(Part):
    """Ranked items for one user."""

    fallback: Literal["popular"] | None
    """"popular" when no id of the history is known and the items are simply the most popular ones."""
    unknown_items: list[str]
    """Ids of the history that the model does not know, in the order they were sent."""
    items: list[RankedItem]
    """Best first. Fewer than n only when no more are left."""


class BatchRecommendations(Answer):
    """Ranked items for each user; proved to be what scoring every item gives, because that is how they are found."""

    users: list[UserRecommendations]
    """One for each history, in the order they were sent."""


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
