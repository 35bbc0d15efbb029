"""Walks: subranges by hand, and what holds for every walk."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macrid.service.encoder import unit_rows
from macrid.service.walk import cut_into_subranges, find_subrange, walk
from macrid.service.walk_range import Interval, is_nearest
from tests.support.walks import objective


def cut(coordinates, steps, low=None, high=None):
    coordinates = np.array(coordinates, dtype=np.float64)
    walked = Interval(min(coordinates) if low is None else low, max(coordinates) if high is None else high)
    return cut_into_subranges(coordinates, walked, steps)


def members(subranges):
    return [subrange.members.tolist() for subrange in subranges]


class TestCutIntoSubranges:
    def test_six_items_in_three_steps_are_two_each(self):
        subranges = cut([0.6, 0.1, 0.5, 0.2, 0.4, 0.3], steps=3)
        assert members(subranges) == [[1, 3], [5, 4], [2, 0]]

    def test_edges_lie_halfway_between_neighbours_and_end_where_the_range_ends(self):
        subranges = cut([1, 2, 4, 8], steps=2, low=0, high=10)
        assert [subrange.edges for subrange in subranges] == [Interval(0, 3), Interval(3, 10)]

    def test_equal_coordinates_stay_together(self):
        assert members(cut([1, 1, 1, 2], steps=2)) == [[0, 1, 2], [3]]
        assert members(cut([0, 1, 1, 1, 1, 2], steps=3)) == [[0], [1, 2, 3, 4], [5]]

    def test_fewer_different_values_than_steps_give_one_step_each(self):
        assert members(cut([3, 1, 2, 1], steps=7)) == [[1, 3], [2], [0]]

    def test_all_coordinates_equal_give_a_single_step(self):
        assert members(cut([5, 5, 5], steps=4)) == [[0, 1, 2]]

    def test_items_outside_the_range_are_left_out(self):
        assert members(cut([0, 1, 2, 3, 9], steps=2, low=1, high=3)) == [[1], [2, 3]]

    def test_a_range_without_items_has_no_subranges(self):
        assert cut([0, 1, 8, 9], steps=3, low=4, high=5) == []

    @settings(deadline=None, max_examples=300)
    @given(st.lists(st.integers(0, 40), min_size=1, max_size=120), st.integers(1, 12))
    def test_subranges_are_full_ordered_and_never_mixed(self, coordinates, steps):
        subranges = cut(coordinates, steps)
        values = [[coordinates[member] for member in group] for group in members(subranges)]
        assert len(subranges) == min(steps, len(set(coordinates)))
        assert sorted(itertools.chain(*members(subranges))) == list(range(len(coordinates)))
        for lower, upper in itertools.pairwise(values):
            assert max(lower) < min(upper)
        for subrange, group in zip(subranges, values, strict=True):
            assert subrange.edges.low <= min(group) <= max(group) <= subrange.edges.high
        for lower, upper in itertools.pairwise(subranges):
            assert lower.edges.high == upper.edges.low

    @settings(deadline=None, max_examples=200)
    @given(st.integers(1, 200), st.integers(1, 12), st.integers(0, 2**32 - 1))
    def test_without_ties_the_counts_differ_by_at_most_one(self, items, steps, seed):
        coordinates = np.random.default_rng(seed).permutation(items)
        counts = [len(group) for group in members(cut(coordinates, steps))]
        assert max(counts) - min(counts) <= 1


class TestFindSubrange:
    SUBRANGES = cut([1, 2, 4, 8], steps=2, low=0, high=10)  # [0, 3] and [3, 10]

    @pytest.mark.parametrize(("value", "step"), [(0, 0), (2, 0), (3, 0), (3.1, 1), (10, 1), (-1, None), (11, None)])
    def test_a_value_falls_into_one_step_or_none(self, value, step):
        assert find_subrange(self.SUBRANGES, value) == step


class TestWalk:
    """One concept around (1, 0, 0) whose items differ in the second coordinate, and a rival far away."""

    PROTOTYPES = np.array([[1, 0, 0], [0, 0, 1]], dtype=np.float32)
    ANGLES = np.linspace(-0.5, 0.5, 21)
    ITEMS = np.column_stack([np.cos(ANGLES), np.sin(ANGLES), np.zeros(21)]).astype(np.float32)

    def walk_from(self, item, steps=4, gamma=None, **options):
        everyone = np.arange(len(self.ITEMS))
        arguments = {"members": everyone, "candidates": everyone[everyone != item]} | options
        return walk(
            self.ITEMS[item],
            1,
            concept=0,
            prototypes=self.PROTOTYPES,
            item_embeddings=self.ITEMS,
            steps=steps,
            beam=8,
            gamma=gamma,
            **arguments,
        )

    def test_it_goes_from_one_end_to_the_other_in_as_many_steps_as_asked(self):
        found = self.walk_from(10)
        values = [step.value for step in found.steps]
        assert len(values) == 4
        assert values == sorted(values)
        assert found.range.used == Interval(pytest.approx(math.sin(-0.5)), pytest.approx(math.sin(0.5)))

    def test_the_starting_item_is_not_in_it_but_its_place_is_marked(self):
        found = self.walk_from(10)
        assert 10 not in [step.item for step in found.steps]
        edges = found.steps[found.start_step].edges
        assert edges.contains(found.start_value)

    def test_gamma_defaults_to_one_over_the_number_of_further_steps(self):
        assert self.walk_from(10).gamma == pytest.approx(1 / 3)
        assert self.walk_from(10, steps=1).gamma == 1.0

    def test_a_concept_of_one_item_has_nowhere_to_go(self):
        found = self.walk_from(3, members=np.array([3]), candidates=np.array([], dtype=np.int64))
        assert found.steps == ()
        assert found.start_step is None
        assert found.objective == 0.0

    @settings(deadline=None, max_examples=100)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 12))
    def test_coordinates_strictly_follow_the_subranges_in_every_walk(self, seed, steps, beam):
        rng = np.random.default_rng(seed)
        dimensions, dim = 5, int(rng.integers(5))
        items = unit_rows(rng.normal(size=(int(rng.integers(1, 60)), dimensions)).astype(np.float32))
        items = items[rng.integers(0, len(items), size=len(items))]  # with repeats
        prototypes = unit_rows(rng.normal(size=(int(rng.integers(1, 4)), dimensions)).astype(np.float32))
        homes = np.argmax(items @ prototypes.T, axis=1)
        item = int(rng.integers(len(items)))
        its_concept = np.flatnonzero(homes == homes[item])
        found = walk(
            items[item],
            dim,
            concept=int(homes[item]),
            prototypes=prototypes,
            item_embeddings=items,
            members=its_concept,
            candidates=its_concept[its_concept != item],
            steps=steps,
            beam=beam,
            gamma=None,
        )
        values = [step.value for step in found.steps]
        assert all(lower < upper for lower, upper in itertools.pairwise(values))
        assert all(step.edges.contains(step.value) for step in found.steps)
        assert all(lower.edges.high == upper.edges.low for lower, upper in itertools.pairwise(found.steps))
        assert found.range.used.contains(found.start_value)
        assert (found.start_step is None) == (not found.steps)
        assert item not in [step.item for step in found.steps]
        assert found.objective == pytest.approx(
            objective(items, items[item], dim, [step.item for step in found.steps], found.gamma), abs=1e-4
        )


class TestWalkFromAnywhere:
    """From a component: any unit vector, of any concept that holds an item, wherever its nearest prototype is."""

    @settings(deadline=None, max_examples=150)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.booleans())
    def test_coordinates_strictly_follow_the_subranges_whatever_limits_the_range(self, seed, steps, coarse):
        rng = np.random.default_rng(seed)
        dimensions, dim = 4, int(rng.integers(4))
        items = unit_rows(rng.normal(size=(int(rng.integers(1, 60)), dimensions)).astype(np.float32))
        if coarse:  # many equal coordinates
            items = np.round(items, 1)
        prototypes = unit_rows(rng.normal(size=(int(rng.integers(1, 5)), dimensions)).astype(np.float32))
        homes = np.argmax(items @ prototypes.T, axis=1)
        concept = int(rng.choice(homes))
        members = np.flatnonzero(homes == concept)
        candidates = members[rng.random(len(members)) < 0.8]  # the rest is in the history
        start = unit_rows(rng.normal(size=(1, dimensions)).astype(np.float32))[0]
        found = walk(
            start,
            dim,
            concept=concept,
            prototypes=prototypes,
            item_embeddings=items,
            members=members,
            candidates=candidates,
            steps=steps,
            beam=4,
            gamma=None,
        )
        values = [step.value for step in found.steps]
        within = [value for value in items[candidates, dim].tolist() if found.range.used.contains(value)]
        assert len(values) == min(steps, len(set(within)))
        assert all(lower < upper for lower, upper in itertools.pairwise(values))
        assert all(step.edges.contains(step.value) for step in found.steps)
        assert {step.item for step in found.steps} <= set(candidates.tolist())
        if int(np.argmax(prototypes @ start)) != concept and not is_nearest(start, concept, prototypes):
            assert found.range.source == "items"
        if found.range.source == "items":
            assert found.range.used == found.range.items
        if len(prototypes) == 1:
            assert found.range.prototype == Interval(-math.inf, math.inf)
