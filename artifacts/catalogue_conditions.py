"""Conditions on the caller's columns, and the SQL that finds the items which meet them.

Every condition is true or false of every item, never unknown as in SQL: an item without a value meets no comparison, and
`Not` is everything that its part is not. So a condition and its `Not` share the catalogue between them, and De Morgan holds.

Text is compared by code points, and part by part: "Comedy | Drama" is two parts, without the spaces around them. One part
has to pass, and `OneOf` is also met by the whole text as it stands.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from macrid.artifacts.catalogue_rules import Column, Kind
from macrid.artifacts.errors import CatalogueError

Operator = Literal[">", ">=", "<", "<="]
Comparable = str | int | float


@dataclass(frozen=True)
class OneOf:
    """The column's value is one of these."""

    column: str
    values: tuple[Comparable, ...]


@dataclass(frozen=True)
class Within:
    """The column's value passes all of these bounds."""

    column: str
    bounds: tuple[tuple[Operator, Comparable], ...]


@dataclass(frozen=True)
class AllOf:
    """Every part is met; with no part, by every item."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one part is met; with no part, by no item."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Not:
    """The part is not met."""

    part: "Condition"


Condition = OneOf | Within | AllOf | AnyOf | Not
Test = Callable[[str], str]  # an SQL expression of a value → one that says whether it passes


def to_sql(condition: Condition, columns: Sequence[Column]) -> tuple[str, list[Comparable]]:
    """Return a query for the rows of the items that meet a condition, ascending, and the values of its numbered parameters.

    No value and no name of the caller's ever becomes part of the SQL: columns are written as the c0, c1 … of the table.

    Raises:
        CatalogueError: there is no such column.
    """
    compiler = _Compiler(columns)
    expression = compiler.compile(condition)
    tables = ", ".join(compiler.tables.values())
    query = f"SELECT item_index FROM items WHERE {expression} ORDER BY item_index"
    return f"WITH {tables} {query}" if tables else query, compiler.values


class _Compiler:
    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns: Mapping[str, tuple[str, Kind]] = {
            column.name: (f"c{at}", column.kind) for at, column in enumerate(columns)
        }
        self.values: list[Comparable] = []
        self.tables: dict[str, str] = {}  # of the parts of texts, by column

    def compile(self, condition: Condition) -> str:
        match condition:
            case AllOf(parts):
                return " AND ".join(f"({self.compile(part)})" for part in parts) or "1"
            case AnyOf(parts):
                return " OR ".join(f"({self.compile(part)})" for part in parts) or "0"
            case Not(part):
                return f"NOT ({self.compile(part)})"
            case OneOf(name, values):
                places = ", ".join(self._place(value) for value in values)
                return self._comparison(name, lambda value: f"{value} IN ({places})", whole=True)
            case Within(name, bounds):
                tests = [f"{operator} {self._place(value)}" for operator, value in bounds]
                return self._comparison(
                    name, lambda value: " AND ".join(f"{value} {test}" for test in tests), whole=False
                )

    def _place(self, value: Comparable) -> str:
        self.values.append(value)
        return f"?{len(self.values)}"

    def _comparison(self, name: str, test: Test, *, whole: bool) -> str:
        """Write a comparison that is 0 and not NULL where there is no value."""
        if name not in self._columns:
            raise CatalogueError(f"there is no column {name!r:.80}; the columns are {list(self._columns)}")
        column, kind = self._columns[name]
        if kind != "text":
            return f"ifnull({test(column)}, 0)"
        self.tables[column] = _parts_of(column)
        passes = f"{test('part')} OR {test('whole')}" if whole else test("part")
        passing = f"SELECT whole FROM parts_{column} WHERE {passes}"
        return f"ifnull(CASE WHEN instr({column}, '|') THEN {column} IN ({passing}) ELSE {test(column)} END, 0)"


def _parts_of(column: str) -> str:
    """Write a table of the different texts in a column that have several parts, one row for each part.

    A text as a JSON string, its bars turned into the ends of strings, is a JSON list of its parts. To split each item's text
    anew for each comparison took 3.4 s for a million items, and a minute for twenty comparisons.
    """
    texts = f"(SELECT DISTINCT {column} AS whole FROM items WHERE instr({column}, '|'))"
    parts = "json_each('[' || replace(json_quote(whole), '|', '\",\"') || ']')"
    return f"parts_{column} AS MATERIALIZED (SELECT whole, trim(value) AS part FROM {texts}, {parts})"
