"""What a user can turn."""

from pydantic import ConfigDict, Field

from macrid.service.schemas.base import Answer, ForModel, ItemId, Part
from macrid.service.schemas.filters import FilterInBody
from macrid.service.schemas.items import ItemSummary
from macrid.service.schemas.ranges import BoundedRange, RangeSource
from macrid.service.schemas.users import Component


class ControlsRequest(ForModel):
    """Whose controls, and how many."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={"examples": [{"history": ["bag-0001", "lamp-0042"], "dimensions": 3}]},
    )

    history: list[ItemId]
    """Ids of the items the user has clicked. A set: order and repeats change nothing; unknown ids are reported back."""
    n: int = Field(default=20, ge=1)
    """How many recommended items the effect is measured on; at most the server's `max_n`."""
    dimensions: int = Field(default=5, ge=1, le=50)
    """How many dimensions of each component to return."""
    filter: FilterInBody | None = Field(default=None, examples=[None])
    """Which items the effect is measured on and the previews are taken from."""


class Control(Part):
    """A dimension of a component that can be turned, with what that would do."""

    dim: int = Field(examples=[17])
    """Number of the dimension, 0-based."""
    id: str = Field(examples=["c2d17"])
    """Stable id within the concept."""
    low_label: str | None = Field(examples=["small"])
    """Name of the low end."""
    high_label: str | None = Field(examples=["large"])
    """Name of the high end."""
    strength: float = Field(examples=[0.74])
    """How well its ends' names fit: |rank correlation| with the column they come from; 0 when unnamed."""
    value: float = Field(examples=[0.013])
    """The component's coordinate."""
    quantile: float = Field(examples=[0.62])
    """Share of the concept's items whose coordinate is lower, equal ones counted half."""
    range: BoundedRange
    """How far it can be turned: `adjust` of `POST /recommend` takes values from here."""
    range_source: RangeSource
    """What limits the range: the prototype and the concept's items together, or the items alone (where another
    prototype is nearer to the component)."""
    effect: float = Field(examples=[0.35])
    """Share of the top n that is replaced when the dimension goes from one end of its range to the other."""
    low_item: ItemSummary | None
    """An item that shows the low end: the best-ranked one that this concept would put there and that is not in the top n
    at the other end; where there is none, the concept's item nearest to the component at this end. Null when the filter
    allows no item of the concept."""
    high_item: ItemSummary | None
    """The same for the high end."""


class TurnableComponent(Component):
    """A component and what can be turned in it."""

    dimensions: list[Control]
    """Largest effect first."""


class Controls(Answer):
    """What a user can turn."""

    unknown_items: list[str]
    """Ids of the history that the model does not know, in the order they were sent."""
    components: list[TurnableComponent]
    """Those with evidence, in the order of the concepts: at least one item of the history belongs to the concept more
    than to any other. Empty when no id of the history is known."""
