"""Popularity: everyone is offered what most training users have."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from macrid.artifacts.schema import Float32Array


@dataclass(frozen=True)
class Popularity:
    """Scores every item by its number of training users, (M,) float32."""

    counts: Float32Array

    @staticmethod
    def fit(training: sparse.csr_matrix) -> "Popularity":
        """Count the users of each item of (U, M)."""
        return Popularity(np.asarray(training.sum(axis=0), dtype=np.float32).ravel())

    def score(self, histories: sparse.csr_matrix) -> Float32Array:
        """The same counts for every row, (B, M) float32."""
        return np.tile(self.counts, (histories.shape[0], 1))
