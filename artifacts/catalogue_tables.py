"""The tables of a catalogue file: how they are made, and whether a file that was opened has them and they agree."""

import sqlite3
from collections.abc import Iterator, Sequence

from macrid.artifacts.catalogue_rules import MEDIA_TYPE, Column, Kind
from macrid.artifacts.errors import CatalogueError

APPLICATION_ID = 0x4D435244  # "MCRD"

_TYPES: dict[Kind, str] = {"text": "TEXT", "integer": "INTEGER", "real": "REAL"}


def statements(columns: Sequence[Column]) -> dict[str, str]:
    """Every table of a catalogue with these columns: its name, and the SQL that makes it and that the file repeats.

    The caller's columns are stored as c0, c1 …: their own names, whatever they hold, stay values and never become SQL.
    """
    own = "".join(f", c{at} {_TYPES[column.kind]}" for at, column in enumerate(columns))
    return {
        "columns": "CREATE TABLE columns (position INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL)",
        "pictures": "CREATE TABLE pictures (item_index INTEGER PRIMARY KEY, media_type TEXT NOT NULL, data BLOB NOT NULL)",
        "search": "CREATE VIRTUAL TABLE search USING fts5 "
        "(title, words, content = '', tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3')",
        "items": "CREATE TABLE items (item_index INTEGER PRIMARY KEY, item_id TEXT UNIQUE NOT NULL,"
        f" title TEXT NOT NULL, image TEXT{own})",
    }


def create_tables(connection: sqlite3.Connection, columns: Sequence[Column]) -> None:
    """Make the tables of an empty file."""
    # Neither journal nor syncing: a catalogue is new, and is copied into a bundle, which is synced as a whole.
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in statements(columns).values():
        connection.execute(statement)


def check_tables(connection: sqlite3.Connection, columns: Sequence[Column]) -> None:
    """Hold a file to these tables, and the tables to each other. The values of items are `catalogue_rules`' matter.

    Raises:
        CatalogueError: SQLite finds it damaged, a table is another than the format's, the search knows other rows than
            there are items, or a picture is none, or of no item.
    """
    state = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if state != "ok":
        raise CatalogueError(f"is damaged: {state}")
    for name, statement in statements(columns).items():
        found = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        if found is None or found[0] != statement:
            raise CatalogueError(f"table {name} is {found[0] if found else None!r}, expected {statement!r}")
    for question, complaint in _questions():
        row = connection.execute(question).fetchone()
        if row is not None:
            raise CatalogueError(f"row {row[0]}: {complaint}")
    for (media_type,) in connection.execute("SELECT DISTINCT media_type FROM pictures"):
        if not MEDIA_TYPE.fullmatch(media_type):
            raise CatalogueError(f"a picture is {media_type!r:.80}, expected image/…")


def _questions() -> Iterator[tuple[str, str]]:
    """Questions that a catalogue has no answer to, and what is wrong with a row that is one."""
    rows = "SELECT item_index FROM items"
    searched = "SELECT id FROM search_docsize"  # FTS5's own table of rows: a search without content lists none
    yield f"{rows} EXCEPT {searched}", "the search does not know this item"
    yield f"{searched} EXCEPT {rows}", "the search knows an item that is not there"
    yield f"SELECT item_index FROM pictures EXCEPT {rows}", "there is a picture and no item"
    yield "SELECT item_index FROM pictures WHERE typeof(media_type) <> 'text'", "the picture's media type is no text"
    yield "SELECT item_index FROM pictures WHERE typeof(data) <> 'blob' OR data = x''", "the picture has no bytes"
