"""Ranges of a coordinate: of a walk, of a dimension that is turned."""

from typing import Literal

from pydantic import Field

from macrid.service.schemas.base import Part

RangeSource = Literal["prototype_and_items", "items"]


class Range(Part):
    """A closed range of a coordinate's values; null where it has no end."""

    low: float | None = Field(examples=[-0.21])
    """Lower end, null if there is none."""
    high: float | None = Field(examples=[0.19])
    """Upper end, null if there is none."""


class BoundedRange(Part):
    """A closed range of a coordinate's values."""

    low: float = Field(examples=[-0.18])
    """Lower end."""
    high: float = Field(examples=[0.16])
    """Upper end."""
