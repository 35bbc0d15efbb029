"""Means over users of several splits, and paired tests between two methods: what a difference rests on.

A user can be held out in more than one split, so pooled values are not independent. Two tests answer two questions:

    users   Is the difference more than luck with the users? The mean of the pooled paired differences over its standard error,
            users being clusters (Liang and Zeger 1986), against Student's t with one degree of freedom less than there are users.
            With one split it is the paired t-test.
    splits  Would it be seen again with other training users and another start? The corrected resampled t-test of Nadeau and
            Bengio (2003) on the splits' mean differences: training sets overlap, so their variance counts 1/n + test/training
            users. It has few degrees of freedom and is the cautious one.

The t-test rather than Wilcoxon's: the tables compare means and so does the test, hundreds of users make the mean normal enough,
and Wilcoxon's drops ties, of which there are many (nothing found by either), and has no form for repeated users.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mean:
    """Mean over all evaluations, and its standard error with users as clusters."""

    mean: float
    standard_error: float


@dataclass(frozen=True)
class PairedTest:
    """One method against another in one measure.

    Attributes:
        difference: mean of ours − theirs.
        standard_error: of it, users being clusters.
        low, high: 95 % interval of it; NaN with one user.
        p_users: two-sided, see the module's docstring; 1 where no user differs, NaN with one user.
        p_splits: two-sided; NaN with one split.
        better, equal, worse: evaluations in which ours is above, level with, below theirs.
        users: different users.
    """

    difference: float
    standard_error: float
    low: float
    high: float
    p_users: float
    p_splits: float
    better: int
    equal: int
    worse: int
    users: int


def mean_over_users(values: Floats, users: Sequence[str]) -> Mean:
    """Mean of (n,) values and its standard error, the users (n,) being clusters; 0 for a single user."""
    mean = float(values.mean())
    _, cluster = np.unique(np.asarray(users), return_inverse=True)
    count = int(cluster.max()) + 1
    if count == 1:
        return Mean(mean, 0.0)
    sums = np.bincount(cluster, weights=values - mean)
    variance = float(sums @ sums) / len(values) ** 2 * count / (count - 1)
    return Mean(mean, float(np.sqrt(variance)))


def paired_test(
    ours: Floats, theirs: Floats, users: Sequence[str], splits: npt.NDArray[np.int64], test_share: float
) -> PairedTest:
    """Compare two methods on the same users of the same splits.

    Args:
        ours: (n,) values.
        theirs: (n,) values of the same evaluations in the same order.
        users: (n,) whose they are.
        splits: (n,) which split they come from.
        test_share: test users over training users of a split, the mean over splits.
    """
    differences = ours - theirs
    pooled = mean_over_users(differences, users)
    count = len(set(users))
    reach = pooled.standard_error * float(stats.t.ppf(0.975, count - 1)) if count > 1 else float("nan")
    return PairedTest(
        difference=pooled.mean,
        standard_error=pooled.standard_error,
        low=pooled.mean - reach,
        high=pooled.mean + reach,
        p_users=_two_sided(pooled.mean, pooled.standard_error, count - 1),
        p_splits=_over_splits(differences, splits, test_share),
        better=int((differences > 0).sum()),
        equal=int((differences == 0).sum()),
        worse=int((differences < 0).sum()),
        users=count,
    )


def _over_splits(differences: Floats, splits: npt.NDArray[np.int64], test_share: float) -> float:
    means = np.array([differences[splits == split].mean() for split in np.unique(splits)])
    if len(means) < 2:
        return float("nan")
    variance = (1 / len(means) + test_share) * means.var(ddof=1)
    return _two_sided(float(means.mean()), float(np.sqrt(variance)), len(means) - 1)


def _two_sided(mean: float, standard_error: float, degrees: int) -> float:
    if not degrees:
        return float("nan")
    if standard_error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stats.t.sf(abs(mean) / standard_error, degrees))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values that keep the chance of any false finding among them all (Holm 1979), in the order given; NaN stays NaN."""
    order = np.argsort(p_values, kind="stable")  # NaN last
    factors = np.maximum(np.arange(len(p_values), 0, -1) - int(np.isnan(p_values).sum()), 1)
    raised = np.minimum(1.0, np.maximum.accumulate(np.asarray(p_values)[order] * factors))
    adjusted = np.empty(len(p_values))
    adjusted[order] = raised
    return [float(value) for value in adjusted]
