"""Filters for the facade: from what a request says to the items that one loaded model's catalogue allows.

Stands between `recommender` and the catalogue. A filter is checked against the catalogue's columns, brought into one form in
which filters that say the same are equal, and asked of the catalogue once; the answer is kept for the requests to come.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from macrid.artifacts.catalogue import Catalogue
from macrid.artifacts.catalogue_conditions import AllOf, AnyOf, Condition, Not, OneOf, Operator, Within
from macrid.artifacts.catalogue_rules import Column
from macrid.service import schemas
from macrid.service.arrays import BoolArray
from macrid.service.errors import InvalidError, Place, shortened
from macrid.service.schemas.filters import Comparable

# A kept answer takes M/8 bytes: 64 of them 8 MB at a million items.
KEPT = 64
COLUMNS_NAMED = 50
OPERATORS: dict[str, Operator] = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class Filters:
    """The filters of one catalogue, with the answers to those asked last. Safe to use from several threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._columns = {column.name: column for column in catalogue.columns}
        self._kept: OrderedDict[Condition, npt.NDArray[np.uint8]] = OrderedDict()
        self._lock = threading.Lock()

    def allowed(self, asked: schemas.Filter | None, place: Place) -> BoolArray | None:
        """Return which items meet a filter: (M,), or None where there is no filter.

        Raises:
            InvalidError: it names a column that is not there, or compares one with a value of another kind.
        """
        if asked is None:
            return None
        condition = self._condition(asked, place, "filter")
        with self._lock:
            packed = self._kept.get(condition)
            if packed is not None:
                self._kept.move_to_end(condition)
        if packed is None:
            packed = self._ask(condition)
        return np.unpackbits(packed, count=len(self._catalogue)).view(np.bool_)

    def _ask(self, condition: Condition) -> npt.NDArray[np.uint8]:
        """Ask the catalogue, outside the lock: two requests that ask the same at once both ask, and both are right."""
        allowed = np.zeros(len(self._catalogue), dtype=np.bool_)
        allowed[self._catalogue.matching(condition)] = True
        packed = np.packbits(allowed)
        with self._lock:
            self._kept[condition] = packed
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return packed

    def _condition(self, node: schemas.Filter, place: Place, field: str) -> Condition:
        """Translate a part of a filter, `field` being where it stands in the request."""
        match node:
            case schemas.And():
                return joined(AllOf, self._conditions(node.and_, place, f"{field}.and"))
            case schemas.Or():
                return joined(AnyOf, self._conditions(node.or_, place, f"{field}.or"))
            case schemas.Not():
                return negated(self._condition(node.not_, place, f"{field}.not"))
        column = self._column(node.column, place, field)
        for word, value in values_in(node):
            check_kind(column, value, place, f"{field}.{word}")
        match node:
            case schemas.Equals():
                return OneOf(column.name, (node.equals,))
            case schemas.In():
                return OneOf(column.name, tuple(sorted(set(node.in_))))
            case schemas.Within():
                return Within(column.name, tuple((OPERATORS[word], value) for word, value in values_in(node)))

    def _conditions(self, nodes: list[schemas.Filter], place: Place, field: str) -> list[Condition]:
        return [self._condition(node, place, f"{field}[{at}]") for at, node in enumerate(nodes)]

    def _column(self, name: str, place: Place, field: str) -> Column:
        if name in self._columns:
            return self._columns[name]
        names = [repr(shortened(known)) for known in self._columns]
        more = f" and {len(names) - COLUMNS_NAMED} more" if len(names) > COLUMNS_NAMED else ""
        known = f"the columns are {', '.join(names[:COLUMNS_NAMED])}{more}" if names else "it has no columns"
        raise InvalidError(place, f"{field}.column", f"the catalogue has no column {shortened(name)!r}; {known}")


def joined(kind: type[AllOf] | type[AnyOf], parts: list[Condition]) -> Condition:
    """Return parts joined, in an order of their own and each once, so that equal filters are equal conditions."""
    distinct = sorted(set(parts), key=repr)
    return distinct[0] if len(distinct) == 1 else kind(tuple(distinct))


def negated(part: Condition) -> Condition:
    """Return the opposite of a part; of an opposite, the part itself."""
    return part.part if isinstance(part, Not) else Not(part)


def values_in(node: schemas.Equals | schemas.In | schemas.Within) -> Iterator[tuple[str, Comparable]]:
    """Yield what a column is compared with, each with the place where it stands in the comparison."""
    match node:
        case schemas.Equals():
            yield "equals", node.equals
        case schemas.In():
            yield from ((f"in[{at}]", value) for at, value in enumerate(node.in_))
        case schemas.Within():
            bounds = {"gt": node.gt, "gte": node.gte, "lt": node.lt, "lte": node.lte}
            yield from ((word, value) for word, value in bounds.items() if value is not None)


def check_kind(column: Column, value: Comparable, place: Place, field: str) -> None:
    """Refuse to compare text with a number: the answer would say nothing of the items."""
    if isinstance(value, str) != (column.kind == "text"):
        expected = "text" if column.kind == "text" else "a number"
        shown = repr(shortened(value)) if isinstance(value, str) else repr(value)
        message = f"column {shortened(column.name)!r} holds {column.kind} values, expected {expected} and not {shown}"
        raise InvalidError(place, field, message)
