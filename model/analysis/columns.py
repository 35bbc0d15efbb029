"""Which item columns a model is measured against: one of categories, and numeric ones as factors; named, or found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from macrid.artifacts.catalogue import Catalogue, Column
from macrid.model.errors import DataError
from macrid.model.items import Value

ITEMS_PER_CATEGORY = 5  # a column with fewer on average names items rather than groups them
DEFAULT_FACTOR_VALUES = 10  # a numeric column with fewer different values is not taken for a factor unless it is named
UNKNOWN = -1


@dataclass(frozen=True)
class ItemColumns:
    """The columns of a catalogue and their values, one list of M per column."""

    columns: tuple[Column, ...]
    values: dict[str, list[Value]]

    @staticmethod
    def read(catalogue: Catalogue) -> "ItemColumns":
        """All columns of all items."""
        items = catalogue.items(range(len(catalogue)))
        names = [column.name for column in catalogue.columns]
        return ItemColumns(catalogue.columns, {name: [item.metadata[name] for item in items] for name in names})

    def kind(self, name: str) -> str:
        """What a column holds: text, integer or real.

        Raises:
            DataError: there is no such column.
        """
        kinds = {column.name: column.kind for column in self.columns}
        if name not in kinds:
            there = ", ".join(f"{each!r} ({kind})" for each, kind in kinds.items())
            raise DataError(
                f"there is no item column {name!r}; {f'the columns are {there}' if there else 'there is none'}"
            )
        return kinds[name]


@dataclass(frozen=True)
class Categories:
    """A categorical column.

    Attributes:
        name: of the column.
        labels: its C different first values, sorted.
        first: (M,) index into `labels` of each item's first value, `UNKNOWN` where it has none.
        values: M sets of all values: a column such as genres holds several between bars.
    """

    name: str
    labels: tuple[str, ...]
    first: npt.NDArray[np.int64]
    values: tuple[frozenset[str], ...]

    @property
    def several(self) -> bool:
        """Whether any item has more than one value."""
        return any(len(values) > 1 for values in self.values)


def find_categories(columns: ItemColumns, name: str | None) -> Categories | None:
    """The column asked for, or of the text columns that group items the one with the fewest values; None if there is none.

    Raises:
        DataError: the column asked for does not exist, or does not group items.
    """
    if name is not None:
        if columns.kind(name) == "real":
            raise DataError(f"column {name!r} holds real numbers; categories are text or whole numbers")
        categories = _categories(columns, name)
        if not _groups_items(categories):
            known = int((categories.first != UNKNOWN).sum())
            raise DataError(
                f"column {name!r} has {len(categories.labels)} different values in {known} items; expected at least 2, "
                f"and {ITEMS_PER_CATEGORY} items for each on average"
            )
        return categories
    found = [_categories(columns, column.name) for column in columns.columns if column.kind == "text"]
    return min(filter(_groups_items, found), key=lambda categories: len(categories.labels), default=None)


def _categories(columns: ItemColumns, name: str) -> Categories:
    parts = [[part.strip() for part in _text(value).split("|") if part.strip()] for value in columns.values[name]]
    labels = tuple(sorted({part[0] for part in parts if part}))
    number = {label: at for at, label in enumerate(labels)}
    return Categories(
        name=name,
        labels=labels,
        first=np.array([number[part[0]] if part else UNKNOWN for part in parts], dtype=np.int64),
        values=tuple(frozenset(part) for part in parts),
    )


def _text(value: Value) -> str:
    return "" if value is None else str(value)


def _groups_items(categories: Categories) -> bool:
    known = int((categories.first != UNKNOWN).sum())
    return len(categories.labels) >= 2 and ITEMS_PER_CATEGORY * len(categories.labels) <= known


@dataclass(frozen=True)
class Factors:
    """Numeric columns: F names and (M, F) float64, NaN where unknown."""

    names: tuple[str, ...]
    values: npt.NDArray[np.float64]

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """(M,) the items of which every factor is known."""
        return np.asarray(np.isfinite(self.values).all(axis=1))


def find_factors(columns: ItemColumns, names: Sequence[str] | None) -> Factors | None:
    """The columns asked for, or all numeric columns that vary and are known of at least half of the items; None if there is none.

    Raises:
        DataError: a column asked for does not exist, holds no numbers, or is the same for all items.
    """
    if names is not None:
        chosen = list(dict.fromkeys(names))
        for name in chosen:
            _check_factor(columns, name)
    else:
        numeric = [column.name for column in columns.columns if column.kind != "text"]
        chosen = [name for name in numeric if _may_be_a_factor(_numbers(columns, name))]
    if not chosen:
        return None
    return Factors(tuple(chosen), np.column_stack([_numbers(columns, name) for name in chosen]))


def _check_factor(columns: ItemColumns, name: str) -> None:
    if columns.kind(name) == "text":
        raise DataError(f"column {name!r} holds text; a factor is a column of numbers")
    if len(_different(_numbers(columns, name))) < 2:
        raise DataError(f"column {name!r} is the same for all items; a factor has to vary")


def _may_be_a_factor(numbers: npt.NDArray[np.float64]) -> bool:
    mostly_known = 2 * int(np.isfinite(numbers).sum()) >= len(numbers)
    return mostly_known and len(_different(numbers)) >= DEFAULT_FACTOR_VALUES


def _different(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.unique(numbers[np.isfinite(numbers)])


def _numbers(columns: ItemColumns, name: str) -> npt.NDArray[np.float64]:
    values = columns.values[name]
    return np.array([float(value) if isinstance(value, int | float) else np.nan for value in values], dtype=np.float64)
