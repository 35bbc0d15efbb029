"""Which items an answer may hold, by the columns of the catalogue: a small typed language. docs/filters.md explains it.

For example {"and": [{"column": "department", "equals": "bags"}, {"not": {"column": "price", "gte": 100}}]}.
"""

import math
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError, from_json
from typing_extensions import TypeAliasType

from macrid.service.schemas.base import Request

MAX_DEPTH = 8
MAX_CONDITIONS = 32
MAX_VALUES = 1000
MAX_TEXT = 1000


def text_or_number(value: object) -> object:
    """Refuse anything else with one sentence; pydantic would give one for each kind."""
    match value:
        case bool():
            fits = False
        case str():
            fits = len(value) <= MAX_TEXT
        case int():
            fits = -(2**63) <= value < 2**63  # the catalogue's integers
        case float():
            fits = math.isfinite(value)
        case _:
            fits = False
    if not fits:
        raise PydanticCustomError(
            "text_or_number",
            "expected text of at most {limit} characters, a finite number or a whole number of 64 bits",
            {"limit": MAX_TEXT},
        )
    return value


Comparable = Annotated[str | int | float, BeforeValidator(text_or_number)]


class Node(Request):
    """A part of a filter. `in`, `and`, `or` and `not` are words of Python's: there they are `in_`, `and_`, `or_`, `not_`."""

    model_config = ConfigDict(strict=True, populate_by_name=True)


class Equals(Node):
    """The item's value in a column equals another."""

    column: str = Field(examples=["department"])
    """Name of the column."""
    equals: Comparable = Field(examples=["bags"])
    """Text for a column of text, a number for one of numbers. Text that holds several values, as "Comedy|Drama" does, equals
    each of them, and the whole."""


class In(Node):
    """The item's value in a column is one of several."""

    column: str = Field(examples=["department"])
    """Name of the column."""
    in_: list[Comparable] = Field(
        validation_alias="in",
        serialization_alias="in",
        min_length=1,
        max_length=MAX_VALUES,
        examples=[["bags", "hats"]],
    )
    """What it may equal."""


class Within(Node):
    """The item's value in a column lies in a range, bounded on one side or on both."""

    column: str = Field(examples=["price"])
    """Name of the column."""
    gt: Comparable | None = Field(default=None, examples=[None])
    """It is greater than this. Text is ordered by code points, so dates as 2019-05-01 are in order."""
    gte: Comparable | None = Field(default=None, examples=[10])
    """It is this or greater."""
    lt: Comparable | None = Field(default=None, examples=[50])
    """It is less than this."""
    lte: Comparable | None = Field(default=None, examples=[None])
    """It is this or less."""

    @model_validator(mode="after")
    def _one_bound_a_side(self) -> "Within":
        low, high = (sum(bound is not None for bound in side) for side in ((self.gt, self.gte), (self.lt, self.lte)))
        if low + high == 0:
            raise PydanticCustomError("no_test", "expected one of {tests}", {"tests": TESTS})
        if max(low, high) > 1:
            raise PydanticCustomError("one_bound_a_side", "expected at most one of gt and gte, and of lt and lte")
        return self


class And(Node):
    """The item meets all of these."""

    and_: list["Filter"] = Field(
        validation_alias="and", serialization_alias="and", min_length=1, max_length=MAX_CONDITIONS
    )
    """The parts."""


class Or(Node):
    """The item meets at least one of these."""

    or_: list["Filter"] = Field(
        validation_alias="or", serialization_alias="or", min_length=1, max_length=MAX_CONDITIONS
    )
    """The parts."""


class Not(Node):
    """The item does not meet this. One without a value in the column meets no comparison, so it does meet `not` of one."""

    not_: "Filter" = Field(validation_alias="not", serialization_alias="not")
    """The part."""


FORMS: dict[str, type[Node]] = {"and": And, "or": Or, "not": Not, "equals": Equals, "in": In, "range": Within}
TESTS = "equals, in, gt, gte, lt, lte"


def form_of(value: Any) -> str | None:
    """Say which form a part has, by the one word that only this form has; a range is a column without such a word."""
    if isinstance(value, Node):
        return next(f"({word})" for word, form in FORMS.items() if isinstance(value, form))
    words = value if isinstance(value, dict) else {}
    found = next(
        (word for word in FORMS if word in words or f"{word}_" in words), "range" if "column" in words else None
    )
    return found and f"({found})"


# The tags stand in brackets, so that the names of wrong fields can leave them out: see `problems.py`.
Filter = TypeAliasType(
    "Filter",
    Annotated[
        Annotated[And, Tag("(and)")]
        | Annotated[Or, Tag("(or)")]
        | Annotated[Not, Tag("(not)")]
        | Annotated[Equals, Tag("(equals)")]
        | Annotated[In, Tag("(in)")]
        | Annotated[Within, Tag("(range)")],
        Discriminator(
            form_of,
            custom_error_type="no_form",
            custom_error_message=f"expected an object with and, or, not, or with column and one of {TESTS}",
        ),
        Field(description="Which items, by the columns of the catalogue: one of six forms, told apart by their words."),
    ],
)


def parts_of(node: Node) -> list[Node]:
    """Return the parts that a node joins; none of a comparison."""
    match node:
        case And():
            return list(node.and_)
        case Or():
            return list(node.or_)
        case Not():
            return [node.not_]
    return []


def levels(node: Node) -> Iterator[list[Node]]:
    """Yield the nodes of a filter, level by level."""
    level = [node]
    while level:
        yield level
        level = [part for parent in level for part in parts_of(parent)]


def check_size(node: Node) -> Node:
    """Bound what one filter may cost."""
    nodes = list(levels(node))
    conditions = sum(map(len, nodes))
    values = sum(len(part.in_) for level in nodes for part in level if isinstance(part, In))
    for size, limit, what in (
        (len(nodes), MAX_DEPTH, "levels"),
        (conditions, MAX_CONDITIONS, "conditions"),
        (values, MAX_VALUES, "values in its lists"),
    ):
        if size > limit:
            raise PydanticCustomError(
                "filter_too_large",
                "the filter has {size} {what}, expected at most {limit}",
                {"size": size, "what": what, "limit": limit},
            )
    return node


def parse(value: object) -> object:
    """Read a filter that was written as JSON text, as a query has to."""
    if not isinstance(value, str):
        return value
    try:
        return from_json(value, allow_inf_nan=False)
    except ValueError as error:
        raise PydanticCustomError("not_json", "expected JSON: {reason}", {"reason": str(error)}) from None


def to_json(value: BaseModel | None) -> str | None:
    """Write a filter as JSON text."""
    return None if value is None else value.model_dump_json(by_alias=True, exclude_unset=True)


FilterInBody = Annotated[Filter, AfterValidator(check_size)]
FilterInQuery = Annotated[
    FilterInBody | None,
    BeforeValidator(parse),
    PlainSerializer(to_json, when_used="json"),
    WithJsonSchema({"type": "string", "contentMediaType": "application/json"}),
]
