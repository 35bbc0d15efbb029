"""Altering components: by hand on three axes, and properties of random worlds."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from macrid.service.control import (
    QUANTILE_STEP,
    REPULSION,
    Critique,
    Edit,
    Wishes,
    alter,
    quantile_of,
    scale_for,
    value_at,
)
from macrid.service.encoder import unit_rows
from macrid.service.walk_range import is_nearest


def rows(*vectors):
    return np.array(vectors, dtype=np.float32)


@dataclass(frozen=True)
class World:
    components: np.ndarray
    prototypes: np.ndarray
    items: np.ndarray

    def members(self, concept):
        return np.flatnonzero((self.items @ self.prototypes.T).argmax(axis=1) == concept)

    def alter(self, *edits, critiques=(), disliked=()):
        grouped = {k: np.intersect1d(disliked, self.members(k)) for k in range(len(self.prototypes))}
        wishes = Wishes(edits, critiques, {k: found for k, found in grouped.items() if len(found)})
        return alter(
            self.components, wishes, prototypes=self.prototypes, item_embeddings=self.items, members=self.members
        )


# Two concepts along the first two axes; the third is free. Concept 0 holds five items, coordinate 2 from -0.6 to 0.6.
HAND = World(
    components=rows([0.8, 0, 0.6], [0.6, 0.8, 0]),
    prototypes=rows([1, 0, 0], [0, 1, 0]),
    items=rows([0.8, 0, -0.6], [0.96, 0, -0.28], [1, 0, 0], [0.96, 0, 0.28], [0.8, 0, 0.6], [0, 1, 0], [0.6, 0.8, 0]),
)


def edit(dim, *, concept=0, **amount):
    ((kind, value),) = amount.items()
    return Edit(concept, dim, kind, value)


def more(dim, item, *, concept=0, world=HAND):
    return Critique(concept, dim, "more", float(world.items[item, dim]))


def less(dim, item, *, concept=0, world=HAND):
    return Critique(concept, dim, "less", float(world.items[item, dim]))


class TestEdits:
    def test_a_value_is_set_and_the_vector_normalised(self):
        altered, (account,) = HAND.alter(edit(2, value=0.0))
        np.testing.assert_allclose(altered[0], [1, 0, 0], atol=1e-7)  # (0.8, 0, 0), normalised
        assert account.scale == 1.0
        (applied,) = account.edits
        assert (applied.dim, applied.requested, applied.applied) == (2, 0.0, 0.0)
        assert applied.before == pytest.approx(0.6)

    def test_normalising_moves_what_was_set_and_both_are_reported(self):
        altered, (account,) = HAND.alter(edit(2, value=0.28))
        expected = np.array([0.8, 0, 0.28]) / np.hypot(0.8, 0.28)
        np.testing.assert_allclose(altered[0], expected, atol=1e-7)
        assert account.edits[0].requested == 0.28
        assert account.edits[0].applied == altered[0, 2] == pytest.approx(0.28 / np.hypot(0.8, 0.28))

    def test_a_shift_is_added(self):
        assert HAND.alter(edit(2, shift=-0.5))[1][0].edits[0].requested == pytest.approx(0.1)

    @pytest.mark.parametrize(("quantile", "value"), [(0.0, -0.6), (0.1, -0.6), (0.5, 0.0), (0.4, -0.14), (1.0, 0.6)])
    def test_a_quantile_is_one_of_the_concepts_items(self, quantile, value):
        # Five items stand at the quantiles .1, .3, .5, .7 and .9; between them coordinates are interpolated.
        assert HAND.alter(edit(2, quantile=quantile))[1][0].edits[0].requested == pytest.approx(value)

    def test_both_quantiles_are_reported(self):
        applied = HAND.alter(edit(2, value=0.0))[1][0].edits[0]
        assert applied.quantile_before == pytest.approx(0.9)  # equal to the last of five: four and a half below it
        assert applied.quantile_applied == pytest.approx(0.5)

    def test_what_lies_beyond_the_range_is_cut_to_it(self):
        beyond, end = HAND.alter(edit(2, value=-9.0)), HAND.alter(edit(2, value=float(np.float32(-0.6))))
        np.testing.assert_array_equal(beyond[0], end[0])
        assert beyond[1][0].edits[0].requested == -9.0
        assert beyond[1][0].edits[0].range.used.low == pytest.approx(-0.6)

    def test_several_coordinates_are_set_before_the_vector_is_normalised_once(self):
        altered, (account,) = HAND.alter(edit(0, value=0.96), edit(2, value=0.28))
        np.testing.assert_allclose(altered[0], [0.96, 0, 0.28], atol=1e-6)  # a unit vector as it stands
        assert [applied.dim for applied in account.edits] == [0, 2]

    def test_other_components_keep_every_bit(self):
        altered, _ = HAND.alter(edit(2, value=0.0))
        np.testing.assert_array_equal(altered[1], HAND.components[1])

    def test_the_given_array_is_not_written_to(self):
        before = HAND.components.copy()
        HAND.alter(edit(2, value=0.0))
        np.testing.assert_array_equal(HAND.components, before)


class TestNothing:
    def test_no_wish_returns_the_very_same_array(self):
        altered, accounts = HAND.alter()
        assert altered is HAND.components
        assert accounts == []

    @pytest.mark.parametrize(
        "nothing", [edit(2, shift=0.0), edit(2, value=float(np.float32(0.6))), edit(1, concept=1, shift=0.0)]
    )
    def test_an_edit_that_asks_for_what_is_returns_the_very_same_array(self, nothing):
        altered, (account,) = HAND.alter(nothing)
        assert altered is HAND.components
        assert account.scale == 1.0
        assert account.edits[0].before == account.edits[0].applied

    def test_a_shift_by_nothing_moves_no_component_that_lies_beyond_its_items(self):
        far = World(rows([0.6, 0, 0.8], [0, 1, 0]), HAND.prototypes, HAND.items)  # the items end at 0.6
        assert far.alter(edit(2, shift=0.0))[0] is far.components

    def test_a_critique_that_is_met_already_returns_the_very_same_array(self):
        assert HAND.alter(critiques=[more(2, item=1)])[0] is HAND.components


class TestScale:
    def test_the_whole_edit_goes_as_far_as_the_concept_reaches(self):
        # From (.8, .6, 0) towards (.6, .8, 0): both ends of their ranges, together beyond. Half way is the border.
        items = rows([0.8, 0.6, 0], [0.6, -0.8, 0], [0.8, 0, 0.6], [0.9, 0.89, 0])
        world = World(rows([0.8, 0.6, 0], [0, 1, 0]), HAND.prototypes, items)
        altered, (account,) = world.alter(edit(0, value=0.6), edit(1, value=0.8))
        assert account.edits[0].range.used.low == pytest.approx(0.6, abs=1e-6)
        assert account.edits[1].range.used.high == pytest.approx(0.8, abs=1e-6)
        assert account.scale == pytest.approx(0.5, abs=1e-5)
        np.testing.assert_allclose(altered[0], np.array([0.7, 0.7, 0]) / np.hypot(0.7, 0.7), atol=1e-5)

    def test_a_component_that_lay_nearer_to_another_prototype_is_not_scaled(self):
        # Component 0 lies with prototype 1, and is set further away from its own.
        world = World(rows([0.6, 0.8, 0], [0, 1, 0]), HAND.prototypes, HAND.items)
        _, (account,) = world.alter(edit(0, value=0.8), edit(2, value=0.6))
        assert account.scale == 1.0
        assert {applied.range.source for applied in account.edits} == {"items"}

    def test_a_target_without_direction_is_not_approached(self):
        line = World(rows([1.0]), rows([1.0]), rows([1.0], [-1.0]))
        assert scale_for(line.components[0], np.zeros(1), 0, line.prototypes) == 0.0

    def test_one_concept_has_no_border(self):
        alone = World(HAND.components[:1], HAND.prototypes[:1], HAND.items[:5])
        assert alone.alter(edit(2, value=-0.6), edit(0, value=0.8))[1][0].scale == 1.0


class TestCritiques:
    def test_more_than_an_item_is_one_step_of_the_concepts_items_beyond_it(self):
        world = World(rows([0.96, 0, -0.28], [0, 1, 0]), HAND.prototypes, HAND.items)
        applied = world.alter(critiques=[more(2, item=2)])[1][0].edits[0]
        # The item stands at quantile .5; .65 lies three quarters of the way from 0 (.5) to .28 (.7).
        assert QUANTILE_STEP == 0.15
        assert applied.requested == pytest.approx(0.21)

    def test_less_than_an_item_is_one_step_below_it(self):
        assert HAND.alter(critiques=[less(2, item=2)])[1][0].edits[0].requested == pytest.approx(-0.21)

    def test_beyond_the_last_item_the_last_is_meant(self):
        world = World(rows([0.96, 0, -0.28], [0, 1, 0]), HAND.prototypes, HAND.items)
        assert world.alter(critiques=[more(2, item=4)])[1][0].edits[0].requested == pytest.approx(0.6)

    def test_of_several_the_strictest_counts(self):
        world = World(rows([0.96, 0, -0.28], [0, 1, 0]), HAND.prototypes, HAND.items)
        one = world.alter(critiques=[more(2, item=2)])
        np.testing.assert_array_equal(world.alter(critiques=[more(2, item=1), more(2, item=2)])[0], one[0])

    def test_between_two_that_exclude_each_other_the_middle_is_taken(self):
        # More than item 2 asks for .21 at least, less than item 3 (.28 at quantile .7) for .07 at most.
        applied = HAND.alter(critiques=[more(2, item=2), less(2, item=3)])[1][0].edits[0]
        assert applied.requested == pytest.approx((0.21 + 0.07) / 2)

    def test_it_bounds_what_an_edit_sets(self):
        bounded = HAND.alter(edit(2, value=0.5), critiques=[less(2, item=2)])[1][0].edits[0]
        assert bounded.requested == pytest.approx(-0.21)
        free = HAND.alter(edit(2, value=-0.5), critiques=[less(2, item=2)])[1][0].edits[0]
        assert free.requested == -0.5


class TestDisliked:
    def test_the_component_steps_away_from_the_mean_of_its_concepts_disliked_items(self):
        altered, (account,) = HAND.alter(disliked=[3, 4])
        target = HAND.components[0] - 0.25 * (HAND.items[3] + HAND.items[4]) / 2
        assert REPULSION == 0.25
        np.testing.assert_allclose(altered[0], target / np.linalg.norm(target), atol=1e-6)
        assert (account.scale, account.edits) == (1.0, ())

    def test_only_the_component_of_the_items_concept_moves(self):
        altered, accounts = HAND.alter(disliked=[4])
        assert [account.concept for account in accounts] == [0]
        np.testing.assert_array_equal(altered[1], HAND.components[1])

    def test_a_dimension_that_is_set_is_set_whatever_is_disliked(self):
        altered, _ = HAND.alter(edit(2, value=0.0), disliked=[4])
        np.testing.assert_allclose(altered[0], [1, 0, 0], atol=1e-7)

    def test_it_stays_with_its_concept_like_any_edit(self):
        # The component lies just inside concept 0, and what is disliked is what keeps it there.
        world = World(rows([0.72, 0.69397, 0], [0, 1, 0]), HAND.prototypes, HAND.items)
        altered, (account,) = world.alter(disliked=[2])
        # .72 − .25·t = .69397 at t = .10412
        assert account.scale == pytest.approx((0.72 - 0.69397) / 0.25, abs=1e-4)
        assert is_nearest(altered[0], 0, world.prototypes)


@st.composite
def worlds(draw):
    """Clustered items, each concept with at least one; components near their prototypes, or anywhere."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    concepts, dimensions = draw(st.integers(1, 5)), draw(st.integers(2, 10))
    prototypes = unit_rows(rng.normal(size=(concepts, dimensions)).astype(np.float32))
    homes = np.vstack([prototypes, prototypes[rng.integers(0, concepts, size=draw(st.integers(0, 60)))]])
    noise = 0.4 * rng.normal(size=homes.shape)
    noise[:concepts] = 0
    items = unit_rows((homes + noise).astype(np.float32))
    spread = draw(st.sampled_from([0.1, 0.5, 5.0]))
    components = unit_rows((prototypes + spread * rng.normal(size=prototypes.shape)).astype(np.float32))
    return World(components, prototypes, items)


def edits_for(world, draw, *, most=6):
    """Edits of any kind, one at most for a concept and dimension."""
    concepts, dimensions = world.prototypes.shape
    places = draw(
        st.lists(
            st.tuples(st.integers(0, concepts - 1), st.integers(0, dimensions - 1)),
            min_size=1,
            max_size=most,
            unique=True,
        )
    )
    kinds = {"value": st.floats(-2, 2), "shift": st.floats(-2, 2), "quantile": st.floats(0, 1)}
    return [
        Edit(concept, dim, kind, draw(kinds[kind]))
        for concept, dim in places
        for kind in [draw(st.sampled_from(sorted(kinds)))]
    ]


def wishes_for(world, draw):
    """Edits, critiques and disliked items."""
    edits = edits_for(world, draw)
    chosen = draw(st.lists(st.integers(0, len(world.items) - 1), max_size=6))
    home = (world.items @ world.prototypes.T).argmax(axis=1)
    critiques = [
        Critique(int(home[item]), dim, draw(st.sampled_from(["more", "less"])), float(world.items[item, dim]))
        for item in chosen
        for dim in [draw(st.integers(0, world.prototypes.shape[1] - 1))]
    ]
    disliked = draw(st.lists(st.integers(0, len(world.items) - 1), max_size=4))
    return edits, critiques, disliked


class TestProperties:
    @settings(deadline=None, max_examples=100)
    @given(worlds(), st.data())
    def test_the_order_of_the_wishes_changes_no_bit(self, world, data):
        edits, critiques, disliked = wishes_for(world, data.draw)
        shuffled = [data.draw(st.permutations(wishes)) for wishes in (edits, critiques, disliked)]
        one, accounts = world.alter(*edits, critiques=critiques, disliked=disliked)
        other, other_accounts = world.alter(*shuffled[0], critiques=shuffled[1], disliked=shuffled[2])
        np.testing.assert_array_equal(one, other)
        assert [account.edits for account in accounts] == [account.edits for account in other_accounts]

    @settings(deadline=None, max_examples=100)
    @given(worlds(), st.data())
    def test_a_component_that_was_in_its_concept_stays_there_and_goes_as_far_as_it_can(self, world, data):
        edits, critiques, disliked = wishes_for(world, data.draw)
        altered, accounts = world.alter(*edits, critiques=critiques, disliked=disliked)
        for account in accounts:
            k, before = account.concept, world.components[account.concept]
            products = world.prototypes.astype(np.float64) @ altered[k].astype(np.float64)
            if is_nearest(before, k, world.prototypes):
                assert products[k] >= products.max() - 3e-6
                if 0 < account.scale < 1:  # at the border, up to rounding and the length of the step
                    assert np.partition(products, -2)[-2] >= products[k] - 1e-4
            else:
                assert account.scale == 1.0
        assert np.allclose(np.linalg.norm(altered, axis=1), 1, atol=1e-6)

    @settings(deadline=None, max_examples=100)
    @given(worlds(), st.data())
    def test_the_scale_is_what_bisection_finds(self, world, data):
        concept = data.draw(st.integers(0, len(world.prototypes) - 1))
        component = world.components[concept]
        gaps = world.prototypes[concept].astype(np.float64) - world.prototypes.astype(np.float64)
        assume(np.all(gaps @ component.astype(np.float64) >= 0))
        seed = data.draw(st.integers(0, 2**32 - 1))
        component = component.astype(np.float64)
        target = component + np.random.default_rng(seed).normal(size=len(component))

        def stays(t):
            return np.all(gaps @ (component + t * (target - component)) >= 0)

        low, high = 0.0, 1.0
        if stays(1.0):
            low = 1.0
        else:
            for _ in range(60):
                middle = (low + high) / 2
                low, high = (middle, high) if stays(middle) else (low, middle)
        assert scale_for(component, target, concept, world.prototypes) == pytest.approx(low, abs=1e-9)

    @settings(deadline=None, max_examples=100)
    @given(worlds(), st.data())
    def test_one_edit_alone_is_never_scaled_where_the_prototypes_range_limits_it(self, world, data):
        (alone,) = edits_for(world, data.draw, most=1)
        _, (account,) = world.alter(alone)
        if account.edits[0].range.source == "prototype_and_items":
            assert account.scale == 1.0

    @settings(deadline=None, max_examples=100)
    @given(worlds(), st.data())
    def test_only_dimensions_that_are_set_change_their_proportions(self, world, data):
        (alone,) = edits_for(world, data.draw, most=1)
        altered, _ = world.alter(alone)
        before, after = (np.delete(array[alone.concept], alone.dim) for array in (world.components, altered))
        shared = np.outer(before, after)
        np.testing.assert_allclose(shared, shared.T, atol=1e-6)  # parallel

    @settings(deadline=None, max_examples=100)
    @given(st.lists(st.sampled_from([-0.5, -0.1, 0.0, 0.2, 0.7]), min_size=1, max_size=30), st.floats(0, 1))
    def test_values_rise_with_quantiles_and_invert_them_at_items(self, values, quantile):
        coordinates = np.array(values, dtype=np.float32)
        assert coordinates.min() <= value_at(coordinates, quantile) <= coordinates.max()
        for value in np.unique(coordinates):
            assert value_at(coordinates, quantile_of(coordinates, value)) == pytest.approx(value, abs=1e-6)
