"""Errors, as RFC 9457 writes them."""

from typing import Literal

from pydantic import Field

from macrid.service.schemas.base import Part


class FieldError(Part):
    """What is wrong with one field."""

    place: Literal["body", "query", "path"] = Field(examples=["body"])
    """Where the field is."""
    field: str = Field(examples=["history[3]"])
    """Which field; empty for the body as a whole."""
    message: str = Field(examples=["input should be a valid string"])
    """What is wrong with it."""


class Problem(Part):
    """An error, as RFC 9457 writes it."""

    type: str = Field(examples=["urn:macrid:problem:unknown-item"])
    """What kind of error, for programs."""
    title: str = Field(examples=["Unknown item"])
    """What kind of error, for people."""
    status: int = Field(examples=[404])
    """The HTTP status."""
    detail: str = Field(examples=["no item has the id 'bag-9999'"])
    """What happened this time, and what was expected."""
    errors: list[FieldError] | None = None
    """The fields that are wrong, when that is the error."""
    model_version: str | None = None
    """Version of the model that was asked, when one was."""
