"""Any source -> implicit interactions: who clicked what, in the order of the source.

The first step of the flow. CSV, TSV and Parquet are read with polars; identifiers stay the caller's strings.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from macrid.model.errors import DataError

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

    def matrix(self) -> sparse.csr_matrix:
        """The implicit matrix, (U, M) float32 of ones, items of each user in ascending order."""
        ones = np.ones(len(self), dtype=np.float32)
        shape = (len(self.user_ids), len(self.item_ids))
        return sparse.csr_matrix((ones, (self.user_index, self.item_index)), shape=shape)

    def fingerprint(self) -> str:
        """SHA-256 over ids and pairs: two sources with the same fingerprint are the same data."""
        digest = hashlib.sha256()
        for ids in (self.user_ids, self.item_ids):
            digest.update("\0".join(ids).encode())
            digest.update(b"\0\0")
        digest.update(self.user_index.tobytes())
        digest.update(self.item_index.tobytes())
        return digest.hexdigest()


def read_table(path: Path) -> pl.DataFrame:
    """Read a CSV, TSV (either may be gzipped) or Parquet file with every CSV column as text.

    Raises:
        DataError: the file is absent, empty, of another kind, or cannot be parsed.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    kind = suffixes[-1] if suffixes else ""
    separators = {".csv": ",", ".tsv": "\t"}
    if kind not in (*separators, ".parquet"):
        raise DataError(
            f"{path}: cannot tell its format from {kind or 'a name without suffix'!r}; expected .csv, .tsv or .parquet"
        )
    try:
        if kind == ".parquet":
            return pl.read_parquet(path)
        return pl.read_csv(path, separator=separators[kind], infer_schema=False)
    except pl.exceptions.NoDataError as error:
        raise DataError(
            f"{path}: the file is empty; expected a header line and one line per interaction or item"
        ) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: cannot be read as {kind[1:]}: {error}") from error


def find_column(frame: pl.DataFrame, path: Path, role: str, wanted: str | None, usual: tuple[str, ...]) -> str:
    """The name of the column that plays `role`: the one asked for, or the first with a usual name.

    Raises:
        DataError: there is none; the message lists the columns there are and the option that names one.
    """
    found = _column_or_none(frame, wanted, usual)
    if found is None:
        sought = f"{wanted!r}" if wanted else " or ".join(repr(name) for name in usual)
        raise DataError(
            f"{path}: no {role} column {sought}; the columns are {', '.join(map(repr, frame.columns))}. "
            f"Name the right one with --{role}-column"
        )
    return found


def _column_or_none(frame: pl.DataFrame, wanted: str | None, usual: tuple[str, ...]) -> str | None:
    if wanted is not None:
        return wanted if wanted in frame.columns else None
    by_lower_case = {name.lower(): name for name in reversed(frame.columns)}
    return next((by_lower_case[name] for name in usual if name in by_lower_case), None)


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
    frame = read_table(path)
    user = find_column(frame, path, "user", columns.user, USER_NAMES)
    item = find_column(frame, path, "item", columns.item, ITEM_NAMES)
    if frame.is_empty():
        raise DataError(f"{path}: there is a header but no interaction below it")
    if columns.timestamp is not None:
        frame = _in_time_order(frame, path, columns.timestamp)
    if min_rating is not None:
        rating = find_column(frame, path, "rating", columns.rating, RATING_NAMES)
        frame = frame.filter(_numbers(frame, path, rating) >= min_rating)
    pairs = frame.select(user=pl.col(user).cast(pl.String), item=pl.col(item).cast(pl.String))
    _refuse_bad_ids(pairs, path)
    return from_pairs(pairs, min_user_items=min_user_items, source=str(path))


def _numbers(frame: pl.DataFrame, path: Path, column: str) -> pl.Series:
    numbers = frame[column].cast(pl.Float64, strict=False)
    bad = (numbers.is_null() | ~numbers.is_finite().fill_null(value=False)).arg_max()
    if bad is not None and (numbers[bad] is None or not np.isfinite(numbers[bad])):
        raise DataError(f"{path}: column {column!r}, data row {bad + 1}: {frame[column][bad]!r} is not a number")
    return numbers


def _in_time_order(frame: pl.DataFrame, path: Path, wanted: str) -> pl.DataFrame:
    column = find_column(frame, path, "timestamp", wanted, ())
    times = _times(frame[column])
    if times.null_count():
        row = int(times.is_null().arg_max() or 0)
        value = frame[column][row]
        raise DataError(
            f"{path}: column {column!r}, data row {row + 1}: {value!r} is neither a number nor an ISO 8601 time"
        )
    return frame.with_columns(times.alias(column)).sort(column, maintain_order=True)


def _times(values: pl.Series) -> pl.Series:
    """As numbers or as times, whichever fits more of the values; null where it does not."""
    if values.dtype.is_temporal():
        return values
    readings = [values.cast(pl.Float64, strict=False)]
    if values.dtype == pl.String:
        plain = values.str.replace("T", " ").str.replace(r"Z$", "")
        readings.append(plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False))
    return min(readings, key=pl.Series.null_count)


def _refuse_bad_ids(pairs: pl.DataFrame, path: Path) -> None:
    for role in ("user", "item"):
        bad = pairs[role].is_null() | (pairs[role] == "")
        if role == "item":
            bad = bad | pairs[role].is_in([".", ".."])
        if bad.any():
            row = int(bad.arg_max() or 0)
            value = pairs[role][row]
            raise DataError(
                f"{path}: data row {row + 1}: the {role} id {value!r} cannot be used; "
                "ids are non-empty text, and an item id is neither '.' nor '..'"
            )


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
