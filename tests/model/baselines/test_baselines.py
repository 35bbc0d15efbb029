"""Known answers: a popularity count, EASE's definition as a constrained ridge regression, and a checkerboard to complete."""

import numpy as np
from scipy import sparse

from macrid.model.baselines.ease import Ease
from macrid.model.baselines.popularity import Popularity


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
