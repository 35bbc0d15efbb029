"""Why an item was recommended."""

from pydantic import Field

from macrid.service.schemas.base import Part
from macrid.service.schemas.items import ItemSummary


class ConceptShare(Part):
    """What a concept contributes to an item's score."""

    concept: int = Field(examples=[2])
    """Number of the concept, 0-based."""
    label: str = Field(examples=["bags"])
    """Name of the concept."""
    share: float = Field(examples=[0.93])
    """Its part of Σ_k ω_k c_k · exp(cos(component k, item) / temperature); all concepts' shares sum to 1."""


class SpeakingClick(Part):
    """A click that speaks for an item."""

    item: ItemSummary
    """What was clicked, or liked."""
    contribution: float = Field(examples=[0.41])
    """How much the item's score would fall if this click had not happened: the history is encoded again without it.
    Not a share: contributions do not sum to the score, and two clicks that say the same each contribute little. Liked
    items count as clicks, disliked ones as none; weights of concepts count; other alterations of components do not."""


class AgreeingDimension(Part):
    """A dimension on which an item and the component that put it there agree."""

    dim: int = Field(examples=[17])
    """Number of the dimension, 0-based."""
    id: str = Field(examples=["c2d17"])
    """Stable id of the dimension within its concept."""
    low_label: str | None = Field(examples=["small"])
    """Name of the low end, null when the evidence names nothing."""
    high_label: str | None = Field(examples=["large"])
    """Name of the high end, null when the evidence names nothing."""
    item_value: float = Field(examples=[0.31])
    """The item's coordinate."""
    component_value: float = Field(examples=[0.28])
    """The component's coordinate."""
    contribution: float = Field(examples=[0.0868])
    """Their product: the dimension's part of the cosine of component and item."""


class Why(Part):
    """Why an item stands in a ranking."""

    shares: list[ConceptShare]
    """Every concept's share of the score, largest first."""
    clicks: list[SpeakingClick]
    """At most three clicks that speak for the item, strongest first; none when no click does. Of a history of more than
    200 known items, the 100 that promise most are weighed."""
    dimensions: list[AgreeingDimension]
    """At most four dimensions on which the item agrees with the component of its concept, largest part first."""
