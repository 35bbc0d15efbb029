"""Macro disentanglement: do the concepts agree with a categorical column, and are they all in use?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Agreement:
    """How well a partition of items into concepts agrees with their categories.

    Attributes:
        items: how many were compared.
        categories: how many different ones they have.
        nmi: mutual information over the mean of the two entropies, in [0, 1].
        ari: Rand index adjusted for chance (Hubert and Arabie 1985): 1 for equal partitions, about 0 for independent ones.
        purity: share of items in the commonest category of their concept.
        matching_accuracy: share of items in their concept's category when each concept is matched with one category and each
            category with one concept, as well as can be (Hungarian method).
    """

    items: int
    categories: int
    nmi: float
    ari: float
    purity: float
    matching_accuracy: float


def agreement(assignment: IntArray, categories: IntArray) -> Agreement:
    """Compare two partitions of the same n ≥ 1 items.

    Args:
        assignment: (n,) the concept of each item.
        categories: (n,) its category.
    """
    table = contingency_matrix(assignment, categories)  # (concepts in use, categories)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return Agreement(
        items=len(assignment),
        categories=table.shape[1],
        nmi=float(normalized_mutual_info_score(categories, assignment)),
        ari=float(adjusted_rand_score(categories, assignment)),
        purity=float(table.max(axis=1).sum() / len(assignment)),
        matching_accuracy=float(table[rows, columns].sum() / len(assignment)),
    )


def any_value_purity(assignment: IntArray, values: Sequence[frozenset[str]]) -> float:
    """Share of items that have the value commonest in their concept among all their values; for columns with several of them.

    Args:
        assignment: (n,) the concept of each item, n ≥ 1.
        values: n sets, such as a film's genres.
    """
    hits = 0
    for concept in np.unique(assignment):
        members = np.flatnonzero(assignment == concept)
        counts = Counter(value for row in members for value in values[int(row)])
        hits += max(counts.values(), default=0)
    return hits / len(assignment)


@dataclass(frozen=True)
class ConceptUse:
    """Whether concepts share the items out, or some have swallowed the rest.

    Attributes:
        sizes: (K,) items whose largest weight is the concept's.
        largest_share: of the items, in the largest concept.
        effective_number: exp of the entropy of `sizes`: K when all are alike, 1 when one concept holds everything.
        effective_number_soft: the same of the soft masses Σ_i c_{i,k}.
        mean_largest_weight: mean over items of max_k c_{i,k}: 1/K when nothing is decided, 1 when everything is.
    """

    sizes: tuple[int, ...]
    largest_share: float
    effective_number: float
    effective_number_soft: float
    mean_largest_weight: float


def concept_use(concept_weights: npt.NDArray[np.float32]) -> ConceptUse:
    """How much each concept is used, from (M, K) weights whose rows sum to 1."""
    sizes = np.bincount(concept_weights.argmax(axis=1), minlength=concept_weights.shape[1])
    return ConceptUse(
        sizes=tuple(int(size) for size in sizes),
        largest_share=float(sizes.max() / sizes.sum()),
        effective_number=effective_number(sizes),
        effective_number_soft=effective_number(concept_weights.sum(axis=0, dtype=np.float64)),
        mean_largest_weight=float(concept_weights.max(axis=1).mean(dtype=np.float64)),
    )


def effective_number(masses: npt.ArrayLike) -> float:
    """exp(−Σ p ln p) of masses ≥ 0 that are not all 0: the Hill number of order 1."""
    shares = np.asarray(masses, dtype=np.float64)
    shares = shares[shares > 0] / shares.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
