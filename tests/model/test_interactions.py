"""Reading who clicked what: formats, columns, filters, and errors that say what to do."""

import gzip

import polars as pl
import pytest

from macrid.model.errors import DataError
from macrid.model.interactions import ColumnNames, read_interactions

CLICKS = "user,item,rating\nann,x,5\nbob,y,3\nann,y,4\nann,x,5\nbob,x,4\n"


@pytest.fixture
def clicks(tmp_path):
    path = tmp_path / "clicks.csv"
    path.write_text(CLICKS)
    return path


def pairs(interactions):
    return [
        (interactions.user_ids[u], interactions.item_ids[i])
        for u, i in zip(interactions.user_index, interactions.item_index, strict=True)
    ]


class TestReading:
    def test_pairs_stay_in_file_order_and_repeats_count_once(self, clicks):
        found = read_interactions(clicks, min_user_items=1)
        assert pairs(found) == [("ann", "x"), ("bob", "y"), ("ann", "y"), ("bob", "x")]

    def test_users_and_items_are_numbered_by_first_appearance(self, clicks):
        found = read_interactions(clicks, min_user_items=1)
        assert (found.user_ids, found.item_ids) == (("ann", "bob"), ("x", "y"))

    def test_a_minimum_rating_keeps_that_rating_and_above(self, clicks):
        found = read_interactions(clicks, min_rating=4, min_user_items=1)
        assert pairs(found) == [("ann", "x"), ("ann", "y"), ("bob", "x")]

    def test_users_with_too_few_distinct_items_are_dropped_after_the_rating_filter(self, clicks):
        found = read_interactions(clicks, min_rating=4, min_user_items=2)
        assert pairs(found) == [("ann", "x"), ("ann", "y")]

    def test_ids_stay_text_with_their_leading_zeros(self, tmp_path):
        path = tmp_path / "clicks.csv"
        path.write_text("user,item\n007,01\n007,1\n")
        assert read_interactions(path, min_user_items=1).item_ids == ("01", "1")

    @pytest.mark.parametrize("kind", ["tsv", "parquet", "csv.gz"])
    def test_every_format_gives_the_same_interactions(self, clicks, tmp_path, kind):
        path, frame = tmp_path / f"other.{kind}", pl.read_csv(clicks)
        if kind == "tsv":
            frame.write_csv(path, separator="\t")
        elif kind == "parquet":
            frame.write_parquet(path)
        else:
            path.write_bytes(gzip.compress(CLICKS.encode()))
        expected, found = (read_interactions(file, min_rating=4, min_user_items=1) for file in (clicks, path))
        assert found.fingerprint() == expected.fingerprint()

    def test_ratings_of_four_bytes_that_equal_the_least_one_are_kept(self, tmp_path):
        path = tmp_path / "clicks.parquet"
        ratings = pl.Series([0.7, 0.9, 0.7, 0.6], dtype=pl.Float32)
        pl.DataFrame({"user": ["a", "a", "b", "b"], "item": ["x", "y", "x", "y"], "rating": ratings}).write_parquet(
            path
        )
        assert len(read_interactions(path, min_rating=0.7, min_user_items=1)) == 3

    def test_whole_numbers_that_a_file_keeps_as_floats_read_as_whole_numbers(self, tmp_path):
        pl.DataFrame({"user": [1.0, 1.0], "item": [2.0, 3.0]}).write_parquet(tmp_path / "clicks.parquet")
        assert read_interactions(tmp_path / "clicks.parquet", min_user_items=1).item_ids == ("2", "3")

    def test_a_name_with_brackets_is_a_name_and_no_pattern(self, tmp_path):
        path = tmp_path / "clicks[1].csv"
        path.write_text("user, item\nann,x\n\n")
        assert pairs(read_interactions(path, min_user_items=1)) == [("ann", "x")]

    def test_columns_can_be_named(self, tmp_path):
        path = tmp_path / "clicks.csv"
        path.write_text("who,what\nann,x\n")
        found = read_interactions(path, columns=ColumnNames(user="who", item="what"), min_user_items=1)
        assert pairs(found) == [("ann", "x")]

    @pytest.mark.parametrize(
        "times",
        [
            ("3", "1", "2"),
            ("2024-03-01T00:00:00Z", "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z"),
            ("2024-03-01", "2024-01-01", "2024-02-01"),
            ("2024-03-01 10:05", "2024-01-01 10:05", "2024-02-01 10:05"),
            ("2024-01-01 10:00:00+00", "2023-12-31 23:00:00-0130", "2024-01-01 01:00:00.5+00"),
            ("2024-01-01T09:00:00+00:00", "2024-01-01T10:00:00+02:00", "2024-01-01T08:30:00Z"),
            ("7", "-1234", "-5"),
            ("2024-03-01", "2024-01-01 10:05", "2024-02-01T00:00:00Z"),
            ("1700000000000000002", "1700000000000000000", "1700000000000000001"),  # of no use as float64
        ],
    )
    def test_a_named_timestamp_puts_clicks_in_time_order(self, tmp_path, times):
        path = tmp_path / "clicks.csv"
        path.write_text(
            "user,item,at\n" + "".join(f"ann,{item},{time}\n" for item, time in zip("xyz", times, strict=True))
        )
        found = read_interactions(path, columns=ColumnNames(timestamp="at"), min_user_items=1)
        assert found.item_ids == ("y", "z", "x")

    def test_the_fingerprint_changes_with_any_pair(self, clicks, tmp_path):
        other = tmp_path / "other.csv"
        other.write_text(CLICKS.replace("bob,y", "bob,z"))
        assert (
            read_interactions(clicks, min_user_items=1).fingerprint()
            != read_interactions(other, min_user_items=1).fingerprint()
        )


class TestRefusals:
    def refusal(self, tmp_path, text, name="clicks.csv", **options):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(DataError) as refused:
            read_interactions(path, **options)
        assert str(path) in str(refused.value)
        return str(refused.value)

    def test_a_missing_column_lists_the_columns_and_the_option(self, tmp_path):
        message = self.refusal(tmp_path, "user,thing\nann,x\n")
        assert "no item column" in message
        assert "'thing'" in message
        assert "--item-column" in message

    def test_a_named_column_that_is_not_there_is_named(self, tmp_path):
        message = self.refusal(tmp_path, "user,item\nann,x\n", columns=ColumnNames(user="who"))
        assert "no user column 'who'" in message

    def test_an_empty_file_says_so(self, tmp_path):
        assert "the file is empty; expected a header line" in self.refusal(tmp_path, "")

    def test_a_header_without_rows_says_so(self, tmp_path):
        assert "no interaction" in self.refusal(tmp_path, "user,item\n")

    def test_a_rating_that_is_no_number_is_shown_with_its_row(self, tmp_path):
        message = self.refusal(tmp_path, "user,item,rating\nann,x,5\nann,y,great\n", min_rating=4)
        assert "data row 2" in message
        assert "'great'" in message

    @pytest.mark.parametrize("rating", ["", "nan", "inf"])
    def test_a_rating_must_be_a_finite_number(self, tmp_path, rating):
        assert "data row 1" in self.refusal(tmp_path, f"user,item,rating\nann,x,{rating}\nann,y,4\n", min_rating=4)

    def test_no_user_left_tells_how_many_there_were_and_what_to_lower(self, tmp_path):
        message = self.refusal(tmp_path, "user,item,rating\nann,x,5\nann,y,2\n", min_rating=4, min_user_items=2)
        assert "no user is left" in message
        assert "most active has 1" in message
        assert "--min-user-items" in message

    def test_no_rating_high_enough_is_no_user_left(self, tmp_path):
        assert "no user is left" in self.refusal(tmp_path, "user,item,rating\nann,x,1\n", min_rating=4)

    @pytest.mark.parametrize("item", ["", ".", ".."])
    def test_an_item_id_that_no_address_can_hold_is_refused(self, tmp_path, item):
        assert "data row 2" in self.refusal(tmp_path, f'user,item\nann,x\nann,"{item}"\n')

    def test_an_unknown_suffix_lists_the_known_ones(self, tmp_path):
        assert ".parquet" in self.refusal(tmp_path, "{}", name="clicks.json")

    def test_a_folder_of_parts_is_read_whole_or_not_at_all(self, tmp_path):
        folder = tmp_path / "clicks"
        (folder / "day=2").mkdir(parents=True)
        for name, user in (("part-0.parquet", "ann"), ("part-1.PARQUET", "bo"), ("day=2/part-2.parquet", "cy")):
            pl.DataFrame({"user": [user] * 2, "item": ["x", "y"]}).write_parquet(folder / name)
        with pytest.raises(
            DataError, match=rf"^{folder}/day=2/part-2\.parquet: lies in a folder of its own; expected all parts"
        ):
            read_interactions(folder, min_user_items=1)
        (folder / "day=2" / "part-2.parquet").unlink()
        assert read_interactions(folder, min_user_items=1).user_ids == ("ann", "bo")
        (folder / "part-1.PARQUET").write_bytes(b"cut short")
        with pytest.raises(DataError, match=rf"^{folder}/part-1\.PARQUET: cannot be read as parquet"):
            read_interactions(folder, min_user_items=1)

    def test_a_parquet_file_that_is_none_is_refused(self, tmp_path):
        assert "cannot be read as parquet" in self.refusal(tmp_path, "not parquet", name="clicks.parquet")

    def test_a_line_with_too_many_fields_is_refused(self, tmp_path):
        assert "cannot be read as csv" in self.refusal(tmp_path, "user,item\nann,x,surplus,more\n")

    def test_rows_are_those_of_the_file_whatever_the_order_of_time(self, tmp_path):
        text = "user,item,rating,at\nann,x,5,3\nann,y,high,1\nann,z,5,2\n"
        message = self.refusal(tmp_path, text, columns=ColumnNames(timestamp="at"), min_rating=4)
        assert "data row 2: 'high'" in message
        message = self.refusal(tmp_path, "user,item,at\nann,x,3\n,y,1\n", columns=ColumnNames(timestamp="at"))
        assert "data row 2: user" in message

    def test_a_header_without_rows_says_so_where_rows_are_put_in_order_too(self, tmp_path):
        assert "no interaction" in self.refusal(tmp_path, "user,item,at\n", columns=ColumnNames(timestamp="at"))

    def test_a_column_of_ratings_of_which_nothing_is_asked_is_refused(self, clicks):
        with pytest.raises(DataError, match=r"column of ratings is 'stars', and no rating is refused; .* --min-rating"):
            read_interactions(clicks, columns=ColumnNames(rating="stars"))

    def test_a_lone_quote_is_named_as_the_cause(self, tmp_path):
        rows = "".join(f"ann\titem{number}{mark}\n" for number, mark in enumerate(["", '"', ""] * 100))
        message = self.refusal(tmp_path, f"user\titem\n{rows}".replace("item3\n", '"item3\n', 1), name="inch.tsv")
        assert "double quote" in message

    def test_a_time_that_is_none_is_shown_with_its_row(self, tmp_path):
        message = self.refusal(tmp_path, "user,item,at\nann,x,1\nann,y,soon\n", columns=ColumnNames(timestamp="at"))
        assert "'soon'" in message
        message = self.refusal(
            tmp_path, "user,item,at\nann,x,1\nann,y,2024-01-01\nann,z,3\n", columns=ColumnNames(timestamp="at")
        )
        assert "data row 2: '2024-01-01', expected a number, as most others are" in message

    def test_another_encoding_is_named(self, tmp_path):
        (tmp_path / "clicks.csv").write_bytes("user,item\nann,x\n".encode("utf-16"))
        with pytest.raises(DataError, match=r"clicks\.csv: the header holds zero bytes, as text in UTF-16 does"):
            read_interactions(tmp_path / "clicks.csv")

    @pytest.mark.parametrize("odd", [float("inf"), float("nan")])
    def test_an_id_is_no_number_that_is_none(self, tmp_path, odd):
        pl.DataFrame({"user": ["ann", "ann"], "item": [2.0, odd]}).write_parquet(tmp_path / "clicks.parquet")
        with pytest.raises(DataError, match=rf"clicks\.parquet: column 'item' holds {odd}, expected finite numbers"):
            read_interactions(tmp_path / "clicks.parquet", min_user_items=1)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("user;item\nann;x\n", "is ';' the separator?"),
            ("user,item,item\nann,x,y\n", "names the column 'item' twice"),
            ("user, user,item\nann,x,y\n", "names the column 'user' twice"),
            ('user,item,rating\nann,x,"4,5"\n', "write decimals with a point"),
            ("user,item\nann," + "x" * 600 + "\n", "1 to 512 characters"),
        ],
    )
    def test_what_people_get_wrong_is_answered_with_what_to_do(self, tmp_path, text, message):
        assert message in self.refusal(tmp_path, text, min_rating=4 if "rating" in text else None)

    def test_bytes_that_are_not_utf_8_are_named_as_such(self, tmp_path):
        path = tmp_path / "clicks.csv"
        path.write_bytes("user,item\nann,café\n".encode("latin-1"))
        with pytest.raises(DataError, match="not UTF-8"):
            read_interactions(path)

    def test_a_column_of_lists_is_refused(self, tmp_path):
        pl.DataFrame({"user": ["ann"], "item": [["x"]]}).write_parquet(tmp_path / "clicks.parquet")
        with pytest.raises(DataError, match="expected text or numbers"):
            read_interactions(tmp_path / "clicks.parquet")

    def test_an_absent_file_is_named(self, tmp_path):
        with pytest.raises(DataError, match="no such file"):
            read_interactions(tmp_path / "nowhere.csv")
