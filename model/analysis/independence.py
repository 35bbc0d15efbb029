"""Independence of dimensions, as the paper measures it (PAPER.md, Evaluation, Figure 4)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Independence:
    """1 − mean |correlation| over pairs of dimensions.

    Attributes:
        value: in [0, 1]; NaN with fewer than two dimensions that vary.
        random: the same of random directions of the same shape, what would be seen if nothing were learnt.
        dimensions: how many were compared.
        constant: how many were left out because they do not vary.
    """

    value: float
    random: float
    dimensions: int
    constant: int


def independence(codes: npt.NDArray[np.float32], rng: np.random.Generator) -> Independence:
    """1 − 2/(d(d−1)) Σ_{i<j} |corr_{i,j}| of the columns of (n, d) codes, n ≥ 2, and the value that random codes have."""
    varies = np.ptp(codes, axis=0) > 0
    kept = int(varies.sum())
    random = rng.standard_normal((len(codes), kept), dtype=np.float32)
    return Independence(
        value=mean_independence(codes[:, varies]),
        random=mean_independence(random),
        dimensions=kept,
        constant=len(varies) - kept,
    )


def mean_independence(codes: npt.NDArray[np.float32]) -> float:
    """1 − the mean |correlation| of all pairs of columns of (n, d), all of which vary; NaN if d < 2."""
    d = codes.shape[1]
    if d < 2:
        return float("nan")
    correlations = np.abs(_correlations(codes))
    return float(1 - (correlations.sum() - np.trace(correlations)) / (d * (d - 1)))


def _correlations(codes: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(d, d), in float64 without a copy of all rows in it."""
    mean = codes.mean(axis=0, dtype=np.float64)
    products = np.zeros((codes.shape[1], codes.shape[1]))
    for at in range(0, len(codes), ROWS_AT_ONCE):
        rows = codes[at : at + ROWS_AT_ONCE] - mean
        products += rows.T @ rows
    scale = np.sqrt(np.diag(products))
    correlations: npt.NDArray[np.float64] = products / np.outer(scale, scale)
    return correlations
