"""Steering a recommendation: what a person may ask for, and what became of it. docs/steering.md has the formulas."""

from typing import Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from macrid.service.schemas.base import ItemId, Part, Request
from macrid.service.schemas.items import ItemSummary
from macrid.service.schemas.ranges import BoundedRange


class ConceptWeight(Request):
    """How much a concept counts."""

    model_config = ConfigDict(strict=True)

    concept: int = Field(examples=[2])
    """Number of the concept, 0-based."""
    weight: float = Field(ge=0, le=100, allow_inf_nan=False, examples=[0.5])
    """Multiplies the concept's term in every score: 0 mutes it, 1 changes nothing, more than 1 strengthens it."""


class Adjustment(Request):
    """One dimension of a component, set to a value: exactly one of `value`, `shift`, `quantile`."""

    model_config = ConfigDict(strict=True)

    concept: int = Field(examples=[2])
    """Number of the concept whose component is meant, 0-based."""
    dim: int = Field(examples=[17])
    """Number of the dimension, 0-based."""
    value: float | None = Field(default=None, allow_inf_nan=False, examples=[0.12])
    """The coordinate to set."""
    shift: float | None = Field(default=None, allow_inf_nan=False, examples=[None])
    """What to add to the component's own coordinate."""
    quantile: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False, examples=[None])
    """The coordinate to set, as a quantile of the concept's items."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Adjustment":
        if sum(amount is not None for amount in (self.value, self.shift, self.quantile)) != 1:
            raise PydanticCustomError("exactly_one", "exactly one of value, shift and quantile must be given")
        return self


class Critique(Request):
    """Like this item, but more or less of something. The item also counts as liked."""

    model_config = ConfigDict(strict=True)

    item: ItemId = Field(examples=["bag-0001"])
    """Id of a known item; the component of its concept is meant."""
    dim: int = Field(examples=[17])
    """Number of the dimension, 0-based."""
    direction: Literal["more", "less"]
    """Whether the component's coordinate shall be at least a step above the item's, or at most a step below it. A step
    is 15 % of the concept's items."""


class AppliedEdit(Part):
    """What became of a dimension that was adjusted or criticised."""

    dim: int = Field(examples=[17])
    """Number of the dimension, 0-based."""
    id: str = Field(examples=["c2d17"])
    """Stable id of the dimension within its concept."""
    low_label: str | None = Field(examples=["small"])
    """Name of the low end."""
    high_label: str | None = Field(examples=["large"])
    """Name of the high end."""
    before: float = Field(examples=[-0.041])
    """The component's coordinate without steering."""
    requested: float = Field(examples=[0.2])
    """The coordinate that was asked for, before it was cut to the range."""
    applied: float = Field(examples=[0.152])
    """The coordinate of the component that ranked: cut to the range, scaled, and normalised with all others."""
    quantile_before: float = Field(examples=[0.31])
    """Share of the concept's items below `before`, those that are equal counted half."""
    quantile_applied: float = Field(examples=[0.98])
    """The same of `applied`."""
    range: BoundedRange
    """What the request was cut to."""
    range_source: Literal["prototype_and_items", "items"]
    """What limits the range: the prototype and the concept's items together, or the items alone (where another
    prototype is nearer to the component)."""


class SteeredComponent(Part):
    """What became of a component."""

    concept: int = Field(examples=[2])
    """Number of the concept, 0-based."""
    id: str = Field(examples=["c2"])
    """Stable id of the concept."""
    scale: float = Field(examples=[1.0])
    """The share of the way to the target that was gone: 1, or the most that stays in the concept."""
    edits: list[AppliedEdit]
    """Dimensions that were adjusted or criticised, ascending; empty where the component only moved away from items."""


class ItemThatLeft(ItemSummary):
    """An item that was recommended without steering and is not with it. Its concept is the one that had put it there."""

    rank_before: int = Field(examples=[4])
    """Its rank without steering, 1-based."""


class Steering(Part):
    """What was asked for, what was applied, and what it moved."""

    components: list[SteeredComponent]
    """Components that were meant, in the order of their concepts."""
    weights: list[ConceptWeight]
    """Concept weights that were given, in the order of the concepts; all others are 1."""
    entered: list[str] = Field(examples=[["bag-0031"]])
    """Ids of items of this answer that were not among the first offset + n without steering, best first."""
    left: list[ItemThatLeft]
    """Items that were among the first offset + n without steering and are not among them with it, best first."""
