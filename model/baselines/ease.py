"""EASE: a linear item-item model with a closed-form solution (Steck, WWW 2019), the baseline that is hard to beat."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from macrid.artifacts.schema import Float32Array


@dataclass(frozen=True)
class Ease:
    """Item-item weights with a zero diagonal, (M, M) float32."""

    weights: Float32Array

    @staticmethod
    def fit(training: sparse.csr_matrix, *, regularization: float) -> "Ease":
        """B = I - P diag(1 / diag P), P = (XᵀX + λI)⁻¹, computed in float64.

        Args:
            training: (U, M) implicit matrix; needs M² floats of memory twice over.
            regularization: λ > 0.
        """
        gram: npt.NDArray[np.float64] = (training.T @ training).astype(np.float64).toarray()
        gram[np.diag_indices_from(gram)] += regularization
        factor = linalg.cho_factor(gram, lower=True, overwrite_a=True)
        precision = linalg.cho_solve(factor, np.eye(len(gram)), overwrite_b=True)
        weights = -precision / np.diag(precision)
        np.fill_diagonal(weights, 0.0)
        return Ease(weights.astype(np.float32))

    def score(self, histories: sparse.csr_matrix) -> Float32Array:
        """X B, (B, M) float32."""
        return np.asarray(histories @ self.weights, dtype=np.float32)
