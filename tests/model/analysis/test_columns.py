"""Which columns are found, and how a column that will not do is refused."""

import numpy as np
import pytest

from macrid.artifacts.catalogue import Column
from macrid.model.analysis.columns import ItemColumns, find_categories, find_factors
from macrid.model.errors import DataError

ITEMS = 60


@pytest.fixture
def columns():
    """Films: genres (several at once, one unknown), country (two of them), director (one each), year, a flag, and a constant."""
    genres = ["war|drama", "drama", " comedy | war ", None] + ["comedy", "drama"] * 28
    values = {
        "genres": genres,
        "country": ["it", "fr"] * 30,
        "director": [f"d{row}" for row in range(ITEMS)],
        "year": [1960 + row for row in range(ITEMS)],
        "runtime": [90.0 + row if row % 3 else None for row in range(ITEMS)],
        "colour": [row % 2 for row in range(ITEMS)],
        "format": [35] * ITEMS,
        "rare": [float(row) if row < 20 else None for row in range(ITEMS)],
    }
    kinds = {"genres": "text", "country": "text", "director": "text", "runtime": "real", "rare": "real"}
    return ItemColumns(tuple(Column(name, kinds.get(name, "integer")) for name in values), values)


class TestCategories:
    def test_the_text_column_with_the_fewest_values_is_found(self, columns):
        assert find_categories(columns, None).name == "country"

    def test_the_first_of_several_values_counts_and_all_are_kept(self, columns):
        found = find_categories(columns, "genres")
        assert found.labels == ("comedy", "drama", "war")
        assert [found.labels[at] for at in found.first[:3]] == ["war", "drama", "comedy"]
        assert found.first[3] == -1
        assert found.values[2] == {"comedy", "war"}
        assert found.several
        assert not find_categories(columns, "country").several

    def test_whole_numbers_may_be_categories_when_asked_for(self, columns):
        assert find_categories(columns, "colour").labels == ("0", "1")

    def test_a_column_that_names_items_instead_of_grouping_them_is_refused(self, columns):
        with pytest.raises(DataError, match="'director' has 60 different values in 60 items"):
            find_categories(columns, "director")

    def test_real_numbers_are_refused(self, columns):
        with pytest.raises(DataError, match="'runtime' holds real numbers"):
            find_categories(columns, "runtime")

    def test_an_unknown_name_lists_the_columns(self, columns):
        with pytest.raises(DataError, match=r"no item column 'genre'; the columns are 'genres' \(text\), 'country'"):
            find_categories(columns, "genre")

    def test_a_catalogue_without_columns_has_none(self):
        nothing = ItemColumns((), {})
        assert find_categories(nothing, None) is None
        assert find_factors(nothing, None) is None
        with pytest.raises(DataError, match="there is none"):
            find_categories(nothing, "genres")


class TestFactors:
    def test_numeric_columns_that_vary_and_are_mostly_known_are_found(self, columns):
        found = find_factors(columns, None)
        assert found.names == ("year", "runtime")
        assert found.values.shape == (ITEMS, 2)
        assert np.isnan(found.values[0, 1])
        assert list(np.flatnonzero(~found.known)[:2]) == [0, 3]

    def test_those_asked_for_are_taken_once_and_in_order(self, columns):
        assert find_factors(columns, ("colour", "year", "colour")).names == ("colour", "year")

    @pytest.mark.parametrize(
        ("name", "message"),
        [("genres", "holds text"), ("format", "same for all items"), ("size", "no item column 'size'")],
    )
    def test_what_cannot_be_a_factor_is_refused(self, columns, name, message):
        with pytest.raises(DataError, match=message):
            find_factors(columns, ("year", name))
