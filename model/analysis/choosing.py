"""How many concepts? A recommendation with its evidence, for data whose number of concepts nobody knows.

Every candidate K is trained briefly from several seeds and judged by the validation users; test users are never looked at.
The evidence:

    validation NDCG@100     does K serve the ranking?
    stability over seeds    do two trainings find the same concepts? Mean adjusted Rand index of their partitions of the items
    stability over users    do two halves of the users? The same index of the co-click groups that training starts from
    concepts in use         the effective number of concepts, of the trained partition or of the co-click groups if that is less
    eigengap                how far the co-click graph's K-th eigenvalue stands from the next; wide after the number of groups

The rule. K serves if its NDCG@100 is within one standard error of the best one's (Breiman et al. 1984). K is real if both
stabilities are at least .9 and its effective number of concepts is above the middle of 1 and K. Recommended is the largest K that
serves and is real. Where there is none, the clicks do not single out a number, and the smallest K that serves is recommended.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from macrid.model.analysis.partition import effective_number
from macrid.model.analysis.spectrum import spectrum
from macrid.model.co_clicks import co_click_graph, co_click_groups
from macrid.model.errors import DataError
from macrid.model.metrics import PerUser, standard_error
from macrid.model.splitting import Split
from macrid.model.training import TrainingConfig, train

CANDIDATES = (2, 3, 5, 7, 10, 15, 20)
STABLE = 0.9  # separates, on shops with seven departments, 7 (.99) from its neighbours 5 (.5) and 10 (.8)
HALVINGS = 3  # of the users, for stability over users
UPDATES = 400  # of a brief training: in small batches, 320 reach on the demo shop what whole training reaches

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Candidate:
    """What is known of one K.

    Attributes:
        concepts: K.
        ndcg: mean over validation users and seeds of NDCG@100.
        ndcg_standard_error: over validation users, of each user's mean over seeds.
        sizes: items per concept, largest first, of the first seed.
        effective_number: the smaller one of trained concepts (mean over seeds) and co-click groups.
        stability_seeds: mean adjusted Rand index over pairs of seeds; NaN with one seed.
        stability_users: mean adjusted Rand index over halvings of the training users.
        eigengap: λ_K − λ_{K+1}; NaN where K is not below the number of items by two.
        serves: within one standard error of the best.
        real: stable, and its concepts in use.
    """

    concepts: int
    ndcg: float
    ndcg_standard_error: float
    sizes: tuple[int, ...]
    effective_number: float
    stability_seeds: float
    stability_users: float
    eigengap: float
    serves: bool = False
    real: bool = False


@dataclass(frozen=True)
class Choice:
    """The candidates in ascending K, the recommended K, whether any K was real, and the reason in a sentence."""

    candidates: tuple[Candidate, ...]
    recommended: int
    single_out: bool
    reason: str


def choose_concepts(
    split: Split,
    config: TrainingConfig,
    *,
    candidates: Sequence[int] = CANDIDATES,
    seeds: Sequence[int] = (0, 1, 2),
    on_trained: Callable[[int, int], None] | None = None,
) -> Choice:
    """Train every candidate from every seed and recommend one.

    Args:
        split: `split.test` is never looked at.
        config: of each training, but for the number of concepts, the seed and what `brief` changes before.
        candidates: numbers of concepts, each at least 1 and at most the number of items.
        seeds: of the trainings; one seed leaves stability over seeds out of the rule.
        on_trained: called with (K, seed) after each training, for progress.

    Raises:
        DataError: there is no candidate or no seed, or a candidate is out of range.
    """
    ordered = check_candidates(candidates, split.training.shape[1])
    if not seeds:
        raise DataError("there is no seed to train from; expected at least one")
    eigenvalues = spectrum(co_click_graph(split.training, seeds[0]), max(ordered) + 1, seeds[0])
    found = []
    for concepts in ordered:
        values, partitions = _train_all(split, config, concepts, seeds, on_trained)
        found.append(_candidate(split.training, concepts, values, partitions, eigenvalues, seeds[0]))
    return recommend(found)


def check_candidates(candidates: Sequence[int], items: int) -> list[int]:
    """The different candidates, ascending.

    Raises:
        DataError: there is none, or one is below 1 or above the number of items.
    """
    ordered = sorted(set(candidates))
    if not ordered or ordered[0] < 1 or ordered[-1] > items:
        raise DataError(f"the candidates are {list(candidates)}; expected numbers of concepts between 1 and {items}")
    return ordered


def brief(config: TrainingConfig, users: int, updates: int = UPDATES) -> TrainingConfig:
    """The same training in small batches, for as many epochs as give so many updates, whatever the number of users."""
    batch_size = int(np.clip(users // 40, 50, 500))
    return dataclasses.replace(config, batch_size=batch_size, epochs=math.ceil(updates / math.ceil(users / batch_size)))


def _train_all(
    split: Split,
    config: TrainingConfig,
    concepts: int,
    seeds: Sequence[int],
    on_trained: Callable[[int, int], None] | None,
) -> tuple[list[PerUser], list[IntArray]]:
    """Per seed: NDCG@100 of every validation user, and every item's concept."""
    network = dataclasses.replace(config.network, concepts=concepts)
    values, partitions = [], []
    for seed in seeds:
        trained = train(split, dataclasses.replace(config, network=network, seed=seed))
        values.append(trained.history[trained.best_epoch - 1].validation.values["ndcg@100"])
        logits = trained.network.concept_logits(trained.network.unit_items())
        partitions.append(logits.argmax(dim=1).numpy())
        if on_trained is not None:
            on_trained(concepts, seed)
    return values, partitions


def _candidate(
    training: sparse.csr_matrix,
    concepts: int,
    values: Sequence[PerUser],
    partitions: Sequence[IntArray],
    eigenvalues: npt.NDArray[np.float64],
    seed: int,
) -> Candidate:
    per_user = np.mean(values, axis=0)
    in_use = float(np.mean([effective_number(np.bincount(partition)) for partition in partitions]))
    groups = co_click_groups(training, concepts, seed)
    pairs = [float(adjusted_rand_score(*pair)) for pair in combinations(partitions, 2)]
    return Candidate(
        concepts=concepts,
        ndcg=float(per_user.mean()),
        ndcg_standard_error=standard_error(per_user),
        sizes=tuple(sorted(np.bincount(partitions[0], minlength=concepts).tolist(), reverse=True)),
        effective_number=min(in_use, effective_number(np.bincount(groups))),
        stability_seeds=float(np.mean(pairs)) if pairs else math.nan,
        stability_users=stability_over_users(training, concepts, seed),
        eigengap=float(eigenvalues[concepts - 1] - eigenvalues[concepts]) if concepts < len(eigenvalues) else math.nan,
    )


def stability_over_users(training: sparse.csr_matrix, concepts: int, seed: int) -> float:
    """Mean adjusted Rand index of the co-click groups of two halves of the users, over the items that both halves have.

    Args:
        training: (U, M), U ≥ 2.
        concepts: how many groups.
        seed: of the halvings and of the groups.
    """
    rng = np.random.default_rng(seed)
    return float(np.mean([_agreement_of_halves(training, concepts, seed, rng) for _ in range(HALVINGS)]))


def _agreement_of_halves(training: sparse.csr_matrix, concepts: int, seed: int, rng: np.random.Generator) -> float:
    order = rng.permutation(training.shape[0])
    halves = [training[rows] for rows in np.array_split(order, 2)]
    popularity = [np.asarray(half.sum(axis=0)).ravel() for half in halves]
    common = np.flatnonzero((popularity[0] > 0) & (popularity[1] > 0))
    groups = [co_click_groups(half[:, common], concepts, seed) for half in halves]
    return float(adjusted_rand_score(*groups))


def recommend(found: Sequence[Candidate]) -> Choice:
    """Apply the rule of the module's docstring to at least one candidate, ascending."""
    best = max(found, key=lambda candidate: candidate.ndcg)
    floor = best.ndcg - best.ndcg_standard_error
    judged = tuple(
        dataclasses.replace(candidate, serves=candidate.ndcg >= floor, real=_is_real(candidate)) for candidate in found
    )
    serving = [candidate for candidate in judged if candidate.serves]
    chosen = max((each for each in serving if each.real), key=lambda each: each.concepts, default=None)
    bound = (
        "within one standard error of the best validation NDCG@100 "
        f"({best.ndcg:.4f} ± {best.ndcg_standard_error:.4f}, K = {best.concepts})"
    )
    if chosen is not None:
        reason = f"K = {chosen.concepts} is the largest {bound} whose concepts are found again by other seeds and other users"
        return Choice(judged, chosen.concepts, True, reason)
    smallest = min(serving, key=lambda each: each.concepts)
    reason = (
        f"no K {bound} is found again by other seeds and other users: the clicks do not single out a number. "
        f"K = {smallest.concepts} is the smallest of them"
    )
    return Choice(judged, smallest.concepts, False, reason)


def _is_real(candidate: Candidate) -> bool:
    stabilities = (candidate.stability_seeds, candidate.stability_users)
    stable = all(math.isnan(value) or value >= STABLE for value in stabilities)
    return stable and candidate.concepts > 1 and candidate.effective_number > (1 + candidate.concepts) / 2
