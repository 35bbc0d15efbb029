"""A catalogue file may be whole and still not be what the reader's questions assume: a check finds out."""

import sqlite3
from contextlib import closing, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macrid.artifacts.catalogue import Catalogue, Column, Picture, write_catalogue
from macrid.artifacts.catalogue_rules import MAX_COLUMNS
from macrid.artifacts.errors import CatalogueError


@pytest.fixture
def path(tmp_path):
    """Three items with a column of every kind, the second with a picture."""
    columns = [Column("department", "text"), Column("year", "integer"), Column("price", "real")]
    write_catalogue(
        tmp_path / "catalogue.sqlite",
        item_ids=["lamp-1", "a/walk", "hat"],
        titles=["Red lamp", "Blue lamp shade", "Hat"],
        images=[None] * 3,
        columns=columns,
        rows=[("lights", 1990, 0.5), ("lights", 1991, None), (None, 1992, 2.5)],
        pictures={1: Picture("image/svg+xml", b"<svg/>")},
    )
    return tmp_path / "catalogue.sqlite"


class TestCheck:
    def test_what_the_writer_wrote_passes(self, path):
        with closing(Catalogue.open(path)) as catalogue:
            catalogue.check()

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ("INSERT INTO search (rowid, title) VALUES (7, 'x')", "row 7: the search knows an item that is not there"),
            ("INSERT INTO items (item_index, item_id, title) VALUES (3, 'i', 't')", "row 3: the search does not know"),
            ("UPDATE pictures SET item_index = 7", "row 7: there is a picture and no item"),
            ("UPDATE pictures SET data = 'text'", "row 1: the picture has no bytes"),
            ("UPDATE pictures SET data = x''", "row 1: the picture has no bytes"),
            ("UPDATE pictures SET media_type = x'00'", "row 1: the picture's media type is no text"),
            ("UPDATE pictures SET media_type = 'text/html'", "a picture is 'text/html', expected image/…"),
            (
                "UPDATE columns SET kind = 'real' WHERE kind = 'integer'",
                "table items is 'CREATE TABLE items .*, expected",
            ),
            ("ALTER TABLE items ADD COLUMN more", "table items is 'CREATE TABLE items .*, expected"),
            ("DROP TABLE search", 'table search is None, expected "CREATE VIRTUAL TABLE search'),
            ("DROP TABLE pictures", "cannot be read: no such table: pictures"),
            ("DROP TABLE pictures; CREATE VIEW pictures AS SELECT 7 AS item_index", "table pictures is 'CREATE VIEW"),
        ],
    )
    def test_what_it_would_not_have_written_is_refused(self, path, change, complaint):
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(change)
        with closing(Catalogue.open(path)) as catalogue, pytest.raises(CatalogueError) as refusal:
            catalogue.check()
        assert refusal.match(rf"catalogue\.sqlite: {complaint}")

    @settings(max_examples=40, deadline=None)
    @given(data=st.data())
    def test_a_damaged_file_raises_nothing_but_catalogue_errors(self, tmp_path_factory, data):
        path = tmp_path_factory.mktemp("damaged") / "catalogue.sqlite"
        write_catalogue(path, item_ids=["lamp-1", "hat"], titles=["Red lamp", "Hat"], images=[None] * 2)
        content = bytearray(path.read_bytes())
        for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=20)):
            content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        with suppress(CatalogueError), closing(Catalogue.open(path)) as catalogue:
            catalogue.check()
            catalogue.search("lamp", limit=5)
            catalogue.items(range(len(catalogue)))


class TestLimits:
    @pytest.mark.parametrize(
        ("limit", "offset", "found"), [(0, 0, []), (-1, 0, []), (9, -5, [0, 1]), (9, 10**30, []), (10**30, 1, [1])]
    )
    def test_a_page_beyond_all_measure_is_cut_to_what_there_is(self, path, limit, offset, found):
        with closing(Catalogue.open(path)) as catalogue:
            result = catalogue.search("lamp", limit=limit, offset=offset)
        assert (result.total, result.indices) == (2, found)

    @pytest.mark.parametrize("row", [-1, 3, 10**30])
    def test_a_row_that_is_not_there_has_no_picture(self, path, row):
        with closing(Catalogue.open(path)) as catalogue:
            assert catalogue.picture(row) is None

    def test_as_many_columns_as_there_may_be_are_read_back(self, tmp_path):
        with closing(Catalogue.open(write_columns(tmp_path / "c", MAX_COLUMNS))) as catalogue:
            assert len(catalogue.item(0).metadata) == MAX_COLUMNS

    def test_one_more_is_refused(self, tmp_path):
        with pytest.raises(CatalogueError, match="there are 1001 columns, expected at most 1000"):
            write_columns(tmp_path / "c", MAX_COLUMNS + 1)


def write_columns(path, count):
    columns = [Column(f"size {at}", "text") for at in range(count)]
    write_catalogue(path, item_ids=["i"], titles=["t"], images=[None], columns=columns, rows=[["x"] * count])
    return path
