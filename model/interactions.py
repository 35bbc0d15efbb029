"""Any source -> implicit interactions: who clicked what, in the order of the source.

The first step of the flow. Identifiers stay the caller's strings.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from macrid.artifacts.catalogue_rules import check_item_id
from macrid.artifacts.errors import CatalogueError
from macrid.model.errors import DataError
from macrid.model.numbering import AT_ONCE, Numbered, number
from macrid.model.tables import Stream, as_numbers, as_text, as_times, find_column, stream_table

USER_NAMES = ("user", "user_id", "userid")
ITEM_NAMES = ("item", "item_id", "itemid")
RATING_NAMES = ("rating",)


@dataclass(frozen=True)
class ColumnNames:
    """Which columns of a source hold what. None: look for the usual names, regardless of case."""

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    timestamp: str | None = None


@dataclass(frozen=True)
class Interactions:
    """Distinct (user, item) pairs in source order; users and items are numbered by first appearance.

    Attributes:
        user_ids: the caller's user ids, (U,).
        item_ids: the caller's item ids, (M,).
        user_index: (E,) int32, rows of `user_ids`.
        item_index: (E,) int32, rows of `item_ids`.
    """

    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    user_index: npt.NDArray[np.int32]
    item_index: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.user_index)

    def fingerprint(self) -> str:
        """SHA-256 over ids and pairs: two sources with the same fingerprint are the same data."""
        digest = hashlib.sha256()
        for ids in (self.user_ids, self.item_ids):
            digest.update(json.dumps(ids).encode())
        for index in (self.user_index, self.item_index):
            for at in range(0, len(index), AT_ONCE):
                digest.update(index[at : at + AT_ONCE].astype(np.int64).tobytes())
        return digest.hexdigest()


def read_interactions(
    path: Path,
    *,
    columns: ColumnNames | None = None,
    min_rating: float | None = None,
    min_user_items: int = 5,
) -> Interactions:
    """Read who clicked what; keep ratings of at least `min_rating` and users with at least `min_user_items` items.

    A pair that occurs twice counts once, where it first stands. With a timestamp column named, rows are put in its order first.
    The source is read batch by batch, unless rows must be put in order or a column of ids holds fractions.

    Raises:
        DataError: a column is missing, an id is empty, a rating is no number, or nothing is left; or a column of ratings is named
            and nothing is asked of them.
    """
    columns = columns or ColumnNames()
    if columns.rating is not None and min_rating is None:
        raise DataError(
            f"the column of ratings is {columns.rating!r}, and no rating is refused; say which are clicks with --min-rating, or "
            "leave --rating-column out"
        )
    if min_rating is not None and not np.isfinite(min_rating):
        raise DataError(f"the minimum rating is {min_rating}, expected a finite number")
    table = stream_table(path)
    user = find_column(table, path, "user", columns.user, USER_NAMES)
    item = find_column(table, path, "item", columns.item, ITEM_NAMES)
    rating = None
    if min_rating is not None:
        rating = find_column(table, path, "rating", columns.rating, RATING_NAMES)
    if columns.timestamp is None and not any(table.types[name].is_float() for name in (user, item)):
        frames = table.batches([user, item] if rating is None else [user, item, rating])
    else:
        frames = _whole(table)
    pairs = _accepted(frames, path, (user, item), rating, min_rating, columns.timestamp)
    return _interactions(number(pairs, min_user_items), min_user_items, str(path))


def _whole(table: Stream) -> Iterator[pl.DataFrame]:
    """All rows as one batch, or none."""
    batches = list(table.batches(table.columns))
    if batches:
        yield pl.concat(batches)


def _accepted(
    frames: Iterable[pl.DataFrame],
    path: Path,
    names: tuple[str, str],
    rating: str | None,
    min_rating: float | None,
    timestamp: str | None = None,
) -> Iterator[pl.DataFrame]:
    """The pairs that are rated high enough, as columns `user` and `item`: text, or whole numbers where the source has such.

    In the order of time within a frame, if its column is named; rows are named in errors as the file has them.
    """
    checked = CheckedItems()
    first = 1
    for frame in frames:
        kept = np.arange(len(frame))
        if rating is not None and min_rating is not None:
            # A rating of four bytes is compared with a least one of four bytes: .7 there is less than .7 in eight.
            least = float(np.float32(min_rating)) if frame[rating].dtype == pl.Float32 else min_rating
            kept = np.flatnonzero(as_numbers(frame[rating], path, first) >= least)
        user, item = (_ids(frame[name].gather(kept), path) for name in names)
        pairs = pl.DataFrame({"user": user, "item": item})
        checked.refuse_bad_ids(pairs, path, first + kept)
        first += len(frame)
        if timestamp is not None:
            times = as_times(frame[find_column(frame, path, "timestamp", timestamp, ())], path).gather(kept)
            pairs = _in_order(pairs, times)
        yield pairs
    if first == 1:
        raise DataError(f"{path}: there is a header but no interaction below it")


def _in_order(pairs: pl.DataFrame, times: pl.Series) -> pl.DataFrame:
    """Rows in the order of time; of the same time as they were."""
    return pairs.with_columns(times.alias("time")).sort("time", maintain_order=True).drop("time")


def _ids(values: pl.Series, path: Path) -> pl.Series:
    return values.cast(pl.Int64) if values.dtype.is_integer() and values.dtype != pl.UInt64 else as_text(values, path)


class CheckedItems:
    """Refuses ids that are empty or that no address can hold; an item's id is looked at once."""

    def __init__(self) -> None:
        self._seen = pl.DataFrame()

    def refuse_bad_ids(self, pairs: pl.DataFrame, path: Path, rows: npt.NDArray[np.int64]) -> None:
        """Check pairs that stand in these data rows."""
        empty = [pl.col(name).is_null() | (pl.col(name).cast(pl.String) == "") for name in pairs.columns]
        missing = pairs.select(pl.any_horizontal(empty)).to_series()
        if missing.any():
            at = int(missing.arg_max() or 0)
            user, item = pairs.row(at)
            raise DataError(
                f"{path}: data row {rows[at]}: user {user!r} and item {item!r}; expected both ids to be there"
            )
        if pairs["item"].dtype == pl.Int64:
            return  # digits are always an id
        items = pairs.select("item").unique(maintain_order=True)
        fresh = items.join(self._seen, on="item", how="anti", maintain_order="left") if len(self._seen) else items
        for item in fresh["item"]:
            try:
                check_item_id(item)
            except CatalogueError as error:
                at = int((pairs["item"] == item).arg_max() or 0)
                raise DataError(f"{path}: data row {rows[at]}: {error}") from error
        self._seen = pl.concat([self._seen, fresh]) if len(self._seen) else fresh


def from_pairs(pairs: pl.DataFrame | Iterable[pl.DataFrame], *, min_user_items: int, source: str) -> Interactions:
    """Number users and items of frames with columns `user` and `item`, text or whole numbers; see `read_interactions`.

    Raises:
        DataError: no user has `min_user_items` distinct items.
    """
    batches = [pairs] if isinstance(pairs, pl.DataFrame) else pairs
    return _interactions(number(batches, min_user_items), min_user_items, source)


def _interactions(numbered: Numbered, min_user_items: int, source: str) -> Interactions:
    if not len(numbered.user_codes):
        raise DataError(
            f"{source}: no user is left: of {numbered.users_before} users with an accepted interaction none has "
            f"{min_user_items} distinct items (the most active has {numbered.most_items}). Lower --min-user-items or --min-rating"
        )
    return Interactions(
        user_ids=tuple(numbered.users.cast(pl.String)),
        item_ids=tuple(numbered.items.cast(pl.String)),
        user_index=numbered.user_codes,
        item_index=numbered.item_codes,
    )
