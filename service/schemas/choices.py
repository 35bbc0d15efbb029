"""Questions that start a history."""

from pydantic import Field

from macrid.service.schemas.base import Answer, Part
from macrid.service.schemas.items import ItemSummary


class ChoiceSide(Part):
    """One of two sets of items."""

    label: str | None = Field(examples=["bags"])
    """What the items have in common: the name of their concept, or of their end of the dimension; null when it has none."""
    concept: int = Field(examples=[2])
    """Number of the concept they belong to, 0-based."""
    items: list[ItemSummary]
    """Three items, as popular on both sides as the pools allow, the most popular first. To choose this side is to click them."""


class Choice(Part):
    """Two sets of items to choose between."""

    dim: int | None = Field(examples=[None])
    """Number of the dimension whose two ends the sides show; null when they show two concepts."""
    sides: list[ChoiceSide] = Field(min_length=2, max_length=2)
    """Both sides; of a dimension the low end first."""


class Choices(Answer):
    """Questions to begin with."""

    choices: list[Choice]
    """Pairs of concepts, the largest first; then, for each concept, the two ends of the dimension that is named best."""
