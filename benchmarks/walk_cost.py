"""What does a walk cost? In recommendations on the same items, side by side in one run.

At 20,000 items the facade of the service is asked on a generated bundle: `POST /recommend` for 20 items, a walk of 7 steps
from an item and from a component, and `POST /controls`, without HTTP. At a million items the arrays are generated and the ranker
and the walk are called on them. There a subrange holds some 20,000 items, of which the walk searches the nearest
`LARGEST_GROUP`; what that costs in objective is measured against searching all, on isotropic and on clustered items, as the share
(limited − mean) / (all − mean), mean being that of walks by chance. It may exceed 1, because neither search is exhaustive.

    python -m benchmarks.walk_cost [--items 20000] [--many 1000000] [--cases 12] [--seed 0]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from macrid.artifacts.bundle import Bundle
from macrid.service.arrays import Float32Array, Int64Array
from macrid.service.encoder import unit_rows
from macrid.service.loaded_model import LoadedModel
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.items import Items as RankedItems
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import ControlsRequest, RecommendRequest, WalkQuery, WalkRequest
from macrid.service.walk import cut_into_subranges, walk
from macrid.service.walk_range import range_along
from macrid.service.walk_search import LARGEST_GROUP, Search, choose_items, nearest_of_each, without
from tests.support.bundles import make_bundle

CONCEPTS, DIMENSIONS, TEMPERATURE = 7, 100, 0.1
STEPS, BEAM = 7, 32
CLUSTERS = 300  # per concept
CLICKS = 10


def milliseconds(calls: list[Callable[[], object]]) -> float:
    """Return the median time of a call, after one that is not counted."""
    calls[0]()
    times = []
    for call in calls:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1000


def at_the_facade(items: int, cases: int, seed: int) -> dict[str, float]:
    """Return the milliseconds of each question on a generated bundle, the first being a recommendation."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_bundle(Path(scratch) / "bundle", items=items, concepts=CONCEPTS, dimensions=DIMENSIONS, seed=seed)
        service = Recommender(LoadedModel.prepare(Bundle.open(folder)), Limits())
        histories = [[f"item-{at}" for at in rng.integers(8, items, size=CLICKS)] for _ in range(cases)]
        dims = rng.integers(DIMENSIONS, size=cases).tolist()
        concepts = rng.integers(CONCEPTS, size=cases).tolist()
        asked = list(zip(histories, concepts, dims, strict=True))
        return {
            "recommend": milliseconds(
                [lambda h=h: service.recommend(RecommendRequest(history=h)) for h in histories]  # type: ignore[misc]
            ),
            "walk from an item": milliseconds(
                [lambda h=h, j=j: service.walk_from_item(h[0], WalkQuery(dim=j)) for h, _, j in asked]  # type: ignore[misc]
            ),
            "walk from a component": milliseconds(
                [
                    lambda h=h, k=k, j=j: service.walk_from_component(WalkRequest(history=h, concept=k, dim=j))  # type: ignore[misc]
                    for h, k, j in asked
                ]
            ),
            "controls": milliseconds(
                [lambda h=h: service.controls(ControlsRequest(history=h)) for h in histories]  # type: ignore[misc]
            ),
        }


@dataclass(frozen=True)
class Items:
    """Generated items of some concepts."""

    prototypes: Float32Array  # (K, d)
    embeddings: Float32Array  # (M, d)
    members: list[Int64Array]  # per concept


def generate(items: int, rng: np.random.Generator, *, clustered: bool) -> Items:
    """Draw items around their prototypes, evenly or in clusters."""
    prototypes = unit_rows(rng.standard_normal((CONCEPTS, DIMENSIONS), dtype=np.float32))
    members = np.array_split(np.arange(items), CONCEPTS)
    embeddings = rng.standard_normal((items, DIMENSIONS), dtype=np.float32)
    for concept, rows in enumerate(members):
        spread = embeddings[rows[0] : rows[-1] + 1]
        spread *= np.float32((0.3 if clustered else 0.7) / np.sqrt(DIMENSIONS))
        if clustered:
            centres = unit_rows(rng.standard_normal((CLUSTERS, DIMENSIONS), dtype=np.float32))
            spread += np.float32(0.6) * centres[rng.integers(CLUSTERS, size=len(rows))]
        spread += prototypes[concept]
        spread /= np.linalg.norm(spread, axis=1, keepdims=True)
    return Items(prototypes, embeddings, members)


def at_many_items(items: Items, cases: int, rng: np.random.Generator) -> dict[str, float]:
    """Return the milliseconds of ranking and of walking, without a catalogue."""
    ranker = ExactRanker(RankedItems(items.embeddings, items.prototypes, TEMPERATURE))
    starts = rng.integers(len(items.embeddings), size=cases).tolist()
    nothing = np.empty(0, dtype=np.int64)
    return {
        "recommend": milliseconds(
            [
                lambda i=i: ranker.rank(unit_rows(items.prototypes + items.embeddings[i]), 20, nothing)  # type: ignore[misc]
                for i in starts
            ]
        ),
        "walk from an item": milliseconds([lambda i=i: walk_from(items, i, i % DIMENSIONS) for i in starts]),  # type: ignore[misc]
    }


def walk_from(items: Items, start: int, dim: int) -> object:
    """Walk from an item with the service's defaults."""
    concept, members = concept_of(items, start)
    return walk(
        items.embeddings[start],
        dim,
        concept=concept,
        prototypes=items.prototypes,
        item_embeddings=items.embeddings,
        members=members,
        candidates=members[members != start],
        steps=STEPS,
        beam=BEAM,
        gamma=None,
    )


def concept_of(items: Items, item: int) -> tuple[int, Int64Array]:
    """Return an item's concept and all of its items."""
    concept = next(k for k, members in enumerate(items.members) if item <= members[-1])
    return concept, items.members[concept]


def kept_by_the_limit(items: Items, start: int, dim: int, gamma: float, rng: np.random.Generator) -> float:
    """Return (limited − mean) / (all − mean) for one walk."""
    concept, members = concept_of(items, start)
    rows, origin = items.embeddings[members[members != start]], items.embeddings[start]
    walked = range_along(origin, dim, concept, items.prototypes, items.embeddings[members, dim])
    subranges = cut_into_subranges(rows[:, dim].astype(np.float64), walked.used, STEPS)
    groups = [subrange.members for subrange in subranges]
    _, limited = choose_items(rows, origin, dim, nearest_of_each(rows, origin, dim, groups), BEAM, gamma)
    _, everything = choose_items(rows, origin, dim, groups, BEAM, gamma)
    drawn = [rng.choice(group, 500) for group in groups]
    search = Search(without(origin[None], dim)[0], [without(rows[group], dim) for group in drawn], gamma)
    mean = search.objectives(np.tile(np.arange(500)[:, None], len(groups))).mean()
    return float((limited - mean) / (everything - mean))


def print_ratios(title: str, times: dict[str, float], target: int) -> None:
    """Print one table of ratios to the first entry."""
    print(f"{title}\n\n| call | ms, median | recommendations | target |\n|---|---|---|---|")
    for name, taken in times.items():
        bound = f"≤ {target}" if name.startswith("walk") else ""
        print(f"| {name} | {taken:.1f} | {taken / times['recommend']:.2f} | {bound} |")
    print(flush=True)


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--cases", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(f"{describe()}; K = {CONCEPTS}, d = {DIMENSIONS}, {arguments.cases} cases each, seed {arguments.seed}\n")
    times = at_the_facade(arguments.items, arguments.cases, arguments.seed)
    print_ratios(f"{arguments.items:,} items, asked of the facade:", times, 10)
    kept = []
    for kind in ("isotropic", "clustered"):
        rng = np.random.default_rng(arguments.seed)
        items = generate(arguments.many, rng, clustered=kind == "clustered")
        print_ratios(f"{arguments.many:,} {kind} items, arrays alone:", at_many_items(items, arguments.cases, rng), 30)
        for name, gamma in (("1/6", 1 / 6), ("1", 1.0)):
            starts = rng.integers(arguments.many, size=arguments.cases).tolist()
            shares = [kept_by_the_limit(items, start, start % DIMENSIONS, gamma, rng) for start in starts]
            kept.append(f"| {kind} | {name} | {np.mean(shares):.4f} | {np.min(shares):.4f} |")
        del items
    print(f"Searching {LARGEST_GROUP:,} items of each subrange instead of all:\n")
    print("| items | γ | objective kept, mean | worst |\n|---|---|---|---|\n" + "\n".join(kept))


if __name__ == "__main__":
    main()
