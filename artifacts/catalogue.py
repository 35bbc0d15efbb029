"""Item metadata in one SQLite file: ids, titles, pictures, the caller's columns, and full-text search (FTS5).

Written once by the trainer; opened read-only and immutable by any number of threads and processes.
"""

import json
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from macrid.artifacts.errors import CatalogueError

APPLICATION_ID = 0x4D435244  # "MCRD"
MAX_ID_LENGTH = 512

Kind = Literal["text", "integer", "real"]
Value = str | int | float | None

_TYPES: dict[Kind, str] = {"text": "TEXT", "integer": "INTEGER", "real": "REAL"}
_SCHEMA = """
CREATE TABLE columns (position INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL);
CREATE TABLE pictures (item_index INTEGER PRIMARY KEY, media_type TEXT NOT NULL, data BLOB NOT NULL);
CREATE VIRTUAL TABLE search USING fts5 (title, words, content = '', tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3');
"""


@dataclass(frozen=True)
class Column:
    """One of the caller's metadata columns."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class CatalogueItem:
    """One item: `index` is its row in every array, `image` an http(s) address; a carried picture is asked for apart."""

    index: int
    item_id: str
    title: str
    image: str | None
    has_picture: bool
    metadata: dict[str, Value]


@dataclass(frozen=True)
class Picture:
    """An image file carried by the bundle."""

    media_type: str
    data: bytes


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
        CatalogueError: names the item or column, the value and what was expected.
    """
    rows = rows or [()] * len(item_ids)
    _check(item_ids, titles, images, columns, rows)
    if path.exists():
        raise CatalogueError(f"{path}: exists already")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA application_id = {APPLICATION_ID};" + _SCHEMA)
        # The caller's columns are stored as c0, c1 …: their own names, whatever they hold, stay values and never become SQL.
        own = "".join(f", c{at} {_TYPES[column.kind]}" for at, column in enumerate(columns))
        connection.execute(
            "CREATE TABLE items (item_index INTEGER PRIMARY KEY, item_id TEXT UNIQUE NOT NULL,"
            f" title TEXT NOT NULL, image TEXT{own})"
        )
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO columns VALUES (?, ?, ?)", ((at, c.name, c.kind) for at, c in enumerate(columns))
        )
        places = ", ".join("?" * (4 + len(columns)))
        records = zip(range(len(item_ids)), item_ids, titles, images, rows, strict=True)
        connection.executemany(
            f"INSERT INTO items VALUES ({places})", ((at, i, t, m, *row) for at, i, t, m, row in records)
        )
        connection.executemany(
            "INSERT INTO search (rowid, title, words) VALUES (?, ?, ?)",
            ((at, title, _words(columns, row)) for at, (title, row) in enumerate(zip(titles, rows, strict=True))),
        )
        connection.executemany(
            "INSERT INTO pictures VALUES (?, ?, ?)",
            ((at, picture.media_type, picture.data) for at, picture in sorted((pictures or {}).items())),
        )
        connection.execute("INSERT INTO search (search) VALUES ('optimize')")
        connection.execute("COMMIT")
        connection.execute("VACUUM")


def _words(columns: Sequence[Column], row: Sequence[Value]) -> str:
    texts = (value for column, value in zip(columns, row, strict=True) if column.kind == "text" and value is not None)
    return " ".join(str(value).replace("|", " ") for value in texts)


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
    seen: set[str] = set()
    for item_id in item_ids:
        check_item_id(item_id)
        if item_id in seen:
            raise CatalogueError(f"the item id {item_id!r} stands twice")
        seen.add(item_id)
    names = [column.name for column in columns]
    if len(set(names)) < len(names) or not all(names):
        raise CatalogueError(f"column names must be distinct and not empty; they are {names}")
    types: dict[Kind, tuple[type, ...]] = {"text": (str,), "integer": (int,), "real": (int, float)}
    for item_id, title, row in zip(item_ids, titles, rows, strict=True):
        if not _is_text(title):
            raise CatalogueError(f"item {item_id!r}: the title {title!r} is not text")
        if len(row) != len(columns):
            raise CatalogueError(f"item {item_id!r}: has {len(row)} values, expected one for each of {names}")
        for column, value in zip(columns, row, strict=True):
            if value is not None and (
                type(value) not in types[column.kind] or (column.kind == "text" and not _is_text(value))
            ):
                raise CatalogueError(
                    f"item {item_id!r}: column {column.name!r} holds {value!r}, expected {column.kind}"
                )


def check_item_id(item_id: object) -> None:
    """Refuse an id that no address could hold or no file could store.

    Raises:
        CatalogueError: it is no text, empty, '.', '..', longer than 512 characters, or has a NUL or a lone surrogate.
    """
    if not _is_text(item_id) or item_id in ("", ".", "..") or len(str(item_id)) > MAX_ID_LENGTH:
        raise CatalogueError(
            f"the item id {item_id!r:.80} cannot be used; "
            f"expected 1 to {MAX_ID_LENGTH} characters of text other than '.' and '..'"
        )


def _is_text(value: object) -> bool:
    return (
        isinstance(value, str)
        and "\0" not in value
        and not any("\ud800" <= character <= "\udfff" for character in value)
    )


class Catalogue:
    """An opened catalogue. Every method may be called from any thread; each thread gets a connection of its own."""

    def __init__(self, path: Path) -> None:
        """Use `Catalogue.open`."""
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False
        try:
            self._read_shape()
        except CatalogueError:
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
            CatalogueError: SQLite finds it damaged, the rows are not numbered 0 to M − 1, or an id cannot be used.
        """
        with self._query() as connection:
            state = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if state != "ok":
                raise CatalogueError(f"{self._path}: is damaged: {state}")
            if any(column.kind not in _TYPES for column in self.columns):
                raise CatalogueError(
                    f"{self._path}: its columns are {self.columns}, expected kinds {', '.join(_TYPES)}"
                )
            low, high = connection.execute("SELECT min(item_index), max(item_index) FROM items").fetchone()
            if (low, high) != (0, self._count - 1):
                raise CatalogueError(
                    f"{self._path}: items are numbered {low} to {high}, expected 0 to {self._count - 1}"
                )
            for (item_id,) in connection.execute("SELECT item_id FROM items"):
                check_item_id(item_id)

    def close(self) -> None:
        """Close the connections of all threads; using the catalogue afterwards is an error."""
        with self._lock:
            self._closed = True
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def __len__(self) -> int:
        return self._count

    def indices(self, item_ids: Sequence[str]) -> dict[str, int]:
        """The rows of those ids that are known."""
        if not item_ids:
            return {}
        with self._query() as connection:
            known = [item_id for item_id in item_ids if _is_text(item_id)]
            found = connection.execute(
                "SELECT item_id, item_index FROM items WHERE item_id IN (SELECT value FROM json_each(?))",
                (json.dumps(known),),
            )
            return dict(found.fetchall())

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
        metadata = {column.name: value for column, value in zip(self.columns, values, strict=True)}
        return CatalogueItem(index, item_id, title, image, bool(has_picture), metadata)

    def search(self, query: str, *, limit: int, offset: int = 0) -> SearchResult:
        """Find items whose title or text columns have all words of the query, the last one as a beginning.

        Any text is a safe query; one without a word finds nothing. Better matches come first, titles counting double.
        """
        words = re.findall(r"\w+", query)
        if not words:
            return SearchResult(0, [])
        match = " ".join(f'"{word}"' for word in words) + "*"
        with self._query() as connection:
            total = connection.execute("SELECT count(*) FROM search WHERE search MATCH ?", (match,)).fetchone()[0]
            page = connection.execute(
                "SELECT rowid FROM search WHERE search MATCH ? ORDER BY bm25(search, 2.0, 1.0), rowid LIMIT ? OFFSET ?",
                (match, limit, offset),
            )
            return SearchResult(total, [row[0] for row in page])

    def picture(self, index: int) -> Picture | None:
        """The picture the bundle carries for a row, if any."""
        with self._query() as connection:
            row = connection.execute(
                "SELECT media_type, data FROM pictures WHERE item_index = ?", (int(index),)
            ).fetchone()
        return Picture(*row) if row else None

    @contextmanager
    def _query(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection; whatever SQLite finds wrong with the file becomes a CatalogueError that names it."""
        try:
            yield self._connection()
        except (sqlite3.Error, UnicodeError, TypeError, ValueError) as error:
            raise CatalogueError(f"{self._path}: cannot be read: {error}") from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            # check_same_thread=False only so that close() may close the connections of other threads.
            connection = sqlite3.connect(
                f"file:{quote(str(self._path.resolve()))}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            with self._lock:
                if self._closed:
                    connection.close()
                    raise CatalogueError(f"{self._path}: is closed")
                self._connections.append(connection)
            self._local.connection = connection
        return connection
