"""Concepts and their dimensions."""

from pydantic import Field

from macrid.service.schemas.base import Answer, Part, Request
from macrid.service.schemas.items import ItemSummary

END_EXEMPLARS = 3


class ConceptSummary(Part):
    """A concept: a group of items the model found."""

    concept: int = Field(examples=[2])
    """Number of the concept, 0-based."""
    id: str = Field(examples=["c2"])
    """Stable id."""
    label: str = Field(examples=["bags"])
    """Name."""
    size: int = Field(examples=[287])
    """How many items belong to it more than to any other."""
    exemplars: list[ItemSummary]
    """At most six items that show it best."""


class Concepts(Answer):
    """All concepts."""

    concepts: list[ConceptSummary]
    """In the order of their numbers."""


class ConceptQuery(Request):
    """How much to return of a concept."""

    exemplars: int = Field(default=END_EXEMPLARS, ge=0, le=END_EXEMPLARS)
    """How many items to show at each end of each dimension, at most; they are most of the answer."""


class ConceptDimension(Part):
    """A dimension as seen from one concept."""

    dim: int = Field(examples=[17])
    """Number of the dimension, 0-based."""
    id: str = Field(examples=["c2d17"])
    """Stable id within the concept."""
    importance: float = Field(examples=[0.08])
    """Share of the concept's score variance that it explains; they sum to 1."""
    strength: float = Field(examples=[0.74])
    """How well its ends' names fit: |rank correlation| with the column they come from; 0 when unnamed."""
    low_label: str | None = Field(examples=["small"])
    """Name of the low end."""
    high_label: str | None = Field(examples=["large"])
    """Name of the high end."""
    low_exemplars: list[ItemSummary]
    """At most so many items at the low end as were asked for."""
    high_exemplars: list[ItemSummary]
    """At most so many items at the high end as were asked for."""


class ConceptDetail(ConceptSummary, Answer):
    """A concept with its dimensions."""

    dimensions: list[ConceptDimension]
    """All of them, most important first."""
