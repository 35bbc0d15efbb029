"""EASE: a linear item-item model with a closed-form solution (Steck, WWW 2019), the baseline that is hard to beat.

B = I − P diag(1 / diag P) with P = (XᵀX + λI)⁻¹. Where there are fewer users than items, P need not be written down:
λP = I − Xᵀ(XXᵀ + λI)⁻¹X (Woodbury), and only a matrix of users by users is inverted.

Without a user x, XᵀX is less by xxᵀ, and so P is more by PxxᵀP / (1 − xᵀPx) (Sherman and Morrison): one fit says what each
of the fits to all users but one would say.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from macrid.artifacts.schema import Float32Array
from macrid.model.errors import DataError

LARGEST = 12_000  # rows of a matrix to invert, which takes n³ operations and n² floats twice over
BLOCK = 1024  # items


def can_be_fitted(training: sparse.csr_matrix) -> bool:
    """Whether one of the matrices to invert is small enough."""
    return bool(min(training.shape) <= LARGEST)


def fit_ease(training: sparse.csr_matrix, *, regularization: float) -> "Ease | EaseByUsers":
    """Fit it by whichever is the smaller inverse.

    Args:
        training: (U, M) implicit matrix.
        regularization: λ > 0.

    Raises:
        DataError: both users and items are too many, or λ is too small to invert with.
    """
    users, items = training.shape
    if not can_be_fitted(training):
        raise DataError(
            f"EASE inverts a matrix of items by items, or of users by users; there are {items} items and {users} users, expected "
            f"at most {LARGEST} of either"
        )
    fit = EaseByUsers.fit if users < items else Ease.fit
    return fit(training, regularization=regularization)


@dataclass(frozen=True)
class Ease:
    """Item-item weights B with a zero diagonal, (M, M) float32, and the diagonal of λP, (M,)."""

    weights: Float32Array
    diagonal: npt.NDArray[np.float64]

    @staticmethod
    def fit(training: sparse.csr_matrix, *, regularization: float) -> "Ease":
        """B, computed in float64.

        Args:
            training: (U, M) implicit matrix; needs M² floats of memory twice over.
            regularization: λ > 0.
        """
        precision = _inverse(training.T @ training, regularization)
        diagonal = np.diag(precision).copy()
        weights = -precision / diagonal
        np.fill_diagonal(weights, 0.0)
        rows = np.ascontiguousarray(weights, dtype=np.float32)  # or scipy copies all of it for every product
        return Ease(rows, diagonal * regularization)

    def score(self, histories: sparse.csr_matrix) -> Float32Array:
        """X B, (B, M) float32."""
        return np.asarray(histories @ self.weights, dtype=np.float32)


@dataclass(frozen=True)
class EaseByUsers:
    """The same scores from the training matrix X, (U, M), (XXᵀ + λI)⁻¹, (U, U), and the diagonal of λP, (M,)."""

    training: sparse.csr_matrix
    inverse: npt.NDArray[np.float64]
    diagonal: npt.NDArray[np.float64]

    @staticmethod
    def fit(training: sparse.csr_matrix, *, regularization: float) -> "EaseByUsers":
        """Invert, in float64.

        Args:
            training: (U, M) implicit matrix; needs U² floats of memory twice over.
            regularization: λ > 0.
        """
        inverse = _inverse(training @ training.T, regularization)
        by_item = training.T.tocsr()  # (M, U)
        blocks = (by_item[start : start + BLOCK] for start in range(0, by_item.shape[0], BLOCK))
        explained = [np.asarray(block.multiply(block @ inverse).sum(axis=1)).ravel() for block in blocks]
        return EaseByUsers(training, inverse, 1 - np.concatenate(explained))

    def score(self, histories: sparse.csr_matrix) -> Float32Array:
        """X B, (B, M) float32: a row x becomes x − xP / diag P."""
        alike = (histories @ self.training.T).toarray() @ self.inverse  # (B, U)
        explained = (self.training.T @ alike.T).T  # (B, M)
        own = np.asarray(explained + histories.multiply(self.diagonal - 1))
        return (own / self.diagonal).astype(np.float32)


@dataclass(frozen=True)
class LeaveOneOut:
    """What EASE scores for a training user when it is fitted to all the others.

    In single precision: where users are fewer than items, .0004 are lost of a score at λ = .1, .03 at .01, 10⁻⁵ at 1.

    Attributes:
        training: X, (U, M) implicit.
        fit: EASE of all of them.
        regularization: λ of that fit.
    """

    training: sparse.csr_matrix
    fit: Ease | EaseByUsers
    regularization: float

    @staticmethod
    def of(training: sparse.csr_matrix, *, regularization: float) -> "LeaveOneOut":
        """Fit once.

        Args:
            training: (U, M) implicit matrix.
            regularization: λ > 0.

        Raises:
            DataError: both users and items are too many, or λ is too small to invert with.
        """
        return LeaveOneOut(training, fit_ease(training, regularization=regularization), regularization)

    def score(self, histories: sparse.csr_matrix, users: npt.NDArray[np.int64]) -> Float32Array:
        """(B, M) float32, each row of histories by the fit without that training user.

        Args:
            histories: (B, M) implicit: what is known of them.
            users: (B,) rows of X.
        """
        whole, diagonal = self.training[users], self.fit.diagonal.astype(np.float32)
        # λxP and λhP, (B, M)
        from_whole = np.asarray(whole - self.fit.score(whole)) * diagonal
        from_history = np.asarray(histories - self.fit.score(histories)) * diagonal
        # λ(1 − xᵀPx) and λhPx, (B, 1)
        left = self.regularization - np.asarray(whole.multiply(from_whole).sum(axis=1), dtype=np.float32)
        shared = np.asarray(whole.multiply(from_history).sum(axis=1), dtype=np.float32)
        from_history += shared / left * from_whole
        from_whole *= from_whole / left
        from_whole += diagonal
        return np.asarray(histories - from_history / from_whole, dtype=np.float32)


def _inverse(gram: sparse.csr_matrix, regularization: float) -> npt.NDArray[np.float64]:
    """(gram + λI)⁻¹, of a symmetric matrix."""
    dense: npt.NDArray[np.float64] = gram.astype(np.float64).toarray()
    dense[np.diag_indices_from(dense)] += regularization
    factor, failed = linalg.lapack.dpotrf(dense.T, lower=True, overwrite_a=True)
    if failed:
        raise DataError(f"EASE's regularization is {regularization}: too small beside so many clicks; expected more")
    inverse: npt.NDArray[np.float64] = linalg.lapack.dpotri(factor, lower=True, overwrite_c=True)[0]  # its lower half
    inverse += np.tril(inverse, -1).T
    return inverse
