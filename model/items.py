"""What is known of the items besides clicks: titles, pictures, and any other columns, in one table aligned with item ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from macrid.artifacts.catalogue_rules import Column, Picture, check_columns, check_item
from macrid.model.errors import DataError
from macrid.model.interactions import ITEM_NAMES
from macrid.model.tables import as_text, column_or_none, find_column, read_table

TITLE_NAMES = ("title", "name")
IMAGE_NAMES = ("image", "image_url", "picture", "cover")
MEDIA_TYPES = {
    ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp",
}  # fmt: skip
MAX_PICTURE_BYTES = 2_000_000

Value = str | int | float | None


@dataclass(frozen=True)
class Items:
    """One row per item, in the order of `item_ids`.

    Attributes:
        titles: what a person reads; the item id where the source has no title.
        images: http(s) addresses, or None.
        columns: names and kinds of all other columns.
        rows: their values, one tuple per item.
        pictures: row -> a picture the bundle carries itself, read from a file beside the source.
    """

    item_ids: tuple[str, ...]
    titles: tuple[str, ...]
    images: tuple[str | None, ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    pictures: dict[int, Picture]

    def aligned(self, item_ids: Sequence[str]) -> "Items":
        """The same knowledge for exactly these ids, in this order; an id that is not known gets its id as title."""
        row_of = {item_id: row for row, item_id in enumerate(self.item_ids)}
        found = [row_of.get(item_id) for item_id in item_ids]
        nothing: tuple[Value, ...] = (None,) * len(self.columns)
        return Items(
            item_ids=tuple(item_ids),
            titles=tuple(
                item_id if row is None else self.titles[row] for item_id, row in zip(item_ids, found, strict=True)
            ),
            images=tuple(None if row is None else self.images[row] for row in found),
            columns=self.columns,
            rows=tuple(nothing if row is None else self.rows[row] for row in found),
            pictures={
                at: self.pictures[row] for at, row in enumerate(found) if row is not None and row in self.pictures
            },
        )

    def column(self, name: str) -> list[Value]:
        """All values of one column."""
        at = next(at for at, column in enumerate(self.columns) if column.name == name)
        return [row[at] for row in self.rows]


def untitled(item_ids: Sequence[str]) -> Items:
    """What is known when no item table is given: the ids themselves."""
    return Items(tuple(item_ids), tuple(item_ids), (None,) * len(item_ids), (), ((),) * len(item_ids), {})


def read_items(path: Path, item_ids: Sequence[str], *, item_column: str | None = None) -> Items:
    """Read what an item table knows of these items: a column of item ids, optionally `title` and `image`, and any others.

    An image is an http(s) address, or the path of a file beside the table, which the bundle will then carry.

    Args:
        path: of the table.
        item_ids: the items there are; other rows of the table are left aside.
        item_column: name of the id column; None, or a name the table does not have, looks for the usual ones.

    Raises:
        DataError: there is no item column, an id stands twice, no row is of these items, or a picture file is absent, too
            large or of an unknown kind.
        CatalogueError: a column, title or value cannot be stored.
    """
    table = read_table(path)
    item = column_or_none(table, item_column, ()) or find_column(table, path, "item", None, ITEM_NAMES)
    ids = as_text(table[item], path)
    _refuse_ids(path, ids)
    known = ids.is_in(list(item_ids))
    if not known.any():
        if ids.is_empty():
            raise DataError(f"{path}: there is a header but no item below it")
        raise DataError(
            f"{path}: describes none of the {len(item_ids)} items; its ids look like {ids[0]!r}, "
            f"those of the clicks like {item_ids[0]!r}"
        )
    frame, ids = table.filter(known), ids.filter(known)
    title, image = (column_or_none(frame, None, names) for names in (TITLE_NAMES, IMAGE_NAMES))
    others = [_typed(frame[name], path) for name in frame.columns if name not in (item, title, image)]
    given_titles = as_text(frame[title], path) if title else ids
    images, pictures = _images(path, ids, as_text(frame[image], path) if image else None)
    items = Items(
        item_ids=tuple(ids),
        titles=tuple(text or item_id for text, item_id in zip(given_titles, ids, strict=True)),
        images=tuple(images),
        columns=tuple(Column(series.name, _kind(series)) for series in others),
        rows=tuple(zip(*(series.to_list() for series in others), strict=True)) if others else ((),) * len(ids),
        pictures=pictures,
    )
    check_columns(items.columns)
    for described in zip(items.item_ids, items.titles, items.images, items.rows, strict=True):
        check_item(*described[:3], items.columns, described[3])
    return items.aligned(item_ids)


def _refuse_ids(path: Path, ids: pl.Series) -> None:
    empty = ids.is_null() | (ids == "")
    if empty.any():
        raise DataError(f"{path}: data row {int(empty.arg_max() or 0) + 1}: the item id is empty")
    if ids.is_duplicated().any():
        raise DataError(f"{path}: the item id {ids.filter(ids.is_duplicated())[0]!r} stands in more than one row")


def _typed(values: pl.Series, path: Path) -> pl.Series:
    """Text that is all whole numbers or all numbers becomes such, unless digits would be lost (00123, or more than 18)."""
    if values.dtype.is_float():
        return values.cast(pl.Float64).fill_nan(None)
    text = as_text(values, path)
    text = text.set(text == "", None)
    filled = text.drop_nulls()
    if filled.is_empty() or filled.str.contains(r"^[+-]?0\d").any() or (filled.str.count_matches(r"\d") > 18).any():
        return text
    for kind in (pl.Int64, pl.Float64):
        numbers = text.cast(kind, strict=False)
        finite = numbers.is_not_null() & numbers.is_finite()
        if (finite == text.is_not_null()).all():
            return numbers
    return text


def _kind(series: pl.Series) -> Literal["text", "integer", "real"]:
    if series.dtype == pl.Int64:
        return "integer"
    return "real" if series.dtype == pl.Float64 else "text"


def _images(path: Path, ids: pl.Series, values: pl.Series | None) -> tuple[list[str | None], dict[int, Picture]]:
    images: list[str | None] = [None] * len(ids)
    pictures: dict[int, Picture] = {}
    for row, value in enumerate(values if values is not None else ()):
        if not value:
            continue
        scheme, mark, rest = value.partition("://")
        if mark and scheme.lower() in ("http", "https"):
            images[row] = f"{scheme.lower()}://{rest}"
        else:
            pictures[row] = _read_picture(path, ids[row], value)
    return images, pictures


def _read_picture(path: Path, item_id: str, value: str) -> Picture:
    file = path.parent / value
    media_type = MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None:
        raise DataError(
            f"{path}: item {item_id!r}: the image {value!r} is neither an http(s) address nor a file of a known kind "
            f"({', '.join(MEDIA_TYPES)})"
        )
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: item {item_id!r}: there is no picture file {value!r} that can be read: {error.strerror}"
        ) from error
    if len(data) > MAX_PICTURE_BYTES:
        raise DataError(
            f"{path}: item {item_id!r}: {file} has {len(data)} bytes; at most {MAX_PICTURE_BYTES} are carried"
        )
    return Picture(media_type, data)
