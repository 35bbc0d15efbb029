"""How good is the search behind a walk? On small concepts, against the best of all walks.

A case is a random concept, a starting item and a dimension; its quality is (found − mean) / (best − mean), where mean
and best are taken over every possible walk: 1 is the optimum, 0 a walk by chance. Items are isotropic (normal
directions) or clustered (two to five centres, items around them), in 8, 32 or 100 dimensions; a walk has 7 steps of 8
candidates or 4 steps of 32, so up to two million walks are compared. γ is the default, 1/(steps − 1), and 1. Beside the
service's search stands the beam alone.

    python -m benchmarks.beam_quality [--cases 1000] [--seed 0]
"""

import argparse
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from benchmarks.machine import describe
from macrid.service.arrays import Float32Array, Float64Array, Int64Array
from macrid.service.encoder import unit_rows
from macrid.service.walk import cut_into_subranges
from macrid.service.walk_range import Interval
from macrid.service.walk_search import Search, beam_search, choose_items, without

SHAPES = ((7, 8), (4, 32))  # steps, candidates per step
DIMENSIONS = (8, 32, 100)
DEFAULT_BEAM = 32
BEAMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
ENOUGH = 0.99


@dataclass(frozen=True)
class Case:
    """A start, a dimension, and the candidates of every step."""

    rows: Float32Array  # (n, d)
    start: Float32Array  # (d,)
    dim: int
    groups: list[Int64Array]


def draw(rng: np.random.Generator, *, clustered: bool) -> Case:
    """Draw a case."""
    steps, candidates = SHAPES[rng.integers(len(SHAPES))]
    dimensions = int(rng.choice(DIMENSIONS))
    items = draw_items(rng, 1 + steps * candidates, dimensions, clustered=clustered)
    dim = int(rng.integers(dimensions))
    coordinates = items[1:, dim].astype(np.float64)
    subranges = cut_into_subranges(coordinates, Interval(coordinates.min(), coordinates.max()), steps)
    return Case(items[1:], items[0], dim, [subrange.members for subrange in subranges])


def draw_items(rng: np.random.Generator, items: int, dimensions: int, *, clustered: bool) -> Float32Array:
    """Draw unit rows (items, dimensions)."""
    rows = unit_rows(rng.normal(size=(items, dimensions)).astype(np.float32))
    if clustered:
        centres = unit_rows(rng.normal(size=(int(rng.integers(2, 6)), dimensions)).astype(np.float32))
        rows = unit_rows(centres[rng.integers(len(centres), size=items)] + np.float32(rng.uniform(0.2, 0.8)) * rows)
    return rows


def best_and_mean(case: Case, gamma: float) -> tuple[float, float]:
    """Return the largest and the mean objective over all walks, from one table of cosines."""
    rest = np.delete(np.vstack([case.rows, case.start]), case.dim, axis=1).astype(np.float64)
    rest /= np.linalg.norm(rest, axis=1, keepdims=True)
    cosines = (rest @ rest.T).astype(np.float32)
    objectives: np.ndarray = np.zeros((), dtype=np.float32)  # one axis per step
    for step, group in enumerate(case.groups):
        added = cosines[group, -1]
        for earlier in case.groups[:step]:
            added = added[..., None, :] + np.float32(gamma) * cosines[np.ix_(earlier, group)]
        objectives = objectives[..., None] + added
    return float(objectives.max()), float(objectives.mean(dtype=np.float64))


def measure(cases: int, seed: int, *, clustered: bool) -> dict[tuple[str, str, int], Float64Array]:
    """Return the qualities of all cases by (γ, search, beam)."""
    rng = np.random.default_rng(seed)
    qualities: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for _ in range(cases):
        case = draw(rng, clustered=clustered)
        arguments = case.rows, case.start, case.dim, case.groups
        for name, gamma in (("1/(steps − 1)", 1 / (len(case.groups) - 1)), ("1", 1.0)):
            best, mean = best_and_mean(case, gamma)
            search = Search(
                without(case.start[None], case.dim)[0], [without(case.rows[g], case.dim) for g in case.groups], gamma
            )
            for beam in BEAMS:
                alone = float(search.objectives(beam_search(search, beam)).max())
                _, found = choose_items(*arguments, beam, gamma)
                qualities[name, "beam alone", beam].append((alone - mean) / (best - mean))
                qualities[name, "service", beam].append((found - mean) / (best - mean))
    return {key: np.array(values) for key, values in qualities.items()}


def enough(qualities: dict[tuple[str, str, int], Float64Array], gamma: str, search: str, *, worst: bool) -> str:
    """Return the narrowest beam that reaches `ENOUGH`, on average or in the worst case."""
    for beam in BEAMS:
        values = qualities[gamma, search, beam]
        if (values.min() if worst else values.mean()) >= ENOUGH:
            return str(beam)
    return f"more than {BEAMS[-1]}"


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(f"{describe()}; {arguments.cases} cases each, seed {arguments.seed}, beam {DEFAULT_BEAM} unless said\n")
    print(f"| items | γ | search | mean | worst | beam for {ENOUGH} on average | beam for {ENOUGH} in the worst case |")
    print("|---|---|---|---|---|---|---|")
    for kind in ("isotropic", "clustered"):
        qualities = measure(arguments.cases, arguments.seed, clustered=kind == "clustered")
        for gamma, search, beam in qualities:
            if beam != DEFAULT_BEAM:
                continue
            values = qualities[gamma, search, beam]
            widths = " | ".join(enough(qualities, gamma, search, worst=worst) for worst in (False, True))
            print(f"| {kind} | {gamma} | {search} | {values.mean():.4f} | {values.min():.4f} | {widths} |", flush=True)


if __name__ == "__main__":
    main()
