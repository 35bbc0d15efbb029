"""The eigenvalues of a graph: the first look at how many groups it has."""

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import linalg

FloatArray = npt.NDArray[np.float64]

TELEPORT = 0.1  # of the mean degree, spread over all items: Amini et al. 2013


def spectrum(graph: sparse.csr_matrix, count: int, seed: int) -> FloatArray:
    """Return the largest eigenvalues of D^−½ (W + τ/M · 11ᵀ) D^−½, descending; a wide gap after the K-th speaks for K groups.

    With τ = 0, pieces that hang together with nothing else each have an eigenvalue of exactly 1: a dozen stray items look like as
    many groups, and Lanczos' method finds only some of equal eigenvalues. A little τ takes care of both, and costs one sum.

    Args:
        graph: W, (M, M) symmetric, weights ≥ 0, M ≥ 3.
        count: how many; at most M − 1 come back.
        seed: of the solver's start.
    """
    items = graph.shape[0]
    degree = np.asarray(graph.sum(axis=1), dtype=np.float64).ravel()
    teleport = TELEPORT * float(degree.mean()) or 1.0
    scale = 1 / np.sqrt(degree + teleport)

    def apply(vector: FloatArray) -> FloatArray:
        scaled = scale * vector.ravel()
        return np.asarray(scale * (graph @ scaled + teleport / items * scaled.sum()))

    count = min(count, items - 1)
    values = linalg.eigsh(
        linalg.LinearOperator(graph.shape, matvec=apply, dtype=np.float64),
        k=count,
        which="LA",
        ncv=min(items, 4 * count + 20),  # more than the usual, since eigenvalues of like groups lie close together
        v0=np.random.default_rng(seed).random(items),
        return_eigenvectors=False,
    )
    return np.asarray(np.sort(values)[::-1], dtype=np.float64)
