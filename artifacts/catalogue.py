"""Item metadata in one SQLite file: ids, titles, pictures, the caller's columns, and full-text search (FTS5).

Written once by the trainer; opened read-only and immutable by any number of threads and processes.
"""

import errno
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from macrid.artifacts.catalogue_conditions import Condition, to_sql
from macrid.artifacts.catalogue_rules import (
    Column,
    Picture,
    Value,
    check_columns,
    check_item,
    check_item_id,
    check_item_ids,
    check_pictures,
    is_text,
)
from macrid.artifacts.catalogue_tables import APPLICATION_ID, check_tables, create_tables
from macrid.artifacts.errors import CatalogueError
from macrid.artifacts.schema import Int64Array

__all__ = ["Catalogue", "CatalogueItem", "Column", "Picture", "SearchResult", "Value", "write_catalogue"]

MAX_QUERY_LENGTH = 1000  # FTS5 takes time quadratic in the number of words: 15 s for 100,000
MAX_INTEGER = 2**63 - 1  # SQLite's


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """One item: `index` is its row in every array, `image` an http(s) address; a carried picture is asked for apart."""

    index: int
    item_id: str
    title: str
    image: str | None
    has_picture: bool
    metadata: dict[str, Value]


@dataclass(frozen=True)
class SearchResult:
    """How many items match in all, and the rows of those on the page asked for."""

    total: int
    indices: list[int]


def write_catalogue(
    path: Path,
    *,
    item_ids: Sequence[str],
    titles: Sequence[str],
    images: Sequence[str | None],
    columns: Sequence[Column] = (),
    rows: Sequence[Sequence[Value]] = (),
    pictures: Mapping[int, Picture] | None = None,
) -> None:
    """Write a new catalogue file; item i of every sequence is row i of the bundle's arrays.

    Args:
        path: must not exist.
        item_ids: the caller's ids, M distinct ones.
        titles: what a person reads.
        images: http(s) addresses or None.
        columns: metadata columns, with distinct names.
        rows: per item one value per column; may be left out when there are no columns.
        pictures: row -> picture.

    Raises:
        CatalogueError: names the item or column, the value and what was expected; nothing is left behind.
        OSError: the disk cannot be written; nothing is left behind.
    """
    rows, pictures = rows or [()] * len(item_ids), pictures or {}
    _check(item_ids, titles, images, columns, rows)
    check_pictures(pictures, item_ids)
    if path.exists():
        raise CatalogueError(f"{path}: exists already")
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            create_tables(connection, columns)
            _insert(connection, item_ids, titles, images, columns, rows, pictures)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, sqlite3.OperationalError):  # what is written was checked before, so it is the disk
            raise OSError(errno.EIO, f"{path} cannot be written: {error}") from error
        raise


def _check(
    item_ids: Sequence[str],
    titles: Sequence[str],
    images: Sequence[str | None],
    columns: Sequence[Column],
    rows: Sequence[Sequence[Value]],
) -> None:
    if not len(item_ids) == len(titles) == len(images) == len(rows) > 0:
        lengths = f"{len(item_ids)} ids, {len(titles)} titles, {len(images)} images, {len(rows)} rows"
        raise CatalogueError(
            f"a catalogue needs one title, image and row per item, and at least one item; there are {lengths}"
        )
    check_item_ids(item_ids)
    check_columns(columns)
    for item_id, title, image, row in zip(item_ids, titles, images, rows, strict=True):
        check_item(item_id, title, image, columns, row)


def _insert(
    connection: sqlite3.Connection,
    item_ids: Sequence[str],
    titles: Sequence[str],
    images: Sequence[str | None],
    columns: Sequence[Column],
    rows: Sequence[Sequence[Value]],
    pictures: Mapping[int, Picture],
) -> None:
    connection.execute("BEGIN")
    described = ((at, column.name, column.kind) for at, column in enumerate(columns))
    connection.executemany("INSERT INTO columns VALUES (?, ?, ?)", described)
    places = ", ".join("?" * (4 + len(columns)))
    records = zip(range(len(item_ids)), item_ids, titles, images, rows, strict=True)
    connection.executemany(f"INSERT INTO items VALUES ({places})", ((*first, *row) for *first, row in records))
    searched = ((at, title, _words(columns, row)) for at, (title, row) in enumerate(zip(titles, rows, strict=True)))
    connection.executemany("INSERT INTO search (rowid, title, words) VALUES (?, ?, ?)", searched)
    carried = ((at, picture.media_type, picture.data) for at, picture in sorted(pictures.items()))
    connection.executemany("INSERT INTO pictures VALUES (?, ?, ?)", carried)
    connection.execute("INSERT INTO search (search) VALUES ('optimize')")
    connection.execute("COMMIT")
    connection.execute("VACUUM")


def _words(columns: Sequence[Column], row: Sequence[Value]) -> str:
    return " ".join(
        str(value) for column, value in zip(columns, row, strict=True) if column.kind == "text" and value is not None
    )


class Catalogue:
    """An opened catalogue. Every method may be called from any thread; each call borrows a connection of its own."""

    def __init__(self, path: Path) -> None:
        """Use `Catalogue.open`."""
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        # Re-entrant, since a garbage collection in the midst of a call may close another, or this, catalogue.
        self._lock = threading.RLock()
        self._closed = False
        try:
            self._read_shape()
        except BaseException:
            self.close()
            raise

    def _read_shape(self) -> None:
        path = self._path
        with self._query() as connection:
            if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise CatalogueError(f"{path}: is not a catalogue: its application id is not {APPLICATION_ID:#x}")
            described = connection.execute("SELECT name, kind FROM columns ORDER BY position").fetchall()
            self._count = int(connection.execute("SELECT count(*) FROM items").fetchone()[0])
            self.columns = tuple(Column(name, kind) for name, kind in described)
            self._names = tuple(column.name for column in self.columns)
            own = "".join(f", c{at}" for at in range(len(described)))
            self._select = (
                "SELECT item_index, item_id, title, image,"
                f" EXISTS (SELECT 1 FROM pictures p WHERE p.item_index = items.item_index){own} FROM items"
            )

    @staticmethod
    def open(path: Path) -> "Catalogue":
        """Open a catalogue file.

        Raises:
            CatalogueError: it is absent or is no catalogue.
        """
        if not path.is_file():
            raise CatalogueError(f"{path}: no such file")
        return Catalogue(path)

    def check(self) -> None:
        """Read all of it.

        Raises:
            CatalogueError: SQLite finds it damaged, its tables are not the format's or do not agree, the rows are not
                numbered 0 to M − 1, or an item breaks a rule.
        """
        with self._query() as connection:
            try:
                self._check_content(connection)
            except CatalogueError as error:
                raise CatalogueError(f"{self._path}: {error}") from error

    def _check_content(self, connection: sqlite3.Connection) -> None:
        check_columns(self.columns)
        for expected, row in enumerate(connection.execute(f"{self._select} ORDER BY item_index")):
            index, item_id, title, image, _, *values = row
            if index != expected:
                raise CatalogueError(f"row {expected} is missing; rows go from 0 to {self._count - 1}")
            check_item_id(item_id)
            check_item(item_id, title, image, self.columns, values)
        check_tables(connection, self.columns)

    def close(self) -> None:
        """Close all connections, those in use when their call ends; using the catalogue afterwards is an error."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    def __len__(self) -> int:
        return self._count

    def indices(self, item_ids: Sequence[str]) -> dict[str, int]:
        """The rows of those ids that are known."""
        if not item_ids:
            return {}
        with self._query() as connection:
            known = [item_id for item_id in item_ids if is_text(item_id)]
            found = connection.execute(
                "SELECT item_id, item_index FROM items WHERE item_id IN (SELECT value FROM json_each(?))",
                (json.dumps(known),),
            )
            return dict(found.fetchall())

    def item_ids(self, indices: Sequence[int]) -> list[str]:
        """The ids of these rows, which must be there, in this order."""
        with self._query() as connection:
            rows = connection.execute(
                "SELECT item_index, item_id FROM items WHERE item_index IN (SELECT value FROM json_each(?))",
                (json.dumps([int(index) for index in indices]),),
            )
            found = dict(rows.fetchall())
        return [found[int(index)] for index in indices]

    def item(self, index: int) -> CatalogueItem:
        """The item of one row.

        Raises:
            CatalogueError: there is no such row.
        """
        return self.items([index])[0]

    def items(self, indices: Sequence[int]) -> list[CatalogueItem]:
        """The items of these rows, in this order.

        Raises:
            CatalogueError: there is no such row.
        """
        wanted = [int(index) for index in indices]
        with self._query() as connection:
            rows = connection.execute(
                f"{self._select} WHERE item_index IN (SELECT value FROM json_each(?))", (json.dumps(wanted),)
            ).fetchall()
        found = {row[0]: self._item(row) for row in rows}
        missing = next((index for index in wanted if index not in found), None)
        if missing is not None:
            raise CatalogueError(f"{self._path}: there is no row {missing}; rows go from 0 to {self._count - 1}")
        return [found[index] for index in wanted]

    def _item(self, row: tuple[Any, ...]) -> CatalogueItem:
        index, item_id, title, image, has_picture, *values = row
        metadata = dict(zip(self._names, values, strict=True))
        return CatalogueItem(index, item_id, title, image, bool(has_picture), metadata)

    def search(self, query: str, *, limit: int, offset: int = 0) -> SearchResult:
        """Find items whose title or text columns have all words of the query, the last one as a beginning.

        Any text is a safe query; one without a word finds nothing. Better matches come first, titles counting double.
        What comes after the first 1000 characters is not looked at. A limit or offset below 0 counts as 0.
        """
        match = _as_match(query)
        page = [min(max(number, 0), MAX_INTEGER) for number in (limit, offset)]
        with self._query() as connection:
            total = connection.execute("SELECT count(*) FROM search WHERE search MATCH ?", (match,)).fetchone()[0]
            found = connection.execute(
                "SELECT rowid FROM search WHERE search MATCH ? ORDER BY bm25(search, 2.0, 1.0), rowid LIMIT ? OFFSET ?",
                (match, *page),
            )
            return SearchResult(total, [row[0] for row in found])

    def matching(self, condition: Condition) -> Int64Array:
        """The rows, ascending, of the items that meet a condition on the caller's columns: one pass over all items.

        Raises:
            CatalogueError: there is no such column.
        """
        query, values = to_sql(condition, self.columns)
        with self._query() as connection:
            found = connection.execute(query, values)
            return np.fromiter((row[0] for row in found), dtype=np.int64)

    def picture(self, index: int) -> Picture | None:
        """The picture the bundle carries for a row, if any."""
        if not 0 <= index < self._count:
            return None
        with self._query() as connection:
            row = connection.execute(
                "SELECT media_type, data FROM pictures WHERE item_index = ?", (int(index),)
            ).fetchone()
        return Picture(*row) if row else None

    @contextmanager
    def _query(self) -> Iterator[sqlite3.Connection]:
        """A connection; whatever SQLite finds wrong with the file becomes a CatalogueError that names it."""
        try:
            connection = self._borrow()
            try:
                yield connection
            finally:
                self._give_back(connection)
        except (sqlite3.Error, UnicodeError, TypeError, ValueError) as error:
            raise CatalogueError(f"{self._path}: cannot be read: {error}") from error

    # Connections go from call to call, and there are never more than calls at one time. One per thread was the first
    # design: servers let idle threads end and start others, and every ended thread left a connection open.
    def _borrow(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise CatalogueError(f"{self._path}: is closed")
            if self._idle:
                return self._idle.pop()
        address = f"file:{quote(str(self._path.resolve()))}?mode=ro&immutable=1"
        return sqlite3.connect(address, uri=True, check_same_thread=False)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()


def _as_match(query: str) -> str:
    """Words as FTS5 phrases, whose contents are text and nothing else; the last may go on.

    FTS5 itself finds the words within a phrase, by the rules that it split the titles by, and skips a phrase without any.
    """
    text = query[:MAX_QUERY_LENGTH].replace("\0", " ").encode("utf-8", "ignore").decode()
    phrases = ['"' + word.replace('"', '""') + '"' for word in text.split()]
    return " ".join(phrases or ['""']) + "*"
