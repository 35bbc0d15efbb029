"""Any source -> implicit interactions: who clicked what, in the order of the source.

The first step of the flow. Identifiers stay the caller's strings.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from macrid.artifacts.catalogue_rules import check_item_id
from macrid.artifacts.errors import CatalogueError
from macrid.model.errors import DataError
from macrid.model.tables import as_numbers, as_text, as_times, find_column, read_table

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
        user_index: (E,) int64, rows of `user_ids`.
        item_index: (E,) int64, rows of `item_ids`.
    """

    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    user_index: npt.NDArray[np.int64]
    item_index: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.user_index)

    def fingerprint(self) -> str:
        """SHA-256 over ids and pairs: two sources with the same fingerprint are the same data."""
        digest = hashlib.sha256()
        for ids in (self.user_ids, self.item_ids):
            digest.update(json.dumps(ids).encode())
        digest.update(self.user_index.tobytes())
        digest.update(self.item_index.tobytes())
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

    Raises:
        DataError: a column is missing, an id is empty, a rating is no number, or nothing is left.
    """
    columns = columns or ColumnNames()
    if min_rating is not None and not np.isfinite(min_rating):
        raise DataError(f"the minimum rating is {min_rating}, expected a finite number")
    frame = read_table(path)
    user = find_column(frame, path, "user", columns.user, USER_NAMES)
    item = find_column(frame, path, "item", columns.item, ITEM_NAMES)
    if frame.is_empty():
        raise DataError(f"{path}: there is a header but no interaction below it")
    if columns.timestamp is not None:
        timestamp = find_column(frame, path, "timestamp", columns.timestamp, ())
        frame = frame.with_columns(as_times(frame[timestamp], path)).sort(timestamp, maintain_order=True)
    if min_rating is not None or columns.rating is not None:
        rating = find_column(frame, path, "rating", columns.rating, RATING_NAMES)
        if min_rating is not None:
            frame = frame.filter(as_numbers(frame[rating], path) >= min_rating)
    pairs = pl.DataFrame({"user": as_text(frame[user], path), "item": as_text(frame[item], path)})
    _refuse_bad_ids(pairs, path)
    return from_pairs(pairs, min_user_items=min_user_items, source=str(path))


def _refuse_bad_ids(pairs: pl.DataFrame, path: Path) -> None:
    missing = pairs.select(pl.any_horizontal(pl.all().is_null() | (pl.all() == ""))).to_series()
    if missing.any():
        row = int(missing.arg_max() or 0)
        user, item = pairs.row(row)
        raise DataError(f"{path}: data row {row + 1}: user {user!r} and item {item!r}; expected both ids to be there")
    for item in pairs["item"].unique(maintain_order=True):
        try:
            check_item_id(item)
        except CatalogueError as error:
            row = int((pairs["item"] == item).arg_max() or 0)
            raise DataError(f"{path}: data row {row + 1}: {error}") from error


def from_pairs(pairs: pl.DataFrame, *, min_user_items: int, source: str) -> Interactions:
    """Number users and items of a frame with text columns `user` and `item`; see `read_interactions`.

    Raises:
        DataError: no user has `min_user_items` distinct items.
    """
    distinct = pairs.unique(maintain_order=True)
    kept = distinct.filter(pl.len().over("user") >= min_user_items)
    if kept.is_empty():
        largest = distinct.group_by("user").len()["len"].max() if not distinct.is_empty() else 0
        raise DataError(
            f"{source}: no user is left: of {distinct['user'].n_unique()} users with an accepted interaction none has "
            f"{min_user_items} distinct items (the most active has {largest!r}). Lower --min-user-items or --min-rating"
        )
    users, items = kept["user"].unique(maintain_order=True), kept["item"].unique(maintain_order=True)
    return Interactions(
        user_ids=tuple(users),
        item_ids=tuple(items),
        user_index=_rows_of(kept["user"], users),
        item_index=_rows_of(kept["item"], items),
    )


def _rows_of(values: pl.Series, vocabulary: pl.Series) -> npt.NDArray[np.int64]:
    """Each value's position in the vocabulary, (E,) int64."""
    numbered = pl.DataFrame({"value": vocabulary, "row": np.arange(len(vocabulary), dtype=np.int64)})
    joined = pl.DataFrame({"value": values}).join(numbered, on="value", how="left", maintain_order="left")
    return joined["row"].to_numpy()
