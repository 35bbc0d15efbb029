"""What does `POST /controls` lose by not trying everything? Asked of the published demo shop.

For random users of two interests the five controls of each component are found as the service does, with other numbers of
dimensions tried and of items ranked again, and with everything. Reported are the mean effect of the controls found, the mean
strength of their names, the time in recommendations, and for the pools how often the controls are the very same as with all
items.

    python -m benchmarks.controls [--store artifacts/store] [--users 40] [--seed 0]
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from macrid.artifacts.store import Store
from macrid.service.arrays import Int64Array
from macrid.service.controls import POOL, TRIED_PER_RETURNED, Control, find_controls
from macrid.service.loaded_model import LoadedModel

N, RETURNED = 20, 5
CLICKS_PER_INTEREST = 5
POOLS = (80, 200, 1000)
TRIED = (1, 2, 6)


@dataclass(frozen=True)
class Outcome:
    """The controls of all users, and what finding them took."""

    found: list[dict[int, list[Control]]]
    seconds: float

    @property
    def controls(self) -> list[Control]:
        """All controls of all components of all users."""
        return [control for user in self.found for controls in user.values() for control in controls]

    def described(self) -> list[list[tuple[int, float]]]:
        """Dimension and effect of each control, component by component."""
        return [
            [(control.dimension.dim, control.effect) for control in controls]
            for user in self.found
            for controls in user.values()
        ]


def draw_user(model: LoadedModel, rng: np.random.Generator) -> Int64Array:
    """Draw a history of two concepts."""
    interests = rng.choice(model.shape[1], size=2, replace=False).tolist()
    return np.unique(np.concatenate([rng.choice(model.members(k), CLICKS_PER_INTEREST) for k in interests]))


def find(model: LoadedModel, users: list[Int64Array], tried: int, pool: int) -> Outcome:
    """Find the controls of all users."""
    started = time.perf_counter()
    found = [
        find_controls(model, model.encoder.encode(history), history, N, RETURNED, tried=tried, pool=pool)
        for history in users
    ]
    return Outcome(found, time.perf_counter() - started)


def recommend(model: LoadedModel, users: list[Int64Array]) -> float:
    """Return the seconds of one recommendation for each user."""
    started = time.perf_counter()
    for history in users:
        model.ranker.rank(model.encoder.encode(history).components, N, history)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=Path("artifacts/store"))
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    model = LoadedModel.prepare(Store(arguments.store).open_current())
    items, _, dimensions = model.shape
    users = [draw_user(model, np.random.default_rng([arguments.seed, user])) for user in range(arguments.users)]
    recommend(model, users)
    once = recommend(model, users)
    print(f"{model.version}; {describe()}; {arguments.users} users, seed {arguments.seed}\n")
    print("| tried, for 5 | items ranked again | mean effect | mean strength | recommendations | same as all items |")
    print("|---|---|---|---|---|---|")
    reference = find(model, users, TRIED_PER_RETURNED, items).described()
    rows = [(tried, POOL) for tried in TRIED] + [(TRIED_PER_RETURNED, pool) for pool in POOLS]
    for tried, pool in [(TRIED_PER_RETURNED, POOL), *rows, (-(-dimensions // RETURNED), items)]:
        outcome = find(model, users, tried, pool)
        effect = np.mean([control.effect for control in outcome.controls])
        strength = np.mean([control.dimension.strength for control in outcome.controls])
        same = np.mean([a == b for a, b in zip(outcome.described(), reference, strict=True)])
        shown = f"{same:.3f}" if tried == TRIED_PER_RETURNED else ""
        cost = outcome.seconds / once
        print(
            f"| {min(tried * RETURNED, dimensions)} | {pool} | {effect:.4f} | {strength:.2f} | {cost:.1f} | {shown} |"
        )


if __name__ == "__main__":
    main()
