"""One bundle measured in every way that its catalogue, and its data where they can still be read, allow."""

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from macrid.artifacts.bundle import Bundle
from macrid.model.analysis.columns import UNKNOWN, Categories, Factors, ItemColumns, find_categories, find_factors
from macrid.model.analysis.factors import FactorMeasures, mean_measures, measure_factors
from macrid.model.analysis.independence import Independence, independence
from macrid.model.analysis.partition import Agreement, ConceptUse, agreement, any_value_purity, concept_use
from macrid.model.analysis.walks import Walker, WalkQuality, WalkSummary, summarise, walk_quality
from macrid.model.export import restore
from macrid.model.network import Histories
from macrid.model.splitting import Split

IntArray = npt.NDArray[np.int64]

SMALLEST_GROUP = 60  # items; fewer are no ground for a forest, nor for two halves of a walk
MOST_GROUPS = 30  # of several, the largest
MOST_ITEMS = 1_000  # of a group; more are sampled
MOST_USERS = 50_000  # more are sampled
USERS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Options:
    """What to measure against.

    Attributes:
        category: an item column; None for the one that groups items into the fewest.
        factors: numeric item columns; None for all that vary.
        starts: items to walk from for each group and factor; 0 for no walks.
        seed: of shuffles, halves, folds and samples.
    """

    category: str | None = None
    factors: tuple[str, ...] | None = None
    starts: int = 50
    seed: int = 0


@dataclass(frozen=True)
class ConceptRow:
    """A concept, and the value of the categorical column that most of its items have (None without such a column)."""

    concept: int
    label: str
    items: int
    commonest: str | None
    share: float


@dataclass(frozen=True)
class CategoryFindings:
    """Concepts against a categorical column, first values; `any_value` counts all values of an item, where it has several."""

    column: str
    concepts: Agreement
    shuffled: Agreement
    any_value_purity: float | None
    any_value_purity_shuffled: float | None


@dataclass(frozen=True)
class UserFindings:
    """Independence of users' dimensions: all components side by side as in the paper, and the mean over single components."""

    users: int
    side_by_side: Independence
    single: Independence


@dataclass(frozen=True)
class FactorFindings:
    """Measures against factors within each group, their mean weighted by items, and the mean for shuffled factors."""

    factors: tuple[str, ...]
    grouped_by: str
    groups: dict[str, FactorMeasures]
    mean: FactorMeasures
    shuffled: FactorMeasures


@dataclass(frozen=True)
class WalkFindings:
    """Every group and factor, and the summary."""

    summary: WalkSummary
    walks: tuple[WalkQuality, ...]


@dataclass(frozen=True)
class Analysis:
    """All that was measured of one bundle; None for what could not be, with the reason in `left_out`."""

    model_version: str
    fitted_on: str
    items: int
    seed: int
    use: ConceptUse
    concepts: tuple[ConceptRow, ...]
    category: CategoryFindings | None
    items_independence: Independence
    items_independence_within: Independence
    users: UserFindings | None
    factors: FactorFindings | None
    walks: WalkFindings | None
    left_out: tuple[str, ...]


def plain(found: Any) -> dict[str, Any]:
    """Findings, dataclasses of dataclasses, for JSON: every measure that has no value is null."""
    return {name: _plain(value) for name, value in dataclasses.asdict(found).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def analyse(
    bundle: Bundle, options: Options, *, split: Split | None = None, no_split: str = "", walker: Walker | None = None
) -> Analysis:
    """Measure a bundle.

    Args:
        bundle: an opened one.
        options: see `Options`.
        split: of the data it was trained on, for what is measured of users; None leaves that out.
        no_split: why there is no split.
        walker: walks as the server does, see `walks.walker_over`; None leaves walks out.

    Raises:
        DataError: a column asked for does not exist or cannot be used so.
    """
    columns = ItemColumns.read(bundle.catalogue)
    categories, factors = find_categories(columns, options.category), find_factors(columns, options.factors)
    assignment = bundle.concept_weights.argmax(axis=1)
    rng = np.random.default_rng(options.seed)
    groups = [] if factors is None else _groups(categories, assignment, bundle, factors, rng)
    left_out = []
    if categories is None:
        left_out.append("agreement with categories: no text column groups the items; name one with --category")
    if split is None:
        left_out.append(f"independence of users' dimensions: {no_split}")
    if factors is None:
        left_out.append("DCI, MIG, alignment and walks: there is no numeric item column that varies")
    elif not groups:
        left_out.append(
            f"DCI, MIG, alignment and walks: no group has {SMALLEST_GROUP} items with known {', '.join(factors.names)}"
        )
    measured = None if factors is None or not groups else factors
    return Analysis(
        model_version=bundle.manifest.model_version,
        fitted_on=bundle.manifest.fitted_on,
        items=bundle.manifest.items,
        seed=options.seed,
        use=concept_use(bundle.concept_weights),
        concepts=_concept_rows(bundle, assignment, categories),
        category=None if categories is None else compare_with(assignment, categories, rng),
        items_independence=independence(bundle.item_embeddings, rng),
        items_independence_within=_within(
            [bundle.item_embeddings[assignment == k] for k in range(bundle.manifest.concepts)], rng
        ),
        users=None if split is None else _users(bundle, split, rng),
        factors=None if measured is None else _factors(bundle, measured, _grouped_by(categories), groups, options.seed),
        walks=None if measured is None or not walker else _walks(bundle, measured, groups, walker, options.starts, rng),
        left_out=tuple(left_out),
    )


def compare_with(assignment: IntArray, categories: Categories, rng: np.random.Generator) -> CategoryFindings:
    """Concepts (M,) against the items' first values, and against the same values shuffled."""
    known = np.flatnonzero(categories.first != UNKNOWN)
    concepts, shuffled = assignment[known], rng.permutation(known)
    any_value = [
        any_value_purity(concepts, [categories.values[row] for row in rows]) if categories.several else None
        for rows in (known, shuffled)
    ]
    return CategoryFindings(
        column=categories.name,
        concepts=agreement(concepts, categories.first[known]),
        shuffled=agreement(concepts, categories.first[shuffled]),
        any_value_purity=any_value[0],
        any_value_purity_shuffled=any_value[1],
    )


def _concept_rows(bundle: Bundle, assignment: IntArray, categories: Categories | None) -> tuple[ConceptRow, ...]:
    rows = []
    for concept in bundle.concepts:
        members = np.flatnonzero(assignment == concept.index)
        counts = Counter(value for row in members if categories for value in categories.values[row])
        commonest, count = counts.most_common(1)[0] if counts else (None, 0)
        share = count / len(members) if len(members) else math.nan
        rows.append(ConceptRow(concept.index, concept.label, len(members), commonest, share))
    return tuple(rows)


def _within(parts: Sequence[npt.NDArray[np.float32]], rng: np.random.Generator) -> Independence:
    """The mean over parts of at least three rows, weighted by rows."""
    measured = [(len(part), independence(part, rng)) for part in parts if len(part) > 2]
    if not measured:
        return Independence(math.nan, math.nan, 0, 0)
    weights = [rows for rows, _ in measured]
    return Independence(
        value=float(np.average([each.value for _, each in measured], weights=weights)),
        random=float(np.average([each.random for _, each in measured], weights=weights)),
        dimensions=min(each.dimensions for _, each in measured),
        constant=max(each.constant for _, each in measured),
    )


def _users(bundle: Bundle, split: Split, rng: np.random.Generator) -> UserFindings:
    users = split.training.shape[0]
    rows = np.unique(np.linspace(0, users - 1, min(users, MOST_USERS)).astype(np.int64))
    network = restore(bundle)
    parts = [
        network.components(Histories.from_matrix(split.training[rows[at : at + USERS_AT_ONCE]])).numpy()
        for at in range(0, len(rows), USERS_AT_ONCE)
    ]
    components = np.concatenate(parts, axis=1)  # (K, U, d)
    side_by_side = components.transpose(1, 0, 2).reshape(len(rows), -1)  # (U, K·d)
    return UserFindings(len(rows), independence(side_by_side, rng), _within(list(components), rng))


def _grouped_by(categories: Categories | None) -> str:
    return "concept" if categories is None else categories.name


def _groups(
    categories: Categories | None, assignment: IntArray, bundle: Bundle, factors: Factors, rng: np.random.Generator
) -> list[tuple[str, IntArray]]:
    """The largest categories, or concepts where there are no categories: names and rows with known factors."""
    of = assignment if categories is None else categories.first
    names = [concept.label for concept in bundle.concepts] if categories is None else categories.labels
    found = [(name, np.flatnonzero((of == at) & factors.known)) for at, name in enumerate(names)]
    large = [(name, rows) for name, rows in found if len(rows) >= SMALLEST_GROUP and _all_vary(factors.values[rows])]
    largest = sorted(large, key=lambda group: (-len(group[1]), group[0]))[:MOST_GROUPS]
    return [(name, np.sort(rng.permutation(rows)[:MOST_ITEMS])) for name, rows in largest]


def _all_vary(values: npt.NDArray[np.float64]) -> bool:
    return bool((np.ptp(values, axis=0) > 0).all())


def _factors(
    bundle: Bundle, factors: Factors, grouped_by: str, groups: Sequence[tuple[str, IntArray]], seed: int
) -> FactorFindings:
    rng = np.random.default_rng(seed)
    real, shuffled = {}, []
    for name, rows in groups:
        codes = np.asarray(bundle.item_embeddings[rows])
        real[name] = measure_factors(codes, factors.values[rows], seed)
        shuffled.append(measure_factors(codes, factors.values[rng.permutation(rows)], seed))
    return FactorFindings(factors.names, grouped_by, real, mean_measures(list(real.values())), mean_measures(shuffled))


def _walks(
    bundle: Bundle,
    factors: Factors,
    groups: Sequence[tuple[str, IntArray]],
    walker: Walker,
    starts: int,
    rng: np.random.Generator,
) -> WalkFindings:
    found = walk_quality(bundle.item_embeddings, groups, factors.values, factors.names, walker, starts=starts, rng=rng)
    return WalkFindings(summarise(found), tuple(found))
