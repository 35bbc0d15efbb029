"""How much of the true answer do inverted lists find where a filter leaves a part of a large catalogue?

A generated catalogue (`benchmarks.generated`), the index that a bundle would get, and filters of several kinds: items drawn at
random; items on one side of a plane, as where the filter goes with what the items are; the items of one concept, which most users
do not ask for. The exact ranker is asked beside it, by turns.

    python -m benchmarks.recall_with_filters [--items 1000000] [--users 40]
"""

import argparse

import faiss
import numpy as np

from benchmarks.generated import NOTHING, Generated, generate
from benchmarks.machine import describe
from benchmarks.ranking_at_scale import calibrated, timed
from macrid.artifacts.derived import log_partition
from macrid.model import index as indexing
from macrid.service.arrays import BoolArray
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.inverted_lists import FEW, InvertedListsRanker
from macrid.service.ranking.items import Items

CLICKS = (5, 20)


def main() -> None:
    """Build, ask and print a row for each filter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=40)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    world = generate(arguments.items)
    partition = log_partition(world.item_embeddings, world.prototypes, world.temperature)
    items = Items(world.item_embeddings, world.prototypes, world.temperature, partition)
    index = indexing.build(world.item_embeddings, partition, world.temperature)
    effort = calibrated(world, partition, index)
    lists, exact = InvertedListsRanker(items, index, effort.probes, effort.margin), ExactRanker(items)
    users = [own for clicks in CLICKS for own in world.components(arguments.users // len(CLICKS), clicks)]
    print(
        f"{describe()}, one core; {arguments.items:,} items, K = 7, d = 100, within {effort.margin} logits; {len(users)} users"
    )
    print("\n| filter | share | n | recall | p50, ms | exact, ms |\n|---|---|---|---|---|---|")
    for name, allowed in filters(world).items():
        share = 1.0 if allowed is None else allowed.mean()
        if share * arguments.items <= FEW:
            print(f"| {name} | {share:.3f} | | 1, all are scored | | |")
            continue
        for n in (20, 100):
            shares, times = [], []
            for components in users:
                asked = components, n, NOTHING, None, allowed
                found, seconds = timed(lambda asked=asked: lists.rank(*asked))
                truth, of_exact = timed(lambda asked=asked: exact.rank(*asked))
                shares.append(np.isin(truth.indices, found.indices).mean())
                times.append((seconds, of_exact))
            middle = " | ".join(f"{1e3 * value:.2f}" for value in np.median(times, axis=0))
            print(f"| {name} | {share:.3f} | {n} | {np.mean(shares):.4f} | {middle} |", flush=True)


def filters(world: Generated) -> dict[str, BoolArray | None]:
    """Which items some filters allow, (M,) each, None for all."""
    rng = np.random.default_rng(0)
    count, dimensions = world.item_embeddings.shape
    draws, side = rng.random(count), world.item_embeddings @ rng.normal(size=dimensions)
    concepts = (world.item_embeddings @ world.prototypes.T).argmax(axis=1)
    return {
        "none": None,
        "a third, at random": draws < 1 / 3,
        "a tenth, at random": draws < 0.1,
        "a third, on one side of a plane": side > np.quantile(side, 2 / 3),
        "a tenth, on one side of a plane": side > np.quantile(side, 0.9),
        "one concept's items": concepts == 2,
    }


if __name__ == "__main__":
    main()
