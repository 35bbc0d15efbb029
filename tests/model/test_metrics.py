"""Ranking metrics on rankings small enough to check by hand."""

import numpy as np
import pytest
from scipy import stats

from macrid.model import metrics


def hits(*rows):
    return np.array(rows, dtype=bool)


class TestNdcg:
    def test_a_perfect_ranking_scores_one(self):
        assert metrics.ndcg_at_k(hits([1, 1, 0, 0]), np.array([2]), 4) == pytest.approx([1.0])

    def test_a_ranking_without_hits_scores_zero(self):
        assert metrics.ndcg_at_k(hits([0, 0, 0]), np.array([2]), 3) == pytest.approx([0.0])

    def test_one_hit_at_rank_three_of_one_gains_half(self):
        assert metrics.ndcg_at_k(hits([0, 0, 1]), np.array([1]), 3) == pytest.approx([1 / np.log2(4)])

    def test_the_ideal_holds_at_most_k_items(self):
        assert metrics.ndcg_at_k(hits([1, 1]), np.array([50]), 2) == pytest.approx([1.0])

    def test_hits_below_rank_k_do_not_count(self):
        assert metrics.ndcg_at_k(hits([0, 0, 1]), np.array([1]), 2) == pytest.approx([0.0])

    def test_fewer_ranks_than_k_are_fine(self):
        assert metrics.ndcg_at_k(hits([1]), np.array([1]), 100) == pytest.approx([1.0])


class TestRecall:
    def test_it_is_the_share_of_withheld_items_found(self):
        assert metrics.recall_at_k(hits([1, 0, 1, 0]), np.array([4]), 4) == pytest.approx([0.5])

    def test_it_is_divided_by_k_when_more_items_are_withheld(self):
        assert metrics.recall_at_k(hits([1, 1, 0]), np.array([10]), 2) == pytest.approx([1.0])


class TestTopItems:
    def test_they_come_best_first(self):
        assert metrics.top_items(np.array([[0.1, 0.9, 0.5]], dtype=np.float32), 2).tolist() == [[1, 2]]

    def test_equal_scores_come_by_column(self):
        assert metrics.top_items(np.zeros((1, 4), dtype=np.float32), 4).tolist() == [[0, 1, 2, 3]]

    def test_of_many_equal_scores_the_lowest_columns_are_taken(self):
        assert metrics.top_items(np.zeros((1, 1000), dtype=np.float32), 4).tolist() == [[0, 1, 2, 3]]

    def test_k_beyond_the_items_gives_them_all(self):
        assert metrics.top_items(np.array([[1, 2]], dtype=np.float32), 5).tolist() == [[1, 0]]


class TestStandardError:
    def test_it_is_that_of_the_mean(self):
        values = np.array([0.1, 0.4, 0.2, 0.9])
        assert metrics.standard_error(values) == pytest.approx(stats.sem(values))

    def test_a_single_user_has_none(self):
        assert metrics.standard_error(np.array([0.3])) == 0.0
