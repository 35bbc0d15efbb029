"""Numbering against the plain definition, whatever the batches, and what a hundred batches must not change."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from macrid.model import numbering
from macrid.model.errors import DataError
from macrid.model.interactions import read_interactions
from macrid.model.numbering import number


def plainly(pairs, min_user_items):
    """The definition: first appearances, then users with enough, both numbered as they come."""
    distinct = list(dict.fromkeys(pairs))
    kept = [pair for pair in distinct if sum(user == pair[0] for user, _ in distinct) >= min_user_items]
    return kept, list(dict.fromkeys(user for user, _ in kept)), list(dict.fromkeys(item for _, item in kept))


def frames(pairs, sizes):
    at = 0
    for size in [*sizes, len(pairs)]:
        part = pairs[at : at + size]
        at += size
        yield pl.DataFrame(part, schema={"user": pl.Int64, "item": pl.Int64}, orient="row")


@given(
    st.lists(st.tuples(st.integers(-3, 5), st.integers(0, 6)), max_size=40),
    st.lists(st.integers(0, 9), max_size=5),
    st.integers(1, 3),
)
def test_it_is_the_definition_however_the_pairs_are_cut(pairs, sizes, min_user_items):
    found = number(frames(pairs, sizes), min_user_items)
    kept, users, items = plainly(pairs, min_user_items)
    assert (found.users.to_list(), found.items.to_list()) == (users, items)
    assert [(users[u], items[i]) for u, i in zip(found.user_codes, found.item_codes, strict=True)] == kept
    assert found.user_codes.dtype == found.item_codes.dtype == np.int32


def test_repeats_are_found_across_blocks(monkeypatch):
    monkeypatch.setattr(numbering, "AT_ONCE", 7)
    rng = np.random.default_rng(0)
    pairs = [tuple(pair) for pair in rng.integers(0, 12, (200, 2)).tolist()]
    found = number(frames(pairs, [13] * 15), 1)
    kept, users, items = plainly(pairs, 1)
    assert [(users[u], items[i]) for u, i in zip(found.user_codes, found.item_codes, strict=True)] == kept


class TestPartsOfAFolder:
    @pytest.fixture
    def frame(self):
        rng = np.random.default_rng(1)
        return pl.DataFrame(
            {
                "user_id": rng.integers(0, 50, 2_000),
                "item_id": rng.integers(0, 90, 2_000),
                "rating": rng.integers(1, 6, 2_000),
            },
            schema_overrides={"user_id": pl.Int32, "item_id": pl.Int32},
        )

    def test_a_folder_of_parts_is_the_same_as_one_file(self, frame, tmp_path, monkeypatch):
        monkeypatch.setattr("macrid.model.tables.ROWS_AT_ONCE", 300)
        (tmp_path / "clicks").mkdir()
        for at in range(4):
            frame[at * 500 : (at + 1) * 500].write_parquet(tmp_path / "clicks" / f"part-{at}.parquet")
        frame.write_parquet(tmp_path / "clicks.parquet")
        frame.write_csv(tmp_path / "clicks.csv")
        prints = {
            read_interactions(tmp_path / name, min_rating=3).fingerprint()
            for name in ("clicks", "clicks.parquet", "clicks.csv")
        }
        assert len(prints) == 1

    def test_a_bad_row_is_counted_from_the_beginning_of_the_table(self, frame, tmp_path, monkeypatch):
        monkeypatch.setattr("macrid.model.tables.ROWS_AT_ONCE", 300)
        text = frame.cast(pl.String)
        text[1_234, "rating"] = "good"
        text.write_csv(tmp_path / "clicks.csv")
        with pytest.raises(DataError, match="data row 1235: 'good' is not a number"):
            read_interactions(tmp_path / "clicks.csv", min_rating=3)
        empty = frame.cast(pl.String).with_columns(rating=pl.lit("5"))
        empty[1_700, "item_id"] = None
        empty.write_parquet(tmp_path / "clicks.parquet")
        with pytest.raises(DataError, match=r"data row 1701: user '.*' and item None"):
            read_interactions(tmp_path / "clicks.parquet")

    def test_a_part_with_other_columns_is_named(self, frame, tmp_path):
        frame.write_parquet(tmp_path / "a.parquet")
        frame.drop("rating").write_parquet(tmp_path / "b.parquet")
        with pytest.raises(DataError, match=r"b\.parquet: has the columns .*, expected those of a\.parquet"):
            read_interactions(tmp_path)

    def test_a_folder_without_parts_says_what_was_expected(self, tmp_path):
        with pytest.raises(DataError, match=r"a folder without \.parquet files"):
            read_interactions(tmp_path)
