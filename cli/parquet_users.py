"""Users in, recommendations out, as Parquet: what `macrid recommend` reads and writes, some users at a time."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import typer

from macrid.service.arrays import Int64Array
from macrid.service.bulk import Recommended

USERS_AT_ONCE = 512
# Users read from the file at a time: opening it again costs as much as the histories of some hundred.
READ_AT_ONCE = 16 * USERS_AT_ONCE
# Rows of the answer that are written together, about 30 MB in memory.
ROWS_AT_ONCE = 1_000_000


def check_columns(users: Path, user: str, history: str) -> None:
    """Refuse a file without the two columns, or whose histories are not lists of text."""
    with _reading(users):
        schema = pl.scan_parquet(users, glob=False).collect_schema()
    for name in (user, history):
        if name not in schema:
            raise typer.BadParameter(f"{users} has no column {name!r}; it has {', '.join(schema)}", param_hint="USERS")
    if schema[history] != pl.List(pl.String):
        raise typer.BadParameter(
            f"{users}: column {history!r} holds {schema[history]}, expected lists of text", param_hint="USERS"
        )


def count_users(users: Path) -> int:
    """How many rows a file has."""
    with _reading(users):
        return int(pl.scan_parquet(users, glob=False).select(pl.len()).collect().item())


def batches(users: Path, user: str, history: str, total: int) -> Iterator[pl.DataFrame]:
    """Read so many users, some at a time, as the columns `user` and `history`; a file without any is one batch of none."""
    table = pl.scan_parquet(users, glob=False).select(pl.col(user).alias("user"), pl.col(history).alias("history"))
    for start in range(0, max(total, 1), READ_AT_ONCE):
        with _reading(users):
            read = table.slice(start, READ_AT_ONCE).collect()
        yield from read.iter_slices(USERS_AT_ONCE) if total else [read]


def known_rows(item_ids: list[str]) -> pl.DataFrame:
    """Item ids and their rows, to look clicks up in."""
    return pl.DataFrame({"item": pl.Series(item_ids, dtype=pl.String), "row": np.arange(len(item_ids))})


def histories_of(batch: pl.DataFrame, known: pl.DataFrame) -> list[Int64Array]:
    """The rows of each user's known items, ascending and once each."""
    clicks = (
        batch.select(pl.int_range(pl.len()).alias("at"), pl.col("history").alias("item"))
        .explode("item")
        .join(known, on="item")
    )
    keys = np.sort(clicks["at"].to_numpy() * len(known) + clicks["row"].to_numpy())  # user by user, items ascending
    at, rows = np.divmod(keys[np.diff(keys, prepend=-1) > 0], len(known))
    return list(np.split(rows, np.searchsorted(at, np.arange(1, len(batch)))))[: len(batch)]


def as_table(batch: pl.DataFrame, answer: Recommended, known: pl.DataFrame, user: str) -> pl.DataFrame:
    """One row for each user and item, best first; no score where the items are simply the most popular ones."""
    ranks = np.arange(len(answer.indices)) - np.repeat(np.cumsum(answer.counts) - answer.counts, answer.counts) + 1
    return pl.DataFrame(
        {
            user: batch["user"].gather(np.repeat(np.arange(len(batch)), answer.counts)),
            "rank": ranks.astype(np.int32),
            "item": known["item"].gather(answer.indices),
            "score": pl.Series(answer.scores).fill_nan(None),
            "concept": answer.concepts.astype(np.int32),
        }
    )


def write(tables: Iterable[pl.DataFrame], out: Path) -> None:
    """Write tables, at least one, into one file, which is there once it is whole; only so much is in memory at a time.

    Polars writes a file in one go, so the parts of a long one become files of their own first.

    Raises:
        OSError: the file cannot be written, for instance because the disk is full; then nothing is left.
    """
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        parts: list[Path] = []
        for part in joined(tables):
            parts.append(Path(folder) / f"{len(parts):08}.parquet")
            with _writing(out):
                part.write_parquet(parts[-1])
        whole = parts[0]
        if len(parts) > 1:
            whole = Path(folder) / "whole.parquet"
            with _writing(out):
                pl.scan_parquet(parts, glob=False).sink_parquet(whole)
        whole.rename(out)


def joined(tables: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Put tables together until they have as many rows as are written together."""
    waiting: list[pl.DataFrame] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= ROWS_AT_ONCE:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


@contextmanager
def _reading(users: Path) -> Iterator[None]:
    """Name the file that cannot be read."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        raise typer.BadParameter(f"{users} cannot be read as Parquet: {error}", param_hint="USERS") from error


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Polars has a word of its own for what the system refuses."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        raise OSError(f"{out} cannot be written: {error}") from error
