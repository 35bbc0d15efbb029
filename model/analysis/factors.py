"""Micro disentanglement where factors are known: DCI, MIG and the alignment of single dimensions with single factors.

All take codes (n, d), one row per item, and factors (n, F), numbers. Give them the items of one category at a time: the paper's
dimensions mean something within a concept, and a dimension may carry one factor here and another there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mutual_info_score
from sklearn.model_selection import KFold

Codes = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

FOLDS = 3
TREES = 50
SMALLEST_LEAF = 5  # with single items in leaves a forest finds importance in noise, and takes three times as long
ITEMS_PER_CELL = (
    5  # of the table of two binned columns, so that mutual information is more than the bias of its estimate
)
MOST_BINS = 20


@dataclass(frozen=True)
class Dci:
    """Eastwood and Williams 2018, from importances R (d, F) of cross-validated random forests, one per factor.

    Attributes:
        disentanglement: Σ_j ρ_j (1 − H_F(R_j. / Σ_f R_jf)), ρ_j = Σ_f R_jf / Σ R: whether a dimension serves one factor only.
            1 for a permutation of the factors; NaN with fewer than two factors.
        completeness: mean over factors of 1 − H_d(R_.f / Σ_j R_jf): whether a factor lives in one dimension only.
        informativeness: mean over factors of R² on items the forest has not seen; at most 1, about 0 when nothing is known.
    """

    disentanglement: float
    completeness: float
    informativeness: float


def dci(codes: Codes, factors: FloatArray, seed: int) -> Dci:
    """Measure codes (n, d) against factors (n, F), n ≥ 3 folds.

    Args:
        codes: (n, d).
        factors: (n, F) finite.
        seed: of folds and forests.
    """
    importances, scores = np.zeros((codes.shape[1], factors.shape[1])), np.zeros(factors.shape[1])
    for f, factor in enumerate(factors.T):
        for known, unseen in KFold(FOLDS, shuffle=True, random_state=seed).split(codes):
            forest = RandomForestRegressor(TREES, min_samples_leaf=SMALLEST_LEAF, random_state=seed)
            forest.fit(codes[known], factor[known])
            importances[:, f] += forest.feature_importances_ / FOLDS
            scores[f] += forest.score(codes[unseen], factor[unseen]) / FOLDS
    return Dci(
        disentanglement=disentanglement(importances),
        completeness=completeness(importances),
        informativeness=float(scores.mean()),
    )


def disentanglement(importances: FloatArray) -> float:
    """See `Dci`; from importances (d, F) ≥ 0."""
    if importances.shape[1] < 2 or not importances.any():
        return float("nan")
    weight = importances.sum(axis=1) / importances.sum()
    return float((weight * (1 - _entropy(importances))).sum())


def completeness(importances: FloatArray) -> float:
    """See `Dci`; from importances (d, F) ≥ 0. NaN with fewer than two dimensions."""
    if importances.shape[0] < 2 or not importances.any():
        return float("nan")
    return float((1 - _entropy(importances.T)).mean())


def _entropy(rows: FloatArray) -> FloatArray:
    """Of each row as shares, to the base of their number: 1 for equal shares, 0 for a single one; 1 for a row of zeros."""
    total = rows.sum(axis=1, keepdims=True)
    shares = np.divide(rows, total, out=np.full_like(rows, 1 / rows.shape[1]), where=total > 0)
    logarithms = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy: FloatArray = -(shares * logarithms).sum(axis=1) / np.log(rows.shape[1])
    return entropy


def mutual_information_gap(codes: Codes, factors: FloatArray) -> float:
    """MIG, Chen et al. 2018: mean over factors of (I(z_j; v) − I(z_j'; v)) / H(v), j and j' the two most telling dimensions.

    Codes and factors are cut into bins of equally many items, see `bins_for`. Duplicated dimensions leave no gap: 0.

    Args:
        codes: (n, d), d ≥ 2.
        factors: (n, F), each of at least two values.
    """
    bins = bins_for(len(codes))
    binned = [_bin(column, bins) for column in codes.T]
    return float(np.mean([_gap(binned, _bin(factor, bins)) for factor in factors.T]))


def bins_for(items: int) -> int:
    """How many bins a column is cut into: as leaves a table of two columns five items per cell; 2 to 20."""
    return int(np.clip(np.sqrt(items / ITEMS_PER_CELL), 2, MOST_BINS))


def _gap(binned: Sequence[npt.NDArray[np.int64]], factor: npt.NDArray[np.int64]) -> float:
    second, first = np.sort([mutual_info_score(factor, column) for column in binned])[-2:]
    counts = np.bincount(factor) / len(factor)
    return float((first - second) / stats.entropy(counts[counts > 0]))


def _bin(values: npt.NDArray[np.floating], bins: int) -> npt.NDArray[np.int64]:
    """Number of the quantile each value lies in; equal values share a bin, and two different ones are always told apart."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    if edges[0] == values.max():  # nearly all are the largest
        return np.asarray(values == values.max(), dtype=np.int64)
    return np.asarray(np.searchsorted(edges, values, side="left"), dtype=np.int64)


@dataclass(frozen=True)
class Alignment:
    """Whether single dimensions follow single factors, by rank correlation on items that had no part in choosing them.

    Attributes:
        factor: mean over factors of |Spearman| with the dimension chosen for it.
        others: mean over factors of the largest |Spearman| of that dimension with any other factor; NaN with one factor.
    """

    factor: float
    others: float


def alignment(codes: Codes, factors: FloatArray, rng: np.random.Generator) -> Alignment:
    """Choose for each factor the best of d dimensions on half of the items, and look at it on the other half.

    Args:
        codes: (n, d), n ≥ 6.
        factors: (n, F), each of at least two values.
        rng: deals the halves.
    """
    order = rng.permutation(len(codes))
    choosing, looking = order[: len(order) // 2], order[len(order) // 2 :]
    chosen = np.abs(rank_correlations(codes[choosing], factors[choosing])).argmax(axis=0)  # (F,)
    seen = np.abs(rank_correlations(codes[looking][:, chosen], factors[looking]))  # (F dimensions, F factors)
    own = np.diag(seen).copy()
    np.fill_diagonal(seen, -1.0)
    others = seen.max(axis=1) if len(own) > 1 else np.array([np.nan])
    return Alignment(factor=float(own.mean()), others=float(others.mean()))


def rank_correlations(left: npt.NDArray[np.floating], right: npt.NDArray[np.floating]) -> FloatArray:
    """Spearman's ρ of every column of (n, a) with every column of (n, b): (a, b); 0 where a column does not vary."""
    ranks = [_standardised(stats.rankdata(table, axis=0)) for table in (left, right)]
    correlations: FloatArray = ranks[0].T @ ranks[1] / len(left)
    return correlations


def _standardised(table: FloatArray) -> FloatArray:
    centred = table - table.mean(axis=0)
    scale = table.std(axis=0)
    standardised: FloatArray = np.divide(centred, scale, out=np.zeros_like(centred), where=scale > 0)
    return standardised


@dataclass(frozen=True)
class FactorMeasures:
    """All of the above for one group of items, or the mean of several weighted by their sizes."""

    items: int
    dci: Dci
    mig: float
    alignment: Alignment


def measure_factors(codes: Codes, factors: FloatArray, seed: int) -> FactorMeasures:
    """DCI, MIG and alignment of codes (n, d) with factors (n, F)."""
    return FactorMeasures(
        items=len(codes),
        dci=dci(codes, factors, seed),
        mig=mutual_information_gap(codes, factors),
        alignment=alignment(codes, factors, np.random.default_rng(seed)),
    )


def mean_measures(groups: Sequence[FactorMeasures]) -> FactorMeasures:
    """The mean over groups, weighted by their numbers of items."""
    weights = [group.items for group in groups]

    def mean(values: Sequence[float]) -> float:
        return float(np.average(values, weights=weights))

    return FactorMeasures(
        items=sum(weights),
        dci=Dci(
            disentanglement=mean([group.dci.disentanglement for group in groups]),
            completeness=mean([group.dci.completeness for group in groups]),
            informativeness=mean([group.dci.informativeness for group in groups]),
        ),
        mig=mean([group.mig for group in groups]),
        alignment=Alignment(
            factor=mean([group.alignment.factor for group in groups]),
            others=mean([group.alignment.others for group in groups]),
        ),
    )
