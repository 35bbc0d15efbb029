"""What may stand in a catalogue: the caller's columns and pictures, and the checks that every item has to pass."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from macrid.artifacts.errors import CatalogueError

MAX_ID_LENGTH = 512
MAX_COLUMNS = 1_000  # SQLite itself ends at 2,000

Kind = Literal["text", "integer", "real"]
Value = str | int | float | None

_TYPES: dict[Kind, tuple[type, ...]] = {"text": (str,), "integer": (int,), "real": (int, float)}
MEDIA_TYPE = re.compile(r"image/[a-z0-9][a-z0-9.+-]*")


@dataclass(frozen=True)
class Column:
    """One of the caller's metadata columns."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Picture:
    """An image file carried by the bundle."""

    media_type: str
    data: bytes


def check_item_ids(item_ids: Sequence[str]) -> None:
    """Hold item ids to the rules, and to being distinct.

    Raises:
        CatalogueError: names the id.
    """
    seen: set[str] = set()
    for item_id in item_ids:
        check_item_id(item_id)
        if item_id in seen:
            raise CatalogueError(f"the item id {item_id!r} stands twice")
        seen.add(item_id)


def check_item_id(item_id: object) -> None:
    """Refuse an id that no address could hold or no file could store.

    Raises:
        CatalogueError: it is no text, empty, '.', '..', longer than 512 characters, or has a NUL or a lone surrogate.
    """
    if not is_text(item_id) or item_id in ("", ".", "..") or len(str(item_id)) > MAX_ID_LENGTH:
        raise CatalogueError(
            f"the item id {item_id!r:.80} cannot be used; "
            f"expected 1 to {MAX_ID_LENGTH} characters of text other than '.' and '..'"
        )


def check_columns(columns: Sequence[Column]) -> None:
    """Hold columns to distinct names and known kinds, and to their number.

    Raises:
        CatalogueError: names the column.
    """
    names = [column.name for column in columns]
    if len(set(names)) < len(names) or not all(name and is_text(name) for name in names):
        raise CatalogueError(f"column names must be distinct and not empty; they are {names}")
    for column in columns:
        if column.kind not in _TYPES:
            raise CatalogueError(f"column {column.name!r} is of kind {column.kind!r}, expected {', '.join(_TYPES)}")
    if len(columns) > MAX_COLUMNS:
        raise CatalogueError(f"there are {len(columns)} columns, expected at most {MAX_COLUMNS}")


def check_item(item_id: str, title: str, image: str | None, columns: Sequence[Column], row: Sequence[Value]) -> None:
    """Hold what is known of one item to its columns.

    Raises:
        CatalogueError: names the item, the value and what was expected.
    """
    if not is_text(title):
        raise CatalogueError(f"item {item_id!r}: the title {title!r:.80} is not text")
    if image is not None and not (is_text(image) and image.startswith(("https://", "http://"))):
        raise CatalogueError(f"item {item_id!r}: the image {image!r:.80} is no http(s) address")
    if len(row) != len(columns):
        names = [column.name for column in columns]
        raise CatalogueError(f"item {item_id!r}: has {len(row)} values, expected one for each of {names}")
    for column, value in zip(columns, row, strict=True):
        if value is not None and not _is_of_kind(value, column.kind):
            raise CatalogueError(
                f"item {item_id!r}: column {column.name!r} holds {value!r:.80}, expected {column.kind}"
            )


def check_pictures(pictures: Mapping[int, Picture], item_ids: Sequence[str]) -> None:
    """Hold pictures to rows that exist, to image types, and to not being empty.

    Raises:
        CatalogueError: names the item or row.
    """
    for row, picture in pictures.items():
        if type(row) is not int or not 0 <= row < len(item_ids):
            raise CatalogueError(f"there is a picture for row {row!r}; rows go from 0 to {len(item_ids) - 1}")
        if not MEDIA_TYPE.fullmatch(picture.media_type):
            raise CatalogueError(f"item {item_ids[row]!r}: its picture is {picture.media_type!r:.80}, expected image/…")
        if not picture.data:
            raise CatalogueError(f"item {item_ids[row]!r}: its picture is empty")


def is_text(value: object) -> bool:
    """Whether it is text that SQLite and UTF-8 can hold: no NUL, no lone surrogate."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()  # a lone surrogate cannot be; to look at every character would take 30 times as long
    except UnicodeEncodeError:
        return False
    return True


def _is_of_kind(value: object, kind: Kind) -> bool:
    if type(value) not in _TYPES[kind]:  # type() and not isinstance(): True is no number here
        return False
    if kind == "text":
        return is_text(value)
    # SQLite would turn NaN into NULL in silence, has no integers beyond 64 bits, and JSON has no infinity.
    return -(2**63) <= value < 2**63 if isinstance(value, int) else math.isfinite(value)  # type: ignore[arg-type]
