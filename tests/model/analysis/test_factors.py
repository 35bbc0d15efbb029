"""Measures of disentanglement on perfect, null, duplicated and mixed codes, where the answers are known."""

import numpy as np
import pytest

from macrid.model.analysis.factors import (
    alignment,
    bins_for,
    completeness,
    dci,
    disentanglement,
    mean_measures,
    measure_factors,
    mutual_information_gap,
    rank_correlations,
)

ITEMS, DIMENSIONS, FACTORS = 300, 12, 3


@pytest.fixture(scope="module")
def world():
    """Independent uniform factors, and four kinds of codes: twelve dimensions each, those not named being noise."""
    rng = np.random.default_rng(0)
    factors = rng.random((ITEMS, FACTORS))

    def codes(*columns):
        table = rng.standard_normal((ITEMS, DIMENSIONS)) * 0.05
        for at, column in enumerate(columns):
            table[:, at] = column
        return table.astype(np.float32)

    rotation = np.linalg.qr(rng.standard_normal((FACTORS, FACTORS))).Q
    return factors, {
        "perfect": codes(-factors[:, 2], factors[:, 0], factors[:, 1]),  # a permutation, one of them turned round
        "null": codes(),
        "duplicated": codes(*factors.T, *factors.T),
        "mixed": codes(*(factors @ rotation).T),
    }


class TestDci:
    def test_a_permutation_of_the_factors_is_perfect(self, world):
        factors, codes = world
        found = dci(codes["perfect"], factors, seed=0)
        assert found.disentanglement > 0.99
        assert found.completeness > 0.99
        assert found.informativeness > 0.99

    def test_codes_that_know_nothing_have_nothing(self, world):
        factors, codes = world
        found = dci(codes["null"], factors, seed=0)
        assert found.disentanglement < 0.1
        assert found.completeness < 0.1
        assert found.informativeness < 0.05

    def test_duplicated_codes_are_disentangled_but_less_complete(self, world):
        factors, codes = world
        found = dci(codes["duplicated"], factors, seed=0)
        assert found.disentanglement > 0.99
        assert found.completeness == pytest.approx(1 - np.log(2) / np.log(DIMENSIONS), abs=0.02)
        assert found.informativeness > 0.99

    def test_mixed_codes_know_the_factors_without_being_disentangled(self, world):
        factors, codes = world
        found = dci(codes["mixed"], factors, seed=0)
        assert found.informativeness > 0.85
        assert found.disentanglement < 0.75

    def test_the_same_seed_gives_the_same_figures(self, world):
        factors, codes = world
        assert (
            dci(codes["mixed"], factors[:, :1], seed=3).completeness
            == dci(codes["mixed"], factors[:, :1], seed=3).completeness
        )

    def test_importances_by_hand(self):
        importances = np.array([[0.5, 0.0], [0.5, 0.0], [0.0, 1.0], [0.0, 0.0]])
        assert disentanglement(importances) == 1
        assert completeness(importances) == pytest.approx(((1 - 1 / 2) + 1) / 2)  # log 2 / log 4 is a half
        assert disentanglement(np.ones((4, 2))) == pytest.approx(0)
        assert completeness(np.ones((4, 2))) == pytest.approx(0)

    def test_one_factor_cannot_be_told_from_others(self):
        assert np.isnan(disentanglement(np.ones((4, 1))))


class TestGap:
    def test_perfect_codes_have_nearly_the_whole_gap(self, world):
        factors, codes = world
        assert mutual_information_gap(codes["perfect"], factors) > 0.85  # less than 1 by what noise seems to tell

    @pytest.mark.parametrize("kind", ["null", "duplicated"])
    def test_null_and_duplicated_codes_have_none(self, world, kind):
        factors, codes = world
        assert mutual_information_gap(codes[kind], factors) < 0.02

    def test_a_factor_of_two_values_can_be_told(self):
        flag = np.tile([0.0, 1.0], 100)[:, None]
        codes = np.column_stack([flag[:, 0], np.repeat([0.0, 1.0], 100)]).astype(np.float32)
        assert mutual_information_gap(codes, flag) == pytest.approx(1)

    def test_a_factor_that_is_nearly_always_the_same_can_be_told(self):
        flag = np.repeat([0.0, 1.0], [10, 190])[:, None]
        codes = np.column_stack([flag[:, 0], np.tile([0.0, 1.0], 100)]).astype(np.float32)
        assert mutual_information_gap(codes, flag) == pytest.approx(1)

    def test_the_number_of_bins_grows_with_the_items_within_bounds(self):
        assert [bins_for(n) for n in (3, 125, 300, 10_000)] == [2, 5, 7, 20]


class TestAlignment:
    def test_perfect_codes_follow_their_factor_and_no_other(self, world):
        factors, codes = world
        found = alignment(codes["perfect"], factors, np.random.default_rng(0))
        assert found.factor == pytest.approx(1)
        assert found.others < 0.2

    def test_the_choice_among_many_dimensions_is_not_counted_as_a_finding(self, world):
        factors, _ = world
        codes = np.random.default_rng(5).standard_normal((ITEMS, 500)).astype(np.float32)
        best = np.abs(rank_correlations(codes, factors)).max()
        found = alignment(codes, factors, np.random.default_rng(0))
        assert best > 0.15
        assert found.factor < 0.12

    def test_mixed_codes_follow_other_factors_too(self, world):
        factors, codes = world
        found = alignment(codes["mixed"], factors, np.random.default_rng(0))
        assert 0.4 < found.others < found.factor

    def test_correlations_are_spearmans_and_nothing_follows_a_constant(self):
        left = np.array([[1.0, 5, 7], [2, 4, 7], [4, 3, 7]])
        right = np.array([[1.0], [10], [100]])
        np.testing.assert_allclose(rank_correlations(left, right), [[1], [-1], [0]])


def test_the_mean_over_groups_weighs_them_by_their_items(world):
    factors, codes = world
    large = measure_factors(codes["perfect"][:200], factors[:200], seed=0)
    small = measure_factors(codes["null"][200:], factors[200:], seed=0)
    found = mean_measures([large, small])
    assert found.items == ITEMS
    assert found.mig == pytest.approx((200 * large.mig + 100 * small.mig) / 300)
    assert found.dci.disentanglement == pytest.approx(
        (200 * large.dci.disentanglement + 100 * small.dci.disentanglement) / 300
    )
