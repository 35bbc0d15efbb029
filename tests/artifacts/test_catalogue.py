"""A catalogue keeps whatever callers call their items and columns, finds it again, and never takes text for SQL."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macrid.artifacts import catalogue as catalogue_module
from macrid.artifacts.catalogue import Catalogue, Column, Picture, SearchResult, write_catalogue
from macrid.artifacts.errors import CatalogueError
from tests.support.tampering import files_of

AWKWARD_IDS = (
    "a", "A", "a/walk", "/", "//", "a?b#c%20", "with space", " ", "naïve ☃ 👜", "日本", "..a", "...", "quo'te\"d", "1", "01",
    "1.0", "null", "-1", "%", "_", "*", "\n", "\t", "\\", "e\u0301", "é", "\U0010ffff", "x" * 512,
    "'; DROP TABLE items; --",
)  # fmt: skip
TITLES = (
    "Crème brûlée dish", "Small red bag", "Large red bag", "Red-brown leather bag", "Cafe\u0301 chairs", "Straße lamp",
    "हिन्दी किताब", "Rock & Roll mug", 'The "quoted" vase', "snake_case hat",
)  # fmt: skip


def written(path, **fields):
    """Write a catalogue of three items with a column of each kind; `fields` replace what it is given."""
    usual = {
        "item_ids": ("a", "b", "c"),
        "titles": ("First", "Second", "Third"),
        "images": ("https://example.org/a.png", None, None),
        "columns": (Column("genre", "text"), Column("year", "integer"), Column("price", "real")),
        "rows": (("drama", 1999, 9.5), ("comedy", None, 3), (None, -(2**63), 0.1)),
        "pictures": {1: Picture("image/svg+xml", b"<svg/>")},
    }
    write_catalogue(path, **{**usual, **fields})
    return path


def bare(path, item_ids, titles=None):
    """Write a catalogue without columns, images or pictures."""
    write_catalogue(path, item_ids=item_ids, titles=titles or item_ids, images=[None] * len(item_ids))
    return path


@pytest.fixture
def catalogue(tmp_path):
    """Three items with a column of each kind."""
    with closing(Catalogue.open(written(tmp_path / "catalogue.sqlite"))) as opened:
        yield opened


@pytest.fixture
def titles(tmp_path):
    """Ten items known by their titles."""
    path = bare(tmp_path / "titles.sqlite", [f"item-{at}" for at in range(len(TITLES))], TITLES)
    with closing(Catalogue.open(path)) as opened:
        yield opened


class TestItems:
    def test_an_item_is_read_as_it_was_written(self, catalogue):
        first, second, third = catalogue.items([0, 1, 2])
        assert (first.index, first.item_id, first.title) == (0, "a", "First")
        assert (first.image, first.has_picture) == ("https://example.org/a.png", False)
        assert first.metadata == {"genre": "drama", "year": 1999, "price": 9.5}
        assert (second.image, second.has_picture) == (None, True)
        assert second.metadata == {"genre": "comedy", "year": None, "price": 3.0}
        assert third.metadata == {"genre": None, "year": -(2**63), "price": 0.1}

    def test_values_keep_their_types(self, catalogue):
        metadata = catalogue.item(1).metadata
        assert [type(value) for value in metadata.values()] == [str, type(None), float]
        assert catalogue.columns == (Column("genre", "text"), Column("year", "integer"), Column("price", "real"))

    def test_text_that_looks_like_a_number_stays_text(self, tmp_path):
        path = written(tmp_path / "x", columns=(Column("size", "text"),), rows=(("38",), ("038",), ("1e3",)))
        with closing(Catalogue.open(path)) as catalogue:
            assert [item.metadata["size"] for item in catalogue.items([0, 1, 2])] == ["38", "038", "1e3"]

    def test_items_come_in_the_order_asked_for_repeats_included(self, catalogue):
        assert [item.index for item in catalogue.items([2, 0, 2])] == [2, 0, 2]
        assert catalogue.items([]) == []

    @pytest.mark.parametrize("row", [-1, 3, 2**63, 10**30])
    def test_a_row_there_is_not_is_refused_by_its_number(self, catalogue, row):
        with pytest.raises(CatalogueError, match=f"there is no row {row}; rows go from 0 to 2"):
            catalogue.item(row)

    def test_its_length_is_the_number_of_items(self, catalogue):
        assert len(catalogue) == 3

    def test_without_columns_no_rows_are_needed(self, tmp_path):
        with closing(Catalogue.open(bare(tmp_path / "x", ["a"]))) as catalogue:
            assert catalogue.item(0).metadata == {}
            assert catalogue.columns == ()


class TestItemIds:
    def test_awkward_ones_are_found_and_given_back_as_they_were(self, tmp_path):
        with closing(Catalogue.open(bare(tmp_path / "x", AWKWARD_IDS))) as catalogue:
            assert catalogue.indices(AWKWARD_IDS) == {item_id: row for row, item_id in enumerate(AWKWARD_IDS)}
            assert [item.item_id for item in catalogue.items(range(len(AWKWARD_IDS)))] == list(AWKWARD_IDS)
            catalogue.check()

    def test_unknown_ones_are_left_out(self, catalogue):
        assert catalogue.indices(["b", "stranger", "b", "A", "a "]) == {"b": 1}
        assert catalogue.indices([]) == {}

    @pytest.mark.parametrize("item_id", ["", "a\0", "\0", "\ud800", "a\udfff", "x" * 100_000, '"]', "NULL"])
    def test_any_text_may_be_asked_for(self, catalogue, item_id):
        assert catalogue.indices([item_id, "a"]) == {"a": 0}

    def test_many_may_be_asked_for_at_once(self, catalogue):
        assert catalogue.indices([*map(str, range(100_000)), "c"]) == {"c": 2}

    @pytest.mark.parametrize("item_id", ["", ".", "..", "a\0b", "\0", "\ud800", "x" * 513, None, 7, b"a"])
    def test_one_that_no_address_could_hold_is_refused(self, tmp_path, item_id):
        with pytest.raises(CatalogueError, match=r"the item id .* cannot be used; expected 1 to 512 characters"):
            bare(tmp_path / "x", ["a", item_id], ["one", "two"])
        assert files_of(tmp_path) == []

    def test_the_same_one_twice_is_refused(self, tmp_path):
        with pytest.raises(CatalogueError, match="the item id 'b' stands twice"):
            bare(tmp_path / "x", ["a", "b", "b"])

    @given(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1, unique=True)
    )
    def test_whatever_they_are_they_come_back(self, tmp_path_factory, item_ids):
        item_ids = [item_id for item_id in item_ids if item_id not in (".", "..")] or ["a"]
        path = bare(tmp_path_factory.mktemp("any") / "x", item_ids)
        with closing(Catalogue.open(path)) as catalogue:
            assert catalogue.indices(item_ids) == {item_id: row for row, item_id in enumerate(item_ids)}
            assert [item.title for item in catalogue.items(range(len(item_ids)))] == item_ids


class TestColumns:
    @pytest.mark.parametrize(
        "name",
        ['"; DROP TABLE items; --', "'", "c0", "item_id", "title", "select", "a b", "naïve ☃", "%s", "?", "x" * 5_000],
    )
    def test_a_name_is_a_value_and_never_sql(self, tmp_path, name):
        path = written(tmp_path / "x", columns=(Column(name, "text"),), rows=(("one",), ("two",), (None,)))
        with closing(Catalogue.open(path)) as catalogue:
            assert [item.metadata for item in catalogue.items([0, 1, 2])] == [
                {name: "one"},
                {name: "two"},
                {name: None},
            ]
            catalogue.check()

    @pytest.mark.parametrize("names", [["a", "a"], [""], ["a\0"], ["\ud800"], [None]])
    def test_names_must_be_distinct_text(self, tmp_path, names):
        columns = [Column(name, "text") for name in names]
        with pytest.raises(CatalogueError, match="column names must be distinct and not empty; they are"):
            written(tmp_path / "x", columns=columns, rows=[[None] * len(names)] * 3)

    def test_a_kind_must_be_known(self, tmp_path):
        with pytest.raises(CatalogueError, match="column 'seen' is of kind 'date', expected text, integer, real"):
            written(tmp_path / "x", columns=(Column("seen", "date"),), rows=((None,),) * 3)

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("text", 3),
            ("text", "a\0b"),
            ("text", "\ud800"),
            ("text", b"bytes"),
            ("integer", "3"),
            ("integer", 3.0),
            ("integer", True),
            ("integer", 2**63),
            ("integer", -(2**63) - 1),
            ("real", "3.5"),
            ("real", True),
            ("real", float("nan")),
            ("real", float("inf")),
            ("real", 10**400),
        ],
    )
    def test_a_value_of_another_kind_is_refused_by_item_and_column(self, tmp_path, kind, value):
        with pytest.raises(CatalogueError, match=rf"item 'b': column 'x' holds .*, expected {kind}"):
            written(tmp_path / "x", columns=(Column("x", kind),), rows=((None,), (value,), (None,)))
        assert files_of(tmp_path) == []

    def test_empty_text_is_text(self, tmp_path):
        path = written(
            tmp_path / "x", titles=("", "", ""), columns=(Column("x", "text"),), rows=(("",), (None,), ("",))
        )
        with closing(Catalogue.open(path)) as catalogue:
            assert [item.metadata["x"] for item in catalogue.items([0, 1, 2])] == ["", None, ""]
            assert catalogue.item(0).title == ""

    def test_a_row_must_have_one_value_per_column(self, tmp_path):
        with pytest.raises(CatalogueError, match=r"item 'c': has 2 values, expected one for each of \['genre', 'year'"):
            written(tmp_path / "x", rows=(("drama", 1, 1.0), ("drama", 1, 1.0), ("drama", 1)))


class TestWriting:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            (
                {"item_ids": (), "titles": (), "images": (), "rows": (), "pictures": {}},
                "at least one item; there are 0 ids",
            ),
            ({"titles": ("First", "Second")}, "there are 3 ids, 2 titles, 3 images, 3 rows"),
            ({"images": (None,)}, "there are 3 ids, 3 titles, 1 images, 3 rows"),
            ({"rows": ((None, None, None),)}, "there are 3 ids, 3 titles, 3 images, 1 rows"),
            ({"titles": ("First", None, "Third")}, "item 'b': the title None is not text"),
            ({"titles": ("First", "a\0", "Third")}, r"item 'b': the title 'a\x00' is not text"),
            (
                {"images": (None, "javascript:alert(1)", None)},
                "item 'b': the image 'javascript:alert(1)' is no http(s)",
            ),
            ({"images": (None, "", None)}, "item 'b': the image '' is no http(s)"),
            ({"images": (None, "https://\ud800", None)}, "is no http(s)"),
            ({"pictures": {3: Picture("image/png", b"x")}}, "a picture for row 3; rows go from 0 to 2"),
            ({"pictures": {-1: Picture("image/png", b"x")}}, "a picture for row -1"),
            ({"pictures": {1: Picture("text/html", b"x")}}, "item 'b': its picture is 'text/html', expected image/…"),
            ({"pictures": {1: Picture("image/png\r\nx: y", b"x")}}, "expected image/…"),
            ({"pictures": {1: Picture("image/png", b"")}}, "item 'b': its picture is empty"),
        ],
    )
    def test_what_does_not_fit_is_refused_and_leaves_nothing_behind(self, tmp_path, fields, message):
        with pytest.raises(CatalogueError) as refusal:
            written(tmp_path / "x", **fields)
        assert message in str(refusal.value)
        assert files_of(tmp_path) == []

    def test_what_exists_is_not_written_over(self, tmp_path):
        (tmp_path / "x").write_text("precious")
        with pytest.raises(CatalogueError, match="x: exists already"):
            written(tmp_path / "x")
        assert (tmp_path / "x").read_text() == "precious"

    def test_a_disk_that_fails_leaves_nothing_behind(self, tmp_path, monkeypatch):
        def fail(*_):
            raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr(catalogue_module, "_words", fail)
        with pytest.raises(OSError, match="x cannot be written: disk I/O error"):
            written(tmp_path / "x")
        assert files_of(tmp_path) == []

    def test_the_same_items_give_the_same_bytes(self, tmp_path):
        assert written(tmp_path / "x").read_bytes() == written(tmp_path / "y").read_bytes()


class TestOpening:
    @pytest.mark.parametrize("data", [b"", b"no database at all" * 99, b"SQLite format 3\0" + b"\0" * 4_000])
    def test_what_is_no_catalogue_is_refused_by_its_name(self, tmp_path, data):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(CatalogueError, match=f"{tmp_path}/x: "):
            Catalogue.open(tmp_path / "x")

    def test_nobody_waits_for_a_lock_that_somebody_holds_on_the_file(self, tmp_path):
        written(tmp_path / "x")
        with closing(sqlite3.connect(tmp_path / "x", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with closing(Catalogue.open(tmp_path / "x")) as catalogue:
                assert catalogue.item(0).item_id == "a"

    def test_a_database_of_somebody_else_is_refused(self, tmp_path):
        with closing(sqlite3.connect(tmp_path / "x")) as connection:
            connection.execute("CREATE TABLE items (item_index)")
        with pytest.raises(CatalogueError, match="x: is not a catalogue: its application id is not 0x4d435244"):
            Catalogue.open(tmp_path / "x")

    @pytest.mark.parametrize("place", ["nowhere", "."])
    def test_what_is_no_file_is_refused(self, tmp_path, place):
        with pytest.raises(CatalogueError, match="no such file"):
            Catalogue.open(tmp_path / place)

    @pytest.mark.parametrize("name", ["a?b", "a#b", "a%20b", "with space", "naïve ☃", "a&mode=rwc"])
    def test_a_path_may_hold_what_means_something_in_an_address(self, tmp_path, name):
        with closing(Catalogue.open(written(tmp_path / name))) as catalogue:
            assert len(catalogue) == 3
        assert files_of(tmp_path) == [name]

    def test_nothing_can_be_written_to_it(self, catalogue):
        with pytest.raises(CatalogueError, match="readonly database"), catalogue._query() as connection:
            connection.execute("DELETE FROM items")

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            ("UPDATE items SET item_index = 7 WHERE item_index = 1", "row 1 is missing; rows go from 0 to 2"),
            ("UPDATE items SET item_index = -1 WHERE item_index = 0", "row 0 is missing"),
            ("UPDATE items SET item_id = '..' WHERE item_index = 1", "the item id '..' cannot be used"),
            ("UPDATE items SET item_id = x'00' WHERE item_index = 1", "the item id b'\\x00' cannot be used"),
            ("UPDATE items SET title = x'ff' WHERE item_index = 1", "item 'b': the title b'\\xff' is not text"),
            ("UPDATE items SET image = 'ftp://x' WHERE item_index = 1", "the image 'ftp://x' is no http(s) address"),
            ("UPDATE items SET c1 = 'x' WHERE item_index = 1", "item 'b': column 'year' holds 'x', expected integer"),
            ("UPDATE columns SET kind = 'date' WHERE position = 0", "column 'genre' is of kind 'date'"),
            ("UPDATE columns SET name = 'year' WHERE position = 0", "column names must be distinct"),
            ("INSERT INTO columns VALUES (3, 'more', 'text')", "cannot be read: no such column: c3"),
            ("DROP TABLE pictures", "cannot be read: no such table: pictures"),
            ("UPDATE items SET title = CAST(x'ff' AS TEXT)", "cannot be read: Could not decode to UTF-8"),
        ],
    )
    def test_checking_finds_what_no_writer_of_ours_would_write(self, tmp_path, damage, message):
        path = written(tmp_path / "x")
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(damage)
        with closing(Catalogue.open(path)) as catalogue, pytest.raises(CatalogueError) as refusal:
            catalogue.check()
        assert str(refusal.value).startswith(f"{path}: ")
        assert message in str(refusal.value)

    def test_checking_finds_a_damaged_page(self, tmp_path):
        path = bare(tmp_path / "x", [f"item-{at}" for at in range(500)])
        data = bytearray(path.read_bytes())
        at = data.index(b"item-250")
        data[at - 40 : at + 40] = b"\xff" * 80
        path.write_bytes(data)
        with closing(Catalogue.open(path)) as catalogue, pytest.raises(CatalogueError, match=f"{path}: "):
            catalogue.check()

    def test_checking_finds_an_index_that_disagrees_with_its_table(self, tmp_path):
        path = bare(tmp_path / "x", ["first", "second"], ["One", "Two"])
        data = path.read_bytes()
        assert data.count(b"second") == 2  # once in the table, once in the index of ids
        at = data.rindex(b"second")
        path.write_bytes(data[:at] + b"secund" + data[at + 6 :])
        with (
            closing(Catalogue.open(path)) as catalogue,
            pytest.raises(CatalogueError, match="is damaged: row 2 missing"),
        ):
            catalogue.check()

    def test_a_good_catalogue_passes_the_check(self, catalogue):
        catalogue.check()


class TestThreads:
    def test_answers_are_right_in_many_threads_at_once(self, titles):
        def ask(row):
            item = titles.item(row)
            return item.index, titles.indices([item.item_id])[item.item_id], titles.search("red bag", limit=9, offset=0)

        expected = titles.search("red bag", limit=9)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, list(range(10)) * 40))
        assert answers == [(row, row, expected) for row in list(range(10)) * 40]

    def test_threads_that_end_leave_no_connection_open(self, catalogue, monkeypatch):
        opened = counting_connections(monkeypatch)
        for _ in range(20):
            thread = threading.Thread(target=catalogue.item, args=(0,))
            thread.start()
            thread.join()
        assert len(opened) == 0  # the one from opening is used again and again

    def test_calls_within_calls_have_connections_of_their_own(self, catalogue, monkeypatch):
        opened = counting_connections(monkeypatch)
        with catalogue._query() as first, catalogue._query() as second:
            assert first is not second
        with catalogue._query(), catalogue._query():
            pass
        assert len(opened) == 1

    def test_closing_lets_calls_finish_and_refuses_new_ones(self, catalogue):
        with catalogue._query() as connection:
            catalogue.close()
            assert connection.execute("SELECT count(*) FROM items").fetchone() == (3,)
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
        for ask in (lambda: catalogue.item(0), lambda: catalogue.indices(["a"]), lambda: catalogue.picture(0)):
            with pytest.raises(CatalogueError, match=r"catalogue\.sqlite: is closed"):
                ask()
        catalogue.close()


class TestSearch:
    @pytest.mark.parametrize(
        ("query", "rows"),
        [
            ("bag", {1, 2, 3}),
            ("red bag", {1, 2, 3}),
            ("BAG red", {1, 2, 3}),
            ("red ba", {1, 2, 3}),
            ("re bag", set()),  # only the last word may go on
            ("b", {0, 1, 2, 3}),
            ("red leather bag", {3}),
            ("red-brown", {3}),
            ("brown-red", set()),
            ("creme brulee", {0}),
            ("crème", {0}),
            ("cre\u0300me", {0}),
            ("café", {4}),
            ("cafe\u0301 ch", {4}),
            ("straße", {5}),
            ("हिन्दी", {6}),
            ("हिन", {6}),
            ("rock & roll", {7}),
            ("rock &", {7}),
            ("& rock", {7}),
            ("rock&roll", {7}),
            ('"quoted"', {8}),
            ('the "quo', {8}),
            ("snake_case", {9}),
            ("snake", {9}),
            ("  red \t\n bag  ", {1, 2, 3}),
            ("red\0bag", {1, 2, 3}),
            ("\ud800red", {1, 2, 3}),
        ],
    )
    def test_all_words_must_be_there_and_the_last_may_go_on(self, titles, query, rows):
        result = titles.search(query, limit=20)
        assert set(result.indices) == rows
        assert result.total == len(rows)

    @pytest.mark.parametrize(
        "query",
        ["", " ", "\0", "*", "-", "--", "&", "_", '"', '""', "'", "(", "NEAR(", "NEAR(red bag)", "title:", ":", "^", "{", "☃",
         "\ud800", "red OR brulee", "red NOT bag NOT", "title : red", "red AND bag", "% OR 1=1", "'; DROP TABLE items; --"],
    )  # fmt: skip
    def test_what_means_something_to_sql_or_fts_means_nothing_here(self, titles, query):
        assert titles.search(query, limit=20) == SearchResult(0, [])
        assert len(titles.items(range(10))) == 10

    @pytest.mark.parametrize("query", ["-red", "+red", "red*", "(red)", "^red", "red:", "{red}", "red\\", "red;"])
    def test_signs_around_a_word_are_passed_over(self, titles, query):
        assert titles.search(query, limit=20).total == 3

    @pytest.mark.parametrize("query", ["a " * 200_000, "a-" * 200_000, '" ' * 200_000, "x" * 1_000_000, "☃" * 100_000])
    def test_a_very_long_text_is_answered_at_once(self, titles, query):
        assert titles.search(query, limit=20) == SearchResult(0, [])

    def test_what_comes_after_a_thousand_characters_is_not_looked_at(self, titles):
        assert titles.search("red".ljust(1_000) + "stranger", limit=20).total == 3
        assert titles.search("red".ljust(990) + "stranger", limit=20).total == 0

    @settings(deadline=None)
    @given(st.text(), st.integers(0, 12), st.integers(0, 12))
    def test_any_text_is_safe(self, catalogue_of_titles, query, limit, offset):
        result = catalogue_of_titles.search(query, limit=limit, offset=offset)
        assert len(result.indices) == max(0, min(limit, result.total - offset))

    def test_text_columns_are_searched_too_numbers_are_not(self, catalogue):
        assert catalogue.search("drama", limit=9).indices == [0]
        assert catalogue.search("first drama", limit=9).indices == [0]
        assert catalogue.search("1999", limit=9).indices == []

    def test_a_word_in_the_title_counts_for_more_than_one_in_a_column(self, tmp_path):
        path = written(tmp_path / "x", titles=("Second", "drama", "Third"))
        with closing(Catalogue.open(path)) as catalogue:
            assert catalogue.search("drama", limit=9).indices == [1, 0]

    def test_equal_matches_come_in_the_order_of_rows(self, tmp_path):
        path = bare(tmp_path / "x", [f"i{at}" for at in range(30)], ["Red bag"] * 30)
        with closing(Catalogue.open(path)) as catalogue:
            assert catalogue.search("bag", limit=30).indices == list(range(30))

    def test_pages_follow_on_from_each_other_and_know_the_total(self, tmp_path):
        path = bare(tmp_path / "x", [f"i{at}" for at in range(25)], [f"Bag{' bag' * (at % 3)}" for at in range(25)])
        with closing(Catalogue.open(path)) as catalogue:
            whole = catalogue.search("bag", limit=100)
            pages = [catalogue.search("bag", limit=10, offset=offset) for offset in (0, 10, 20, 30)]
        assert sorted(whole.indices) == list(range(25))
        assert [row for page in pages for row in page.indices] == whole.indices
        assert [len(page.indices) for page in pages] == [10, 10, 5, 0]
        assert {page.total for page in pages} == {25}


class TestPictures:
    def test_one_is_given_back_byte_for_byte(self, catalogue):
        assert catalogue.picture(1) == Picture("image/svg+xml", b"<svg/>")

    @pytest.mark.parametrize("row", [0, 2, 3, -1])
    def test_where_there_is_none_there_is_none(self, catalogue, row):
        assert catalogue.picture(row) is None

    def test_bytes_that_are_no_text_are_kept(self, tmp_path):
        data = bytes(range(256))
        path = written(tmp_path / "x", pictures={0: Picture("image/png", data)})
        with closing(Catalogue.open(path)) as catalogue:
            assert catalogue.picture(0).data == data
            assert catalogue.item(0).has_picture


@pytest.fixture(scope="module")
def catalogue_of_titles(tmp_path_factory):
    """The ten titles for tests that ask many times."""
    path = bare(tmp_path_factory.mktemp("titles") / "x", [f"item-{at}" for at in range(len(TITLES))], TITLES)
    with closing(Catalogue.open(path)) as opened:
        yield opened


def counting_connections(monkeypatch):
    """The addresses of all databases that are connected to from now on."""
    opened = []

    def connect(address, **options):
        opened.append(address)
        return sqlite3.connect(address, **options)

    stand_in = SimpleNamespace(connect=connect, Error=sqlite3.Error)
    monkeypatch.setattr(catalogue_module, "sqlite3", stand_in)
    return opened
