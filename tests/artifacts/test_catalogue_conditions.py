"""Conditions in SQL against the same conditions evaluated item by item in Python."""

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macrid.artifacts.catalogue import Catalogue, Column, write_catalogue
from macrid.artifacts.catalogue_conditions import AllOf, AnyOf, Not, OneOf, Within
from macrid.artifacts.errors import CatalogueError

COLUMNS = [Column("genres", "text"), Column('a "b"; --', "text"), Column("year", "integer"), Column("price", "real")]
ROWS = [
    ("Comedy|Drama", "bags", 1999, 4.5),
    ("Comedy", 'quo"te', 2001, None),
    ("Drama | Film-Noir", "back\\slash", None, -1.0),
    ("Comedy, Drama", "back\\|slash", 2**60, 1e300),
    (None, "tab\there|new\nline", 2**60 + 1, 0.1),
    ("", None, 1999, 4.0),
    ("|", "☃|𝄞|z", -5, 4.5),
    ("Melodrama|Tragicomedy", "%|_", 2001, 4.25),
]
OPERATORS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    path = tmp_path_factory.mktemp("catalogues") / "catalogue.sqlite"
    names = [str(at) for at in range(len(ROWS))]
    write_catalogue(path, item_ids=names, titles=names, images=[None] * len(ROWS), columns=COLUMNS, rows=ROWS)
    return Catalogue.open(path)


def meets(row, condition):
    match condition:
        case AllOf(parts):
            return all(meets(row, part) for part in parts)
        case AnyOf(parts):
            return any(meets(row, part) for part in parts)
        case Not(part):
            return not meets(row, part)
        case OneOf(column, values):
            value = value_of(row, column)
            return value is not None and any(part in values for part in [value, *parts_of(value)])
        case Within(column, bounds):
            value = value_of(row, column)
            return value is not None and any(
                all(OPERATORS[name](part, bound) for name, bound in bounds) for part in parts_of(value)
            )


def value_of(row, name):
    return row[[column.name for column in COLUMNS].index(name)]


def parts_of(value):
    return [part.strip(" ") for part in value.split("|")] if isinstance(value, str) and "|" in value else [value]


def values_for(column):
    if column.kind == "text":
        found = [row[COLUMNS.index(column)] for row in ROWS]
        return st.sampled_from([part for value in found if value is not None for part in [value, *parts_of(value)]])
    return st.sampled_from([1999, 2001.0, 2**60, 2.0**60, 2**60 + 1, -5, 0.1, 4.25, 4, 4.5, 1e300])


@st.composite
def comparisons(draw):
    column = draw(st.sampled_from(COLUMNS))
    values = values_for(column)
    if draw(st.booleans()):
        return OneOf(column.name, tuple(draw(st.lists(values, max_size=4))))
    return Within(column.name, tuple(draw(st.lists(st.tuples(st.sampled_from([*OPERATORS]), values), min_size=1))))


conditions = st.recursive(
    comparisons(),
    lambda parts: st.one_of(
        st.builds(AllOf, st.lists(parts, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(parts, max_size=3).map(tuple)),
        st.builds(Not, parts),
    ),
    max_leaves=8,
)


class TestMatching:
    @settings(deadline=None, max_examples=400)
    @given(conditions)
    def test_it_is_what_the_condition_says_of_each_item(self, catalogue, condition):
        expected = [at for at, row in enumerate(ROWS) if meets(row, condition)]
        assert catalogue.matching(condition).tolist() == expected

    @settings(deadline=None, max_examples=100)
    @given(conditions)
    def test_a_condition_and_its_not_share_the_catalogue(self, catalogue, condition):
        both = np.concatenate([catalogue.matching(condition), catalogue.matching(Not(condition))])
        assert sorted(both.tolist()) == list(range(len(ROWS)))

    @pytest.mark.parametrize(
        ("values", "expected"),
        [(("Comedy",), [0, 1]), (("Film-Noir",), [2]), (("Comedy|Drama",), [0]), (("comedy",), []), (("",), [5, 6])],
    )
    def test_text_is_compared_part_by_part_and_as_a_whole(self, catalogue, values, expected):
        assert catalogue.matching(OneOf("genres", values)).tolist() == expected

    def test_one_part_has_to_pass_all_bounds(self, catalogue):
        # "Melodrama|Tragicomedy" has a part above N and one below T, but none between.
        assert catalogue.matching(Within("genres", ((">", "N"), ("<", "T")))).tolist() == []

    def test_an_item_without_a_value_meets_no_comparison_and_every_not_of_one(self, catalogue):
        assert 1 not in catalogue.matching(Within("price", ((">=", -1e308),)))
        assert 1 in catalogue.matching(Not(Within("price", ((">=", -1e308),))))

    def test_large_whole_numbers_are_compared_exactly(self, catalogue):
        assert catalogue.matching(OneOf("year", (2**60 + 1,))).tolist() == [4]

    @pytest.mark.parametrize("text", ["'; DROP TABLE items; --", "') OR 1=1 --", 'x" OR "1"="1', "\0", "?1", "c0"])
    def test_a_value_is_never_sql(self, catalogue, text):
        assert catalogue.matching(OneOf("genres", (text,))).tolist() == []
        assert len(catalogue) == len(ROWS)

    def test_a_column_that_is_not_there_is_refused_with_those_that_are(self, catalogue):
        with pytest.raises(CatalogueError, match=r"there is no column 'c0'; the columns are \['genres', "):
            catalogue.matching(OneOf("c0", ("bags",)))
