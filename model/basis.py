"""Which axes the dimensions are: chosen after training, so that a concept's coordinates are as independent as can be.

The model knows its vectors by inner products alone, so turning items, prototypes and components by one orthogonal matrix
changes no score, no ranking and no measure of accuracy. It changes what a *dimension* is, and dimensions are what a person
walks along and turns. Training leaves the axes where the noise happened to settle them: factors of equal weight come out in
any mixture of one another. Here the axes are turned towards independent components (Comon 1994; negentropy by log cosh,
Hyvärinen 1999), with one orthogonal basis for all concepts: docs/decisions/0004-basis-after-training.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

GAUSSIAN_LOG_COSH = 0.374567207  # E log cosh(ν) of a standard normal ν
MAX_ITEMS = 20_000  # more are sampled: a basis of 100 axes is known well enough from these
MAX_STEPS = 300
TOLERANCE = 1e-6  # stop when a step gains less than this share


@dataclass(frozen=True)
class _Group:
    """A concept's items around their mean (n, d), the share of all items they are, and their covariance (d, d)."""

    rows: FloatArray
    share: float
    covariance: FloatArray


def independent_basis(
    unit_items: npt.ArrayLike, concepts: npt.NDArray[np.int64], popularity: npt.NDArray[np.int64]
) -> FloatArray:
    """Return the orthonormal axes along which the items of every concept vary most independently.

    Maximised is Σ_k share_k · Σ_j (λ_kj · (E log cosh(y_kj / √λ_kj) − E log cosh(ν)))², with y_kj the centred coordinates of
    concept k on axis j, λ_kj their variance and ν normal: axes with much variance that is far from normal, as mixtures of
    several causes are not. The climb is by gradient on the orthogonal matrices, from the concepts' principal axes; it ends
    in a local maximum.

    Args:
        unit_items: (M, d), h.
        concepts: (M,) the concept each item belongs to most.
        popularity: (M,) clicks, which decide what end of an axis is the high one: the one that is clicked more.

    Returns:
        (d, d) orthogonal; column j is axis j, in the order of the variance along them. New coordinates are `unit_items @ basis`.
    """
    items = np.asarray(unit_items, dtype=np.float64)
    kept = np.unique(np.linspace(0, len(items) - 1, min(MAX_ITEMS, len(items))).astype(np.int64))
    groups = _groups(items[kept], concepts[kept])
    basis = _climb(_principal_axes(groups, items.shape[1]), groups)
    basis = basis[:, np.argsort(-_variances(groups, basis), kind="stable")]
    clicked = np.log1p(popularity[kept])
    high = sum(
        ((items[kept][of] - items[kept][of].mean(axis=0)) @ basis).T @ (clicked[of] - clicked[of].mean())
        for of in (concepts[kept] == k for k in np.unique(concepts[kept]))
    )
    return np.asarray(basis * np.where(high < 0, -1.0, 1.0))


def _groups(items: FloatArray, concepts: npt.NDArray[np.int64]) -> list[_Group]:
    members = [items[concepts == k] for k in np.unique(concepts)]
    centred = [rows - rows.mean(axis=0) for rows in members]
    return [_Group(rows, len(rows) / len(items), rows.T @ rows / len(rows)) for rows in centred]


def _variances(groups: Sequence[_Group], basis: FloatArray) -> FloatArray:
    """Variance within concepts along each axis, (d,)."""
    return np.asarray(sum(group.share * (basis * (group.covariance @ basis)).sum(axis=0) for group in groups))


def _principal_axes(groups: Sequence[_Group], d: int) -> FloatArray:
    """Return the orthonormal basis nearest to the d strongest of all concepts' principal axes, each as long as its variance."""
    axes = []
    for group in groups:
        _, lengths, directions = np.linalg.svd(group.rows, full_matrices=False)
        axes.append(directions * np.square(lengths)[:, None] / len(group.rows))
    stacked = np.concatenate([*axes, np.zeros((d, d))])  # (n, d), zeros in case there are fewer than d
    strongest = stacked[np.argsort(-np.linalg.norm(stacked, axis=1), kind="stable")[:d]]
    return _nearest_orthogonal(strongest.T)


def _nearest_orthogonal(matrix: FloatArray) -> FloatArray:
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right)


def _climb(basis: FloatArray, groups: Sequence[_Group]) -> FloatArray:
    """Gradient ascent on the orthogonal matrices, a step halved until it gains and lengthened when it did."""
    value, gradient = _contrast(basis, groups)
    step = None
    for _ in range(MAX_STEPS):
        inner = basis.T @ gradient
        direction = gradient - basis @ (inner + inner.T) / 2  # along the manifold
        slope = float(np.square(direction).sum())
        if slope <= np.finfo(np.float64).tiny:
            break
        step = step or 0.3 / float(np.abs(direction).max())
        while True:
            candidate = _nearest_orthogonal(basis + step * direction)
            reached, next_gradient = _contrast(candidate, groups)
            if reached >= value + 1e-4 * step * slope or step * slope**0.5 < 1e-9:
                break
            step /= 2
        if reached <= value:
            break
        gain = reached - value
        basis, value, gradient = candidate, reached, next_gradient
        if gain < TOLERANCE * value:
            break
        step *= 1.5
    return basis


def _contrast(basis: FloatArray, groups: Sequence[_Group]) -> tuple[float, FloatArray]:
    """What `independent_basis` maximises, and its gradient (d, d)."""
    value, gradient = 0.0, np.zeros_like(basis)
    for group in groups:
        half_variance = group.covariance @ basis  # ½ ∂λ_j/∂v_j, column by column
        variance = np.maximum((basis * half_variance).sum(axis=0), 1e-12)  # λ (d,)
        z = group.rows @ (basis / np.sqrt(variance))
        log_cosh, tanh = _log_cosh(z)
        excess = log_cosh.mean(axis=0) - GAUSSIAN_LOG_COSH
        value += group.share * float(np.square(variance * excess).sum())
        of_excess = group.rows.T @ tanh / (len(z) * np.sqrt(variance))
        of_excess -= half_variance * (tanh * z).mean(axis=0) / variance
        gradient += 2 * group.share * variance * excess * (2 * half_variance * excess + variance * of_excess)
    return value, gradient


def _log_cosh(z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log cosh z and its derivative tanh z, by one exponential: of −2|z|, which cannot be too large."""
    size = np.abs(z)
    e = np.exp(-2 * size)
    return size + np.log((1 + e) / 2), np.copysign((1 - e) / (1 + e), z)
