"""Walks along a dimension."""

from pydantic import ConfigDict, Field

from macrid.service.schemas.base import Answer, ForModel, ItemId, Part, Request
from macrid.service.schemas.filters import FilterInBody, FilterInQuery
from macrid.service.schemas.items import ItemSummary
from macrid.service.schemas.ranges import BoundedRange, Range, RangeSource
from macrid.service.schemas.users import Component


class WalkOptions(Request):
    """Which way to walk, and how."""

    dim: int = Field(examples=[17])
    """Number of the dimension to walk along, 0-based."""
    steps: int = Field(default=7, ge=1, le=50)
    """How many items to walk over; fewer come back where the concept has fewer different values."""
    beam: int = Field(default=32, ge=1, le=512)
    """How many partial walks are kept after each step: more is slower and better."""
    gamma: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)
    """Weight of the steps' likeness to each other, against their likeness to the start. Default: 1/(steps − 1)."""


class WalkQuery(WalkOptions):
    """Which way to walk from an item, how, and over what."""

    filter: FilterInQuery = Field(default=None, examples=['{"column": "price", "lt": 50}'])
    """A filter (see the schema `Filter`) as JSON text, percent-encoded: which items may be steps. The item itself need not
    meet it."""


class WalkRequest(WalkOptions, ForModel):
    """Whose component to walk from, which way, and how."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={"examples": [{"history": ["bag-0001", "lamp-0042"], "concept": 2, "dim": 17}]},
    )

    history: list[ItemId]
    """Ids of the items the user has clicked. A set: order and repeats change nothing; unknown ids are ignored, but
    at least one must be known. They are not among the steps."""
    concept: int = Field(examples=[2])
    """Number of the concept whose component is the start and whose items are walked, 0-based."""
    filter: FilterInBody | None = Field(default=None, examples=[None])
    """Which items may be steps."""


class WalkStart(Part):
    """Where a walk takes its bearings."""

    value: float = Field(examples=[0.013])
    """The start's own coordinate."""
    step: int | None = Field(examples=[3])
    """The step whose subrange the start falls into; null when it lies outside the walked range."""


class WalkStep(Part):
    """One item of a walk."""

    step: int = Field(examples=[0])
    """Number of the step, 0-based."""
    low: float = Field(examples=[-0.18])
    """Lower edge of the subrange."""
    high: float = Field(examples=[-0.12])
    """Upper edge of the subrange."""
    value: float = Field(examples=[-0.151])
    """The item's coordinate, within the edges."""
    similarity: float = Field(examples=[0.91])
    """Cosine to the start, both without the walked coordinate."""
    item: ItemSummary
    """The item."""


class Walked(Answer):
    """Items that resemble a start and move along one dimension."""

    concept: int = Field(examples=[2])
    """The concept whose items are walked."""
    dim: int = Field(examples=[17])
    """The dimension that is walked."""
    range: BoundedRange
    """What is walked."""
    range_source: RangeSource
    """What limits the range: the prototype and the concept's items together, or the items alone (where another
    prototype is nearer at the start)."""
    prototype_range: Range
    """Where the concept's prototype stays the nearest. Both ends null: nothing limits it, or it is nowhere nearest."""
    items_range: BoundedRange
    """Where the concept's items are."""
    start: WalkStart
    """Where the walk takes its bearings."""
    low_label: str | None = Field(examples=["small"])
    """Name of the low end."""
    high_label: str | None = Field(examples=["large"])
    """Name of the high end."""
    gamma: float = Field(examples=[0.16666666666666666])
    """The weight that was used, so that the objective can be computed again."""
    objective: float = Field(examples=[8.4])
    """Σ similarity to the start + gamma · Σ similarity of all pairs of steps, without the walked coordinate."""
    steps: list[WalkStep]
    """The items, coordinates strictly increasing."""


class WalkAnswer(Walked):
    """A walk from an item."""

    item: ItemSummary
    """The item the walk starts from; it is not among the steps."""


class ComponentWalk(Walked):
    """A walk from a user's component."""

    component: Component
    """The component the walk starts from."""
