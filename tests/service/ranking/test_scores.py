"""Who is near the best: nobody who may be one of them is left out, and few others are let in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macrid.service.ranking.scores import GROUPED, GROUPS_FOR_EACH, below_the_best, within_reach_of_the_best


class TestWithinReach:
    @settings(deadline=None, max_examples=100)
    @given(
        st.integers(0, 2**32 - 1),
        st.sampled_from([5, 700]),
        st.integers(1, 8),
        st.sampled_from([0.0, 0.01, 0.5]),
        st.sampled_from([0.0, 0.5, 0.99]),
        st.booleans(),
    )
    def test_whoever_may_be_one_of_the_best_is(self, seed, count, n, error, gone, exponentials):
        rng = np.random.default_rng(seed)
        true = rng.normal(size=(3, count)).round(1)  # with ties
        true[rng.random(true.shape) < gone] = -np.inf
        known = (true + rng.uniform(-error, error, true.shape)).astype(np.float32)
        errors = np.full((3, 1), error + 1e-6)
        near = within_reach_of_the_best(np.exp(known) if exponentials else known, n, errors, exponentials=exponentials)
        for line, found in zip(true, near, strict=True):
            there = line > -np.inf
            if there.any():
                nth = np.sort(line[there])[-min(n, there.sum())]
                assert found[there & (line >= nth)].all()
            assert not found[~there].any()

    @pytest.mark.parametrize("exponentials", [False, True])
    def test_and_few_others(self, exponentials):
        rng = np.random.default_rng(0)
        values = rng.normal(size=(4, 20_000)).astype(np.float32)
        near = within_reach_of_the_best(np.exp(values) if exponentials else values, 100, 0.0, exponentials=exponentials)
        assert (near.sum(axis=1) >= 100).all()
        assert (near.sum(axis=1) <= 130).all()

    def test_of_a_line_without_anything_nothing(self):
        nothing = np.full((1, 50), -np.inf, dtype=np.float32)
        assert not within_reach_of_the_best(nothing, 3, 0.1).any()
        assert not within_reach_of_the_best(np.exp(nothing), 3, 0.1, exponentials=True).any()


class TestBelowTheBest:
    def test_neighbours_that_are_the_best_do_not_hide_each_other(self):
        groups = GROUPS_FOR_EACH * 10
        values = np.zeros(groups * GROUPED, dtype=np.float32)
        values[100:110] = np.arange(1, 11)  # as items of one kind stand in a catalogue
        assert below_the_best(values, 10).tolist() == [1]

    def test_of_few_it_is_the_nth_itself(self):
        values = np.array([[3, 1, 2, 5, 4]], dtype=np.float32)
        assert [below_the_best(values, n).item() for n in range(1, 6)] == [5, 4, 3, 2, 1]
