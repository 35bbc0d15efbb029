"""Why an item was recommended.

An answer of twenty items has some three hundred of these parts. So they are plain dataclasses with slots, made without
validation: as pydantic models, each with a dictionary and a set of its own, they took four times as long and seven times
the memory. What is read from JSON, in the client, is validated as ever.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from macrid.service.schemas.items import ItemSummary

DESCRIBED = ConfigDict(use_attribute_docstrings=True)


@dataclass(slots=True)
class ConceptShare:
    """What a concept contributes to an item's score."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    concept: Annotated[int, Field(examples=[2])]
    """Number of the concept, 0-based."""
    label: Annotated[str, Field(examples=["bags"])]
    """Name of the concept."""
    share: Annotated[float, Field(examples=[0.93])]
    """Its part of Σ_k ω_k c_k · exp(cos(component k, item) / temperature); all concepts' shares sum to 1."""


@dataclass(slots=True)
class SpeakingClick:
    """A click that speaks for an item."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    item: ItemSummary
    """What was clicked, or liked."""
    contribution: Annotated[float, Field(examples=[0.41])]
    """How much the item's score would fall if this click had not happened: the history is encoded again without it.
    Not a share: contributions do not sum to the score, and two clicks that say the same each contribute little. Liked
    items count as clicks, disliked ones as none; weights of concepts count; other alterations of components do not."""


@dataclass(slots=True)
class AgreeingDimension:
    """A dimension on which an item and the component that put it there agree."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    dim: Annotated[int, Field(examples=[17])]
    """Number of the dimension, 0-based."""
    id: Annotated[str, Field(examples=["c2d17"])]
    """Stable id of the dimension within its concept."""
    low_label: Annotated[str | None, Field(examples=["small"])]
    """Name of the low end, null when the evidence names nothing."""
    high_label: Annotated[str | None, Field(examples=["large"])]
    """Name of the high end, null when the evidence names nothing."""
    item_value: Annotated[float, Field(examples=[0.31])]
    """The item's coordinate."""
    component_value: Annotated[float, Field(examples=[0.28])]
    """The component's coordinate."""
    contribution: Annotated[float, Field(examples=[0.0868])]
    """Their product: the dimension's part of the cosine of component and item."""


@dataclass(slots=True)
class Why:
    """Why an item stands in a ranking."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    shares: list[ConceptShare]
    """Every concept's share of the score, largest first."""
    clicks: list[SpeakingClick]
    """At most three clicks that speak for the item, strongest first; none when no click does. Of a history of more than
    200 known items, the 100 that promise most are weighed."""
    dimensions: list[AgreeingDimension]
    """At most four dimensions on which the item agrees with the component of its concept, largest part first."""
