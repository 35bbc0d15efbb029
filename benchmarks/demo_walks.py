"""Does a walk along a dimension move one factor and keep the others still? Asked of a shop whose true factors are known.

For each department and factor the dimension is chosen on one half of the items: the largest |Spearman| of coordinate and factor.
Then the service walks along it from items of the other half, over items of the other half. docs/analysis.md defines what is
reported; each figure stands beside the same for factors shuffled within the department.

    python -m benchmarks.demo_walks [--store artifacts/store | --bundle FOLDER] [--starts 50] [--seeds 0]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from macrid.artifacts.bundle import Bundle
from macrid.artifacts.store import Store
from macrid.model.analysis.columns import ItemColumns, find_categories, find_factors
from macrid.model.analysis.partition import agreement
from macrid.model.analysis.walks import (
    CHANGE_RATIO,
    FACTOR_MOVES,
    OTHERS_STAY,
    Movement,
    WalkQuality,
    summarise,
    walk_quality,
    walker_over,
)
from macrid.model.demo_shop import FACTORS
from macrid.service.walk import walk

HEAD = (
    "| department | factor | dimension | chosen at | moved | others | others, each walk | change, sd | others' change "
    "| each walk | shuffled: moved | others | change | others' change |\n|" + "---|" * 14
)


def measure(bundle: Bundle, starts: int, seed: int) -> tuple[float, list[WalkQuality]]:
    """NMI of concepts and departments, and the walk quality of every department and factor."""
    columns = ItemColumns.read(bundle.catalogue)
    departments = find_categories(columns, "department")
    factors = find_factors(columns, [factor.name for factor in FACTORS])
    assert departments is not None
    assert factors is not None
    groups = [(label, np.flatnonzero(departments.first == at)) for at, label in enumerate(departments.labels)]
    walker = walker_over(bundle, walk)
    rng = np.random.default_rng(seed)
    found = walk_quality(bundle.item_embeddings, groups, factors.values, factors.names, walker, starts=starts, rng=rng)
    return agreement(bundle.concept_weights.argmax(axis=1), departments.first).nmi, found


def print_table(found: Sequence[WalkQuality]) -> None:
    """One row per department and factor."""
    print(HEAD)
    for each in found:
        real, null = each.real, each.shuffled
        print(
            f"| {each.group} | {each.factor} | {each.dim} | {each.chosen_at:.2f} | {_all(real)} "
            f"| {null.factor:+.2f} | {null.others:.2f} | {null.change:+.2f} | {null.others_change:.2f} |"
        )


def _all(moved: Movement) -> str:
    return (
        f"{moved.factor:+.2f} | {moved.others:.2f} | {moved.others_each:.2f} | {moved.change:+.2f} | {moved.others_change:.2f} "
        f"| {moved.others_change_each:.2f}"
    )


def print_summary(found: Sequence[WalkQuality]) -> None:
    """Means, and how many of the pairs reach each bound that is asked for."""
    summary = summarise(found)
    reaches = {
        f"factor moved by at least {FACTOR_MOVES}": [abs(each.real.factor) >= FACTOR_MOVES for each in found],
        f"no other moved by more than {OTHERS_STAY}": [each.real.others <= OTHERS_STAY for each in found],
        "no other changed by a third as much": [
            each.real.others_change < CHANGE_RATIO * abs(each.real.change) for each in found
        ],
    }
    print(
        "\n| | moved | others | others, each walk | change, sd | others' change | each walk |\n|---|---|---|---|---|---|---|"
    )
    print(f"| mean of absolute values | {_all(summary.real)} |\n| shuffled | {_all(summary.shuffled)} |\n")
    for bound, reached in reaches.items():
        print(f"- {bound}: {sum(reached)} of {len(reached)}")
    print(f"- all three: {summary.reached} of {summary.pairs}")
    departments = {each.group for each in found}
    moving = {each.group for each in found if abs(each.real.factor) >= FACTOR_MOVES}
    print(f"- departments with a factor moved by at least {FACTOR_MOVES}: {len(moving)} of {len(departments)}\n")


def main() -> None:
    """Measure a bundle, or the current version of a store, and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=Path("artifacts/store"))
    parser.add_argument("--bundle", type=Path, help="a bundle's folder, instead of a store")
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of halves and shuffles")
    arguments = parser.parse_args()
    bundle = Bundle.open(arguments.bundle) if arguments.bundle else Store(arguments.store).open_current()
    print(f"{bundle.manifest.model_version}; {describe()}; {arguments.starts} starts a row")
    for seed in arguments.seeds:
        nmi, found = measure(bundle, arguments.starts, seed)
        print(f"\nSeed {seed}; NMI of concepts and departments: {nmi:.3f}\n")
        print_table(found)
        print_summary(found)
    bundle.close()


if __name__ == "__main__":
    main()
