"""Known answers: scipy's paired t-test, repeated users written out, the formula of Nadeau and Bengio, Holm's own example."""

import numpy as np
import pytest
from scipy import stats

from macrid.model.significance import holm, mean_over_users, paired_test


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    theirs = rng.random(60)
    return theirs + rng.normal(0.05, 0.1, 60), theirs


def names(count):
    return [f"u{at}" for at in range(count)]


class TestMean:
    def test_with_different_users_it_is_the_usual_standard_error(self, values):
        found = mean_over_users(values[0], names(60))
        assert found.mean == pytest.approx(values[0].mean())
        assert found.standard_error == pytest.approx(stats.sem(values[0]))

    def test_saying_everything_twice_tells_nothing_new(self, values):
        once, twice = mean_over_users(values[0], names(60)), mean_over_users(np.tile(values[0], 2), names(60) * 2)
        assert twice.standard_error == pytest.approx(once.standard_error)

    def test_a_single_user_has_no_standard_error(self):
        assert mean_over_users(np.array([0.2, 0.4]), ["a", "a"]).standard_error == 0


class TestPairedTest:
    def test_with_one_split_it_is_the_paired_t_test(self, values):
        found = paired_test(*values, names(60), np.ones(60, dtype=np.int64), 0.1)
        expected = stats.ttest_rel(*values)
        assert found.p_users == pytest.approx(expected.pvalue)
        assert (found.low, found.high) == pytest.approx(expected.confidence_interval(0.95))
        assert np.isnan(found.p_splits)
        assert found.better + found.equal + found.worse == 60

    def test_the_same_user_in_every_split_counts_once(self, values):
        users, splits = names(60) * 3, np.repeat([1, 2, 3], 60)
        once = paired_test(*values, names(60), splits[:60], 0.1)
        thrice = paired_test(*(np.tile(each, 3) for each in values), users, splits, 0.1)
        assert thrice.p_users == pytest.approx(once.p_users)
        assert thrice.users == 60

    def test_over_splits_it_is_corrected_for_their_common_training_users(self):
        differences, splits = np.array([0.1, 0.3, 0.2, 0.2, 0.4, 0.0]), np.array([1, 1, 2, 2, 3, 3])
        means = np.array([0.2, 0.2, 0.2]) + np.array([0.0, 0.05, 0.0])
        differences[2:4] += 0.05
        found = paired_test(differences, np.zeros(6), names(6), splits, 0.25)
        statistic = means.mean() / np.sqrt((1 / 3 + 0.25) * means.var(ddof=1))
        assert found.p_splits == pytest.approx(2 * stats.t.sf(statistic, 2))

    def test_equal_methods_are_not_different(self):
        same = np.array([0.1, 0.5, 0.3])
        found = paired_test(same, same, names(3), np.array([1, 1, 2]), 0.1)
        assert (found.p_users, found.p_splits, found.equal) == (1.0, 1.0, 3)

    def test_one_user_says_nothing_of_others(self):
        found = paired_test(np.array([0.3, 0.2]), np.zeros(2), ["a", "a"], np.array([1, 2]), 0.1)
        assert found.difference == pytest.approx(0.25)
        assert np.isnan([found.p_users, found.low, found.high]).all()
        assert 0 < found.p_splits < 1

    def test_under_no_difference_few_tests_say_there_is_one_although_users_come_again(self):
        """With users as clusters 5 % of tests are wrong, as promised; ignoring them, twice as many and more."""
        rng, users, splits = np.random.default_rng(1), names(40) * 4, np.repeat(range(4), 40)
        wrong = {"clusters": 0, "ignored": 0}
        for _ in range(400):
            own = np.tile(rng.normal(size=40), 4)  # how a user differs, whichever the split
            differences = own + 0.5 * rng.normal(size=160)
            wrong["clusters"] += paired_test(differences, np.zeros(160), users, splits, 0.1).p_users < 0.05
            wrong["ignored"] += stats.ttest_1samp(differences, 0).pvalue < 0.05
        assert wrong["clusters"] / 400 < 0.08
        assert wrong["ignored"] / 400 > 0.15


def test_holm_raises_p_values_in_their_order():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
    assert holm([np.nan, 0.03, np.nan, 0.01]) == pytest.approx([np.nan, 0.03, np.nan, 0.02], nan_ok=True)
