"""Readers of public data sets: on small files of exactly their format, and on the real ones where they are."""

import pytest

from macrid.model import datasets
from macrid.model.datasets import goodbooks_10k, ml_1m
from macrid.model.errors import DataError


class TestMl1m:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "movies.dat").write_bytes(
            "1::Amélie (2001)::Comedy|Romance\n2::Heat (1995)::Crime\n".encode("latin-1")
        )
        films = "".join(f"{film}::Film {film} (1990)::Drama\n" for film in range(3, 9))
        with (tmp_path / "movies.dat").open("a") as out:
            out.write(films)
        return tmp_path

    def test_the_published_ratings_are_cut_at_four(self, folder):
        lines = [f"7::{film}::{3 + film % 3}::97830{film}" for film in range(1, 9)]
        (folder / "ratings.dat").write_text("\n".join(lines) + "\n")
        source = ml_1m.read(folder)
        assert source.interactions.item_ids == ("1", "2", "4", "5", "7", "8")
        assert source.items.titles[0] == "Amélie (2001)"
        assert source.items.rows[0] == ("Comedy|Romance", 2001)

    def test_a_folder_without_ratings_names_what_it_looked_for(self, folder):
        with pytest.raises(DataError, match=r"neither ratings\.dat nor positives"):
            ml_1m.read(folder)


class TestGoodbooks:
    def test_shelves_become_tags_without_those_that_every_book_has(self, tmp_path):
        (tmp_path / "tags_reduced.csv").write_text("tag_id,tag_name\n1,to-read\n2,fantasy\n3,magic\n")
        rows = [f"1,{book},0,900" for book in range(1, 6)] + ["2,1,0,10", "3,1,0,20"]
        (tmp_path / "book_tags_reduced.csv").write_text(
            "tag_id,book_id,goodreads_book_id,count\n" + "\n".join(rows) + "\n"
        )
        assert goodbooks_10k._tags(tmp_path) == {"1": "magic|fantasy"}

    def test_it_tells_where_to_get_the_files(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(DataError, match="--from FOLDER"):
            datasets.GOODBOOKS_10K.load()


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "users", "items", "clicks"), [("ml-1m", 6_034, 3_525, 575_263), ("goodbooks-10k", 28_975, 9_999, 596_316)]
)
def test_real_counts(name, users, items, clicks):
    if datasets.ALL[name].locate() is None:
        pytest.skip(f"{name} is not beside the project")
    source = datasets.ALL[name].load()
    found = source.interactions
    assert (len(found.user_ids), len(found.item_ids), len(found)) == (users, items, clicks)
    assert (
        sum(title == item_id for title, item_id in zip(source.items.titles, source.items.item_ids, strict=True))
        < 0.01 * items
    )
