"""Does a walk along a dimension move a factor? Asked of the published demo shop, whose true factors are known.

For each department and factor the dimension is chosen on one half of the items: the largest |Spearman| of coordinate and factor.
Then the service walks along it from items of the other half, over items of the other half. Reported is the mean Spearman
correlation of step and factor, signed by the correlation seen when choosing; beside it the largest mean |Spearman| of the other
factors, and the same figure for factors shuffled within the department.

    python -m benchmarks.demo_walks [--store artifacts/store] [--starts 50] [--seed 0]
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.metrics import normalized_mutual_info_score

from benchmarks.machine import describe
from macrid.artifacts.store import Store
from macrid.model.demo_shop import FACTORS
from macrid.service.loaded_model import LoadedModel
from macrid.service.walk import walk

STEPS = 7
BEAM = 32


@dataclass(frozen=True)
class WalkQuality:
    """What walking from other items did to one department's factor along the dimension chosen for it."""

    department: str
    factor: str
    dim: int
    chosen_at: float  # |Spearman| of coordinate and factor on the half that chose
    moved: float  # mean over starts of the signed Spearman of step and factor
    others: float  # largest of the other factors' |mean Spearman|
    shuffled: float  # `moved` for factors shuffled within the department


def measure(model: LoadedModel, starts: int, seed: int) -> tuple[float, list[WalkQuality]]:
    """NMI of concepts and departments, and the walk quality of every department and factor."""
    items = model.bundle.catalogue.items(range(model.shape[0]))
    departments = np.array([str(item.metadata["department"]) for item in items])
    factors = np.array([[item.metadata[factor.name] for factor in FACTORS] for item in items], dtype=np.float64)
    rng = np.random.default_rng(seed)
    shuffled = _shuffled_within(factors, departments, rng)
    results = []
    for department in np.unique(departments):
        members = rng.permutation(np.flatnonzero(departments == department))
        half = len(members) // 2
        for f in range(len(FACTORS)):
            real, null = (
                _walks(model, members[:half], members[half:][:starts], values, f) for values in (factors, shuffled)
            )
            others = np.abs(np.delete(real.moved, f)).max()
            quality = WalkQuality(
                department, FACTORS[f].name, real.dim, abs(real.rho), real.moved[f], others, null.moved[f]
            )
            results.append(quality)
    return float(normalized_mutual_info_score(departments, model.main_concepts)), results


@dataclass(frozen=True)
class _Walks:
    dim: int
    rho: float
    moved: np.ndarray  # (F,) mean Spearman of each factor, signed by rho


def _walks(model: LoadedModel, choosing: np.ndarray, starting: np.ndarray, factors: np.ndarray, f: int) -> _Walks:
    table = np.column_stack([model.item_embeddings[choosing], factors[choosing, f]])
    correlations = stats.spearmanr(table).statistic[:-1, -1]
    dim = int(np.nanargmax(np.abs(correlations)))
    rho = float(correlations[dim])
    along = [_along(model, int(start), dim, factors, choosing) for start in starting]
    return _Walks(dim, rho, np.sign(rho) * np.nanmean(along, axis=0))


def _along(model: LoadedModel, start: int, dim: int, factors: np.ndarray, choosing: np.ndarray) -> list[float]:
    concept = int(model.main_concepts[start])
    members = model.members(concept)
    found = walk(
        model.item_embeddings[start],
        dim,
        concept=concept,
        prototypes=model.bundle.prototypes,
        item_embeddings=model.item_embeddings,
        members=members,
        candidates=members[(members != start) & ~np.isin(members, choosing)],
        steps=STEPS,
        beam=BEAM,
        gamma=None,
    )
    frames = factors[[step.item for step in found.steps]]
    return [float(stats.spearmanr(np.arange(len(frames)), column).statistic) for column in frames.T]


def _shuffled_within(factors: np.ndarray, departments: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    result = factors.copy()
    for department in np.unique(departments):
        rows = np.flatnonzero(departments == department)
        result[rows] = factors[rng.permutation(rows)]
    return result


def main() -> None:
    """Measure the current version of a store and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=Path("artifacts/store"))
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    model = LoadedModel.prepare(Store(arguments.store).open_current())
    nmi, results = measure(model, arguments.starts, arguments.seed)
    print(f"{model.version}; {describe()}; seed {arguments.seed}, {arguments.starts} starts a row\n")
    print(f"NMI of concepts and departments: {nmi:.3f}\n")
    print(
        "| department | factor | dimension | chosen at | moved | other factors | shuffled |\n|---|---|---|---|---|---|---|"
    )
    for r in results:
        print(
            f"| {r.department} | {r.factor} | {r.dim} | {r.chosen_at:.2f} | {r.moved:+.2f} | {r.others:.2f} | {r.shuffled:+.2f} |"
        )
    best = {r.department: max(abs(o.moved) for o in results if o.department == r.department) for r in results}
    print(
        f"\nDepartments with a factor moved at 0.8 or more: {sum(value >= 0.8 for value in best.values())} of {len(best)}"
    )
    print(
        f"Mean |moved| {np.mean([abs(r.moved) for r in results]):.2f}, shuffled {np.mean([abs(r.shuffled) for r in results]):.2f}"
    )


if __name__ == "__main__":
    main()
