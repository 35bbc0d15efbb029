"""How far a walk may go: by hand, and against the paper's binary search."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from macrid.service.encoder import unit_rows
from macrid.service.walk_range import Interval, is_nearest, prototype_range, range_along

INFINITE = 1e6  # further out than any bound that the random prototypes below produce


def axes(*rows):
    return np.array(rows, dtype=np.float32)


def nearest(start, dim, value, prototypes):
    """Index of the prototype with the largest cosine once the coordinate is set, all in float64."""
    altered = start.astype(np.float64)
    altered[dim] = value
    return int(np.argmax(prototypes.astype(np.float64) @ altered))


def binary_search(start, dim, concept, prototypes, towards):
    """One end of the range as the paper finds it: the last value, seen from the start, that belongs to the concept."""
    inside, outside = float(start[dim]), towards
    if nearest(start, dim, outside, prototypes) == concept:
        return math.copysign(math.inf, towards)
    for _ in range(200):
        middle = (inside + outside) / 2
        if nearest(start, dim, middle, prototypes) == concept:
            inside = middle
        else:
            outside = middle
    return inside


class TestPrototypeRange:
    def test_between_two_axes_the_border_is_where_both_coordinates_are_equal(self):
        # (v, 0.6) is nearest to (1, 0) for v ≥ 0.6, and to (0, 1) below.
        start, prototypes = np.array([0.8, 0.6], dtype=np.float32), axes([1, 0], [0, 1])
        found = prototype_range(start, 0, 0, prototypes)
        assert found.low == pytest.approx(0.6)
        assert found.high == math.inf

    def test_rivals_on_both_sides_leave_an_interval(self):
        # Along the first axis: rivals at (±1, 0); (v, 0.9) belongs to (0, 1) while |v| ≤ 0.9.
        start, prototypes = np.array([0.1, 0.9], dtype=np.float32), axes([0, 1], [1, 0], [-1, 0])
        found = prototype_range(start, 0, 0, prototypes)
        assert (found.low, found.high) == (pytest.approx(-0.9), pytest.approx(0.9))

    def test_a_single_concept_has_no_rival_and_no_limit(self):
        assert prototype_range(axes([1, 0])[0], 1, 0, axes([1, 0])) == Interval(-math.inf, math.inf)

    def test_a_rival_equal_in_this_coordinate_and_nearer_in_the_others_leaves_nothing(self):
        # Coordinate 2 tells the prototypes apart in nothing, so no value of it brings the start back to the first.
        start, prototypes = axes([0, 1, 0])[0], axes([1, 0, 0], [0, 1, 0])
        assert prototype_range(start, 2, 0, prototypes) is None

    def test_half_lines_that_do_not_meet_leave_nothing(self):
        # v·1 ≥ 1 against the first rival and −v ≥ 1 against the second.
        start, prototypes = axes([0, 1])[0], axes([0, 0], [-1, 1], [1, 1])
        assert prototype_range(start, 0, 0, prototypes) is None

    @settings(deadline=None, max_examples=300)
    @given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.integers(2, 12))
    def test_the_closed_form_equals_the_papers_binary_search(self, seed, concepts, dimensions):
        rng = np.random.default_rng(seed)
        prototypes = unit_rows(rng.normal(size=(concepts, dimensions)).astype(np.float32))
        start = unit_rows(rng.normal(size=(1, dimensions)).astype(np.float32))[0]
        dim = int(rng.integers(dimensions))
        concept = nearest(start, dim, start[dim], prototypes)
        found = prototype_range(start, dim, concept, prototypes)
        for closed, towards in ((found.low, -INFINITE), (found.high, INFINITE)):
            assume(not math.isfinite(closed) or abs(closed) < INFINITE / 10)
            searched = binary_search(start, dim, concept, prototypes, towards)
            if math.isfinite(searched) or math.isfinite(closed):
                assert closed == pytest.approx(searched, abs=1e-9, rel=1e-9)


class TestRangeAlong:
    PROTOTYPES = axes([1, 0], [0, 1])
    START = np.array([0.8, 0.6], dtype=np.float32)  # stays with (1, 0) while its first coordinate is ≥ 0.6

    def test_the_prototypes_range_is_cut_to_where_the_items_are(self):
        found = range_along(self.START, 0, 0, self.PROTOTYPES, np.array([0.5, 0.7, 0.9], dtype=np.float32))
        assert found.source == "prototype_and_items"
        assert (found.used.low, found.used.high) == (pytest.approx(0.6), pytest.approx(0.9))
        assert (found.items.low, found.items.high) == (pytest.approx(0.5), pytest.approx(0.9))
        assert found.prototype.high == math.inf

    def test_where_another_prototype_is_nearer_at_the_start_only_the_items_limit_it(self):
        found = range_along(self.START, 0, 1, self.PROTOTYPES, np.array([0.1, 0.3], dtype=np.float32))
        assert found.source == "items"
        assert found.used == found.items == Interval(pytest.approx(0.1), pytest.approx(0.3))

    def test_where_the_prototypes_range_holds_no_item_only_the_items_limit_it(self):
        found = range_along(self.START, 0, 0, self.PROTOTYPES, np.array([0.1, 0.3], dtype=np.float32))
        assert found.source == "items"
        assert found.used == found.items

    def test_a_start_halfway_between_two_prototypes_belongs_to_either(self):
        halfway = np.array([0.7071066, 0.7071070], dtype=np.float32)  # but for the last digits
        for concept in (0, 1):
            assert is_nearest(halfway, concept, self.PROTOTYPES)
            found = range_along(halfway, 0, concept, self.PROTOTYPES, np.array([0.2, halfway[0]], dtype=np.float32))
            assert found.source == "prototype_and_items"
            assert found.used.contains(float(halfway[0]))

    def test_a_single_item_is_a_range_of_one_value(self):
        found = range_along(self.START, 0, 0, self.PROTOTYPES, self.START[:1])
        assert found.used == Interval(float(self.START[0]), float(self.START[0]))
