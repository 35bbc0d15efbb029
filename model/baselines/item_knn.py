"""Item-kNN: an item is scored by its likeness to what the user has, cosine with shrinkage.

Sarwar et al., WWW 2001, with the shrinkage of Bell and Koren, KDD Cup 2007, in the form of Ferrari Dacrema et al., RecSys 2019,
who found it hard to beat when its two settings are tuned.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from macrid.artifacts.schema import Float32Array

ITEMS_AT_ONCE = 1_000


@dataclass(frozen=True)
class ItemKnn:
    """Likeness of each item to its nearest neighbours, (M, M) float32: column j holds the neighbours of item j."""

    likeness: sparse.csc_matrix

    @staticmethod
    def fit(training: sparse.csr_matrix, *, neighbours: int, shrinkage: float) -> "ItemKnn":
        """s_ij = n_ij / (√(n_i · n_j) + shrinkage), n_ij users having both; kept for the nearest neighbours of each item.

        Args:
            training: (U, M) implicit matrix.
            neighbours: kept for each item, at least 1; of equal ones those with the lower number.
            shrinkage: ≥ 0, lessens likeness that rests on few users.
        """
        counts = np.asarray(training.sum(axis=0), dtype=np.float64).ravel()
        columns = training.tocsc()
        parts = [
            _nearest(training, columns, counts, slice(at, at + ITEMS_AT_ONCE), neighbours, shrinkage)
            for at in range(0, training.shape[1], ITEMS_AT_ONCE)
        ]
        return ItemKnn(sparse.hstack(parts, format="csc").astype(np.float32))

    def score(self, histories: sparse.csr_matrix) -> Float32Array:
        """Sum of likeness to the history's items, (B, M) float32."""
        return np.asarray((histories @ self.likeness).toarray(), dtype=np.float32)


def _nearest(
    training: sparse.csr_matrix,
    columns: sparse.csc_matrix,
    counts: np.ndarray,
    items: slice,
    neighbours: int,
    shrinkage: float,
) -> sparse.csc_matrix:
    """The columns of the likeness for a range of items, (M, items)."""
    together = (training.T @ columns[:, items]).tocoo()  # n_ij
    others, own = together.row, together.col
    likeness = together.data / (np.sqrt(counts[others] * counts[items][own]) + shrinkage)
    apart = others != own + items.start
    others, own, likeness = others[apart], own[apart], likeness[apart]
    order = np.lexsort((others, -likeness, own))  # by item, then best first
    sizes = np.bincount(own, minlength=together.shape[1])
    starts = np.cumsum(sizes) - sizes
    rank = np.arange(len(order)) - starts[own[order]]
    kept = order[rank < neighbours]
    return sparse.csc_matrix((likeness[kept], (others[kept], own[kept])), shape=together.shape)
