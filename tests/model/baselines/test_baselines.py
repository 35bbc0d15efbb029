"""Known answers: a popularity count, EASE's definition as a constrained ridge regression, and a checkerboard to complete."""

import numpy as np
import pytest
from scipy import sparse

from macrid.model.baselines import ease
from macrid.model.baselines.ease import Ease, EaseByUsers, LeaveOneOut, fit_ease
from macrid.model.baselines.popularity import Popularity
from macrid.model.errors import DataError


def random_matrix(users=50, items=8, seed=0):
    return sparse.csr_matrix((np.random.default_rng(seed).random((users, items)) < 0.4).astype(np.float32))


class TestPopularity:
    def test_it_scores_items_by_their_number_of_users_for_everyone(self):
        training = sparse.csr_matrix(np.array([[1, 1, 0], [1, 0, 0]], dtype=np.float32))
        scores = Popularity.fit(training).score(sparse.csr_matrix((2, 3), dtype=np.float32))
        assert scores.tolist() == [[2, 1, 0], [2, 1, 0]]


class TestEase:
    def test_every_column_solves_its_ridge_regression_on_the_other_items(self):
        training, strength = random_matrix(), 3.0
        weights, dense = Ease.fit(training, regularization=strength).weights, training.toarray().astype(np.float64)
        for j in range(dense.shape[1]):
            others = np.delete(dense, j, axis=1)
            expected = np.linalg.solve(others.T @ others + strength * np.eye(others.shape[1]), others.T @ dense[:, j])
            np.testing.assert_allclose(np.delete(weights[:, j], j), expected, atol=1e-6)

    def test_no_item_explains_itself(self):
        assert (np.diag(Ease.fit(random_matrix(), regularization=1.0).weights) == 0).all()

    @pytest.mark.parametrize("users", [5, 8, 50])
    def test_by_users_the_scores_are_the_same(self, users):
        training, histories = random_matrix(users), random_matrix(6, seed=1)
        expected = Ease.fit(training, regularization=2.0).score(histories)
        np.testing.assert_allclose(EaseByUsers.fit(training, regularization=2.0).score(histories), expected, atol=1e-6)

    def test_the_smaller_matrix_is_inverted(self):
        assert isinstance(fit_ease(random_matrix(7), regularization=1.0), EaseByUsers)
        assert isinstance(fit_ease(random_matrix(9), regularization=1.0), Ease)

    def test_by_users_items_are_looked_at_in_blocks(self, monkeypatch):
        training = random_matrix(5)
        whole = EaseByUsers.fit(training, regularization=2.0)
        monkeypatch.setattr(ease, "BLOCK", 3)
        np.testing.assert_allclose(EaseByUsers.fit(training, regularization=2.0).diagonal, whole.diagonal, rtol=1e-12)

    @pytest.mark.parametrize("users", [5, 50])  # fitted by users and by items
    def test_one_fit_says_what_fits_to_all_users_but_one_would(self, users):
        training, histories = random_matrix(users), random_matrix(3, seed=1)
        who = np.array([4, 0, 2])
        found = LeaveOneOut.of(training, regularization=2.0).score(histories, who)
        for row, user in enumerate(who):
            others = np.arange(users) != user
            expected = fit_ease(training[others], regularization=2.0).score(histories[[row]])[0]
            own = histories[row].indices  # an item's score for itself is nowhere used, and rounded otherwise
            np.testing.assert_allclose(np.delete(found[row], own), np.delete(expected, own), atol=1e-6)

    @pytest.mark.parametrize("users", [5, 50])
    def test_too_little_regularization_is_named(self, users):
        training = random_matrix(users)
        alike = sparse.csr_matrix(
            sparse.hstack([training, training]) if users == 50 else sparse.vstack([training, training[:1]])
        )
        with pytest.raises(DataError, match="EASE's regularization is 1e-30: too small"):
            fit_ease(alike, regularization=1e-30)

    def test_too_many_of_both_are_named(self, monkeypatch):
        monkeypatch.setattr(ease, "LARGEST", 7)
        with pytest.raises(DataError, match="there are 8 items and 50 users, expected at most 7 of either"):
            fit_ease(random_matrix(), regularization=1.0)
        monkeypatch.setattr(ease, "LARGEST", 8)  # one of them is enough
        assert isinstance(fit_ease(random_matrix(50), regularization=1.0), Ease)
        assert isinstance(fit_ease(random_matrix(7, items=30), regularization=1.0), EaseByUsers)

    def test_a_checkerboard_is_completed(self):
        board = np.indices((20, 10)).sum(axis=0) % 2 == 0
        history = board[0].astype(np.float32)
        withheld = np.flatnonzero(history)[0]
        history[withheld] = 0
        scores = Ease.fit(sparse.csr_matrix(board.astype(np.float32)), regularization=0.1).score(
            sparse.csr_matrix(history)
        )
        scores[0, history > 0] = -np.inf
        assert scores[0].argmax() == withheld
