"""Readers of public data sets: on small files of exactly their format, and on the real ones where they are."""

import pytest

from macrid.model import datasets, pipeline
from macrid.model.datasets import alishop_7c, goodbooks_10k, ml_1m, ml_20m, ml_100k, netflix
from macrid.model.errors import DataError


@pytest.fixture
def odd_folder(tmp_path):
    """Its name would be a pattern, were it read as one."""
    folder = tmp_path / "files [1]"
    folder.mkdir()
    return folder


class TestMl1m:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "movies.dat").write_bytes(
            "1::Amélie\x85 (2001)::Comedy|Romance\n2::Heat (1995)::Crime\n".encode("latin-1")
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
        assert source.items.titles[0] == "Amélie\x85 (2001)"  # ISO 8859-1 has it, and it ends no line
        assert source.items.rows[0] == ("Comedy|Romance", 2001)

    def test_a_line_that_is_cut_off_is_named(self, folder):
        (folder / "ratings.dat").write_text("7::1::5::978301\n7::2::5\n")
        with pytest.raises(
            DataError, match=r"ratings\.dat: line 2 has 3 fields, expected user, item, rating, timestamp"
        ):
            ml_1m.read(folder)

    def test_a_folder_without_ratings_names_what_it_looked_for(self, folder):
        with pytest.raises(DataError, match=r"neither ratings\.dat nor positives"):
            ml_1m.read(folder)


class TestMl100k:
    """One user, six films: the two layouts tell the same."""

    @pytest.fixture(autouse=True)
    def _one_user_six_films(self, monkeypatch):
        for name, count in (("USERS", 1), ("FILMS", 6), ("RATINGS", 6)):
            monkeypatch.setattr(ml_100k, name, count)

    def published(self, folder):
        flags = "|".join("1" if genre in ("Comedy", "Romance") else "0" for genre in ml_100k.GENRES)
        films = [f"{film}|Amélie {film}\x85 (2001)|01-Jan-2001||http://x|{flags}" for film in range(1, 7)]
        (folder / "u.item").write_bytes("\n".join(films).encode("latin-1"))
        (folder / "u.data").write_text("".join(f"9\t{film}\t{3 if film == 4 else 5}\t88\n" for film in range(1, 7)))

    def atomic(self, folder):
        films = [f"{film}\tAmélie {film}\t2001\tComedy Romance" for film in range(1, 7)]
        header = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"
        (folder / "ml-100k.item").write_text("\n".join([header, *films]), encoding="utf-8")
        rows = "".join(f"9\t{film}\t{3 if film == 4 else 5}\t88\n" for film in range(1, 7))
        (folder / "ml-100k.inter").write_text("user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + rows)

    @pytest.mark.parametrize(("layout", "title"), [("published", "Amélie 1\x85 (2001)"), ("atomic", "Amélie 1")])
    def test_films_rated_at_least_four(self, tmp_path, layout, title):
        getattr(self, layout)(tmp_path)
        source = ml_100k.read(tmp_path)
        assert source.interactions.item_ids == ("1", "2", "3", "5", "6")
        assert source.items.titles[0] == title
        assert source.items.rows[0] == ("Comedy|Romance", 2001)

    @pytest.mark.parametrize("layout", ["published", "atomic"])
    def test_either_layout_is_found(self, tmp_path, layout):
        assert datasets.ML_100K.locate(tmp_path) is None
        getattr(self, layout)(tmp_path)
        assert datasets.ML_100K.locate(tmp_path) == tmp_path

    def test_a_file_cut_short_is_noticed(self, tmp_path):
        self.published(tmp_path)
        lines = (tmp_path / "u.data").read_text().splitlines()
        (tmp_path / "u.data").write_text("\n".join(lines[:-1]))
        with pytest.raises(DataError, match="5 ratings; expected the 1, 6 and 6"):
            ml_100k.read(tmp_path)


class TestMl20m:
    @pytest.fixture
    def folder(self, odd_folder, monkeypatch):
        monkeypatch.setattr(ml_20m, "RATINGS", 12)
        monkeypatch.setattr(ml_20m, "FILMS", 6)
        rows = [
            f"{user},{film},{stars},1112486027"
            for user in (1, 2)
            for film, stars in enumerate((3.5, 4.0, 5.0, 4.5, 4.0, 4.0), 1)
        ]
        (odd_folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "\n".join(rows) + "\n")
        films = [f'{film},"City, The {film} (1995)",Comedy|Drama' for film in range(1, 6)] + [
            "6,Untitled,(no genres listed)"
        ]
        (odd_folder / "movies.csv").write_text("movieId,title,genres\n" + "\n".join(films) + "\n")
        return odd_folder

    def test_films_rated_at_least_four(self, folder):
        source = datasets.ML_20M.load(folder)
        assert source.interactions.user_ids == ("1", "2")
        assert source.interactions.item_ids == ("2", "3", "4", "5", "6")
        assert source.items.titles[0] == "City, The 2 (1995)"
        assert source.items.rows[0] == ("Comedy|Drama", 1995)
        assert source.items.rows[-1] == (None, None)
        assert source.held_out_users == 10_000

    def test_a_file_cut_short_is_noticed(self, folder):
        text = (folder / "ratings.csv").read_text().splitlines()
        (folder / "ratings.csv").write_text("\n".join(text[:-1]))
        with pytest.raises(DataError, match="11 ratings and 6 films; expected the 12 and 6 of MovieLens 20M"):
            ml_20m.read(folder)


class TestNetflix:
    """Six films; user 7 rates all of them, user 8 one, and user 7 film 2 with three stars only."""

    @pytest.fixture(autouse=True)
    def _six_films(self, monkeypatch):
        monkeypatch.setattr(netflix, "RATINGS", 7)
        monkeypatch.setattr(netflix, "FILMS", 6)

    def lines(self, film):
        more = "8,5,2005-09-06\n" if film == 3 else ""
        return f"{film}:\n7,{3 if film == 2 else 4},2005-09-06\n{more}"

    def titles(self):
        return "".join(
            f"{film},{'NULL' if film == 6 else 2003},Amélie\x85, Part {film}\n" for film in range(1, 7)
        ).encode("latin-1")

    def combined(self, folder):
        (folder / "movie_titles.csv").write_bytes(self.titles())
        for part, films in enumerate(((1, 2), (3,), (4, 5), (6,)), 1):
            (folder / f"combined_data_{part}.txt").write_text("".join(map(self.lines, films)))

    def given(self, folder):
        (folder / "movie_titles.txt").write_bytes(self.titles())
        (folder / "training_set").mkdir()
        for film in range(1, 7):
            (folder / "training_set" / f"mv_{film:07}.txt").write_text(self.lines(film))

    @pytest.mark.parametrize("layout", ["combined", "given"])
    @pytest.mark.parametrize("rows_at_once", [1, 2, 1_000])
    def test_films_rated_at_least_four_whatever_the_batches(self, odd_folder, monkeypatch, layout, rows_at_once):
        monkeypatch.setattr(netflix, "ROWS_AT_ONCE", rows_at_once)
        getattr(self, layout)(odd_folder)
        source = datasets.NETFLIX.load(odd_folder)
        assert source.interactions.user_ids == ("7",)
        assert source.interactions.item_ids == ("1", "3", "4", "5", "6")
        assert source.items.titles[0] == "Amélie\x85, Part 1"
        assert source.items.rows[0] == (2003,)
        assert source.items.rows[-1] == (None,)
        assert source.held_out_users == 40_000

    def test_a_part_that_is_missing_is_named(self, tmp_path):
        self.combined(tmp_path)
        (tmp_path / "combined_data_3.txt").unlink()
        with pytest.raises(DataError, match=r"combined_data_3\.txt not found"):
            datasets.NETFLIX.load(tmp_path)

    def test_ratings_that_are_missing_are_noticed(self, tmp_path):
        self.given(tmp_path)
        (tmp_path / "training_set" / "mv_0000002.txt").unlink()
        with pytest.raises(DataError, match="6 ratings and 6 films; expected the 7 and 6 of the Netflix Prize"):
            netflix.read(tmp_path)

    @pytest.mark.parametrize("line", ["7,four,2005-09-06", "ann,4,2005-09-06", "7"])
    def test_a_line_that_is_none_is_shown(self, tmp_path, line):
        self.combined(tmp_path)
        with (tmp_path / "combined_data_2.txt").open("a") as out:
            out.write(line + "\n")
        with pytest.raises(DataError, match=f"a line beginning with '{line.split(',')[0]}' is neither a film"):
            netflix.read(tmp_path)

    def test_it_is_not_downloaded_and_says_why(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(DataError, match=r"its owner offers it no longer.*--from FOLDER"):
            datasets.NETFLIX.load()


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


class TestAliShop:
    """Three validation and three test users of six goods; their clicks are cut in two files each."""

    @pytest.fixture
    def folder(self, odd_folder, monkeypatch):
        monkeypatch.setattr(alishop_7c, "USERS_WITHOUT_TRAINING", 6)
        monkeypatch.setattr(alishop_7c, "USERS", 8)
        (odd_folder / "unique_sid.txt").write_text("".join(f"10{good}\n" for good in range(6)))
        (odd_folder / "item_cate.csv").write_text(
            "".join(f"10{good},{1 + good % 2}\n" for good in range(5)) + "105,12\n105,7\n"
        )
        for first, group in ((2, "validation"), (5, "test")):
            users = range(first, first + 3)
            for name, goods in (("tr", (5, 4, 3, 2)), ("te", (1,))):
                rows = "".join(f"{user},{good}\n" for user in users for good in goods)
                (odd_folder / f"{group}_{name}.csv").write_text("uid,sid\n" + rows)
        return odd_folder

    def test_the_cuts_are_undone_and_goods_have_their_raw_ids_and_categories(self, folder):
        source = alishop_7c.read(folder)
        assert source.interactions.user_ids == ("2", "3", "4", "5", "6", "7")
        assert source.interactions.item_ids == ("105", "104", "103", "102", "101")
        assert len(source.interactions) == 30
        assert source.items.column("category")[:3] == ["category 7", "category 1", "category 2"]

    def test_without_training_users_it_says_so_and_holds_out_500(self, folder):
        source = alishop_7c.read(folder)
        assert "only the 4,000 validation and test users" in source.note
        assert source.held_out_users == 500

    def test_with_training_users_it_is_the_whole_data_set(self, folder):
        rows = "".join(f"{user},{good}\n" for user in (0, 1) for good in range(6))
        (folder / "train.csv").write_text("uid,sid\n" + rows)
        source = alishop_7c.read(folder)
        assert source.note is None
        assert source.held_out_users == 2_000
        assert len(source.interactions.user_ids) == 8

    def test_a_missing_user_is_noticed(self, folder, monkeypatch):
        monkeypatch.setattr(alishop_7c, "USERS_WITHOUT_TRAINING", 7)
        with pytest.raises(DataError, match="6 users, expected the 7"):
            alishop_7c.read(folder)

    def test_an_item_number_beyond_the_list_is_refused(self, folder):
        (folder / "test_te.csv").write_text("uid,sid\n5,6\n")
        with pytest.raises(DataError, match="item number 6, expected one below 6"):
            alishop_7c.read(folder)

    def test_it_is_not_downloaded_because_no_licence_is_stated(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(DataError, match=r"no licence is stated.*--from FOLDER"):
            datasets.ALISHOP_7C.load()


@pytest.mark.real_data
def test_alishop_without_train_csv_is_split_3000_500_500():
    if datasets.ALISHOP_7C.locate() is None:
        pytest.skip("alishop-7c is not beside the project")
    source = datasets.ALISHOP_7C.load()
    if source.note is None:
        pytest.skip("this copy has train.csv")
    split = pipeline.split_source(source, None, seed=98765)
    assert split.training.shape[0] == 3_000
    assert len(split.validation.user_ids) == len(split.test.user_ids) == 500
    assert pipeline.describe_data(source, split)["note"] == source.note
    assert set(source.items.column("category")) == {f"category {c}" for c in range(1, 8)}


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "users", "items", "clicks", "titled"),
    [
        ("ml-1m", 6_034, 3_525, 575_263, True),
        ("ml-100k", 938, 1_447, 55_361, True),
        ("goodbooks-10k", 28_975, 9_999, 596_316, True),
        # 286,395 lines, of which one stands twice
        ("alishop-7c", 4_000, 19_809, 286_394, False),
    ],
)
def test_real_counts(name, users, items, clicks, titled):
    if datasets.ALL[name].locate() is None:
        pytest.skip(f"{name} is not beside the project")
    source = datasets.ALL[name].load()
    found = source.interactions
    assert (len(found.user_ids), len(found.item_ids), len(found)) == (users, items, clicks)
    assert not titled or (
        sum(title == item_id for title, item_id in zip(source.items.titles, source.items.item_ids, strict=True))
        < 0.01 * items
    )
