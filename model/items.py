"""What is known of the items besides clicks: titles, pictures, and any other columns, in one table aligned with item ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from macrid.artifacts.catalogue import Column, Picture
from macrid.model.errors import DataError
from macrid.model.interactions import ITEM_NAMES, find_column, read_table

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


def read_items(path: Path, *, item_column: str | None = None) -> Items:
    """Read an item table: a column of item ids, optionally `title` and `image`, and any others.

    An image is an http(s) address, or the path of a file beside the table, which the bundle will then carry.

    Raises:
        DataError: there is no item column, an id stands twice, or a picture file is absent, too large or of an unknown kind.
    """
    frame = read_table(path)
    item = find_column(frame, path, "item", item_column, ITEM_NAMES)
    ids = frame[item].cast(pl.String)
    if ids.is_null().any() or (ids == "").any():
        raise DataError(
            f"{path}: data row {int((ids.is_null() | (ids == '')).arg_max() or 0) + 1}: the item id is empty"
        )
    if ids.is_duplicated().any():
        raise DataError(f"{path}: the item id {ids.filter(ids.is_duplicated())[0]!r} stands in more than one row")
    title, image = _usual(frame, TITLE_NAMES), _usual(frame, IMAGE_NAMES)
    others = [_typed(frame[name]) for name in frame.columns if name not in (item, title, image)]
    given_titles = frame[title].cast(pl.String) if title else ids
    images, pictures = _images(path, ids, frame[image].cast(pl.String) if image else None)
    return Items(
        item_ids=tuple(ids),
        titles=tuple(text or item_id for text, item_id in zip(given_titles, ids, strict=True)),
        images=tuple(images),
        columns=tuple(Column(series.name, _kind(series)) for series in others),
        rows=tuple(zip(*(series.to_list() for series in others), strict=True)) if others else ((),) * len(ids),
        pictures=pictures,
    )


def _usual(frame: pl.DataFrame, names: tuple[str, ...]) -> str | None:
    return next((column for name in names for column in frame.columns if column.lower() == name), None)


def _typed(series: pl.Series) -> pl.Series:
    """Text that is all whole numbers or all numbers becomes such; anything that is neither text nor number becomes text."""
    if series.dtype.is_integer():
        return series.cast(pl.Int64)
    if series.dtype.is_float():
        return series.cast(pl.Float64).fill_nan(None)
    text = series.cast(pl.String)
    text = text.set(text == "", None)
    for kind in (pl.Int64, pl.Float64):
        numbers = text.cast(kind, strict=False)
        finite = numbers.is_not_null() & numbers.is_finite()
        if text.null_count() < len(text) and (finite == text.is_not_null()).all():
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
        if value.startswith(("https://", "http://")):
            images[row] = value
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
    if not file.is_file():
        raise DataError(f"{path}: item {item_id!r}: there is no picture file {file}")
    if file.stat().st_size > MAX_PICTURE_BYTES:
        raise DataError(
            f"{path}: item {item_id!r}: {file} has {file.stat().st_size} bytes; at most {MAX_PICTURE_BYTES} are carried"
        )
    return Picture(media_type, file.read_bytes())
