"""What all requests and answers have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Longer than any id a catalogue should hold, short enough that a full history fits the body limit.
MAX_ITEM_ID_LENGTH = 512

ItemId = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ITEM_ID_LENGTH)]


class Request(BaseModel):
    """A request body or query: unknown fields are refused, and "5" is not a number."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class ForModel(Request):
    """A request that means something only to one model: numbers of concepts and dimensions change with every training."""

    model_config = ConfigDict(protected_namespaces=())

    model_version: str | None = Field(default=None, max_length=200, examples=[None])
    """The model version that the request was made for; with another one serving, the answer is 409. Null: any."""


class Part(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(use_attribute_docstrings=True, protected_namespaces=())


class Answer(Part):
    """Something that is answered as a whole."""

    model_version: str = Field(examples=["demo-shop-3f9a1c07be42"])
    """Version of the model that gave this answer."""
