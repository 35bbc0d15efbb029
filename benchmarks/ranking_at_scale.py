"""Ranking in catalogues of 10,000 to ten million items: time, recall, build time and size, on one core.

Catalogues are generated (`benchmarks.generated`); the index is the one a bundle would get (`model/index.py`), searched by the
server's own ranker; beside it the exact ranker in float32 and, where items are kept so, in eight bits, all asked in turns.
Other users are asked than those whose recall chose how far is looked, who have 5 to 50 clicks.

    python -m benchmarks.ranking_at_scale [--items 10000,100000,1000000,10000000] [--users 100] [--clicks 50]
"""

import argparse
import resource
import time
from collections.abc import Callable, Mapping

import faiss
import numpy as np

from benchmarks.generated import NOTHING, Generated, generate
from benchmarks.machine import describe
from macrid.artifacts.derived import log_partition
from macrid.model import index as indexing
from macrid.service.arrays import Float32Array, Float64Array
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.inverted_lists import InvertedListsRanker
from macrid.service.ranking.items import Items
from macrid.service.ranking.protocol import Ranker, Ranking

KNOWN_BY = (5, 10, 20, 50)  # clicks of those who choose how far is looked


def main() -> None:
    """Measure every size, and print a Markdown row for each ranker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", default="10000,100000,1000000,10000000")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--clicks", type=int, default=50, help="of those who are asked; at least 5")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    print(f"{describe()}, one core; K = 7, d = 100, {arguments.users} users of {arguments.clicks} clicks, seed 0\n")
    heads = "items", "ranker", "n", "p50, ms", "p95, ms", "p99, ms", "exact / this", "recall@20", "recall@100"
    print("| " + " | ".join((*heads, "build, s", "index / embeddings")) + " |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for items in map(int, arguments.items.split(",")):
        measure(items, arguments.users, arguments.clicks)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\npeak memory of the whole run: {peak:.1f} GiB")


def measure(count: int, users: int, clicks: int) -> None:
    """Build, ask and print."""
    world = generate(count)
    partition = log_partition(world.item_embeddings, world.prototypes, world.temperature)
    items = Items(world.item_embeddings, world.prototypes, world.temperature, partition)
    start = time.perf_counter()
    index = indexing.build(world.item_embeddings, partition, world.temperature)
    seconds = time.perf_counter() - start
    effort = calibrated(world, partition, index)
    in_float32 = Items(world.item_embeddings, world.prototypes, world.temperature, partition, eight_bits=False)
    lists = f"{index.nlist:,} cells, within {effort.margin} logits"
    by_lists = InvertedListsRanker(items, index, effort.probes, effort.margin)
    rankers: dict[str, Ranker] = {"exact": ExactRanker(in_float32), lists: by_lists}
    if items.in_eight_bits is not None:
        rankers["exact, eight bits first"] = ExactRanker(items)
    asked = world.components(users, clicks)
    size = indexing.expected_size(count, world.item_embeddings.shape[1])
    for n in (20, 100):
        answers, times = in_turns(rankers, asked, n)
        for name in rankers:
            pairs = list(zip(answers["exact"], answers[name], strict=True))
            recalls = [
                f"{np.mean([np.isin(t.indices[:m], f.indices[:m]).mean() for t, f in pairs]):.4f}" if m <= n else ""
                for m in (20, 100)
            ]
            ratio = np.median(times["exact"]) / np.median(times[name])
            built = f"{seconds:.0f} | {size:.2f}" if name == lists else " | "
            cells = f"{count:,} | {name} | {n} | {quantiles(times[name])} | {ratio:.1f}"
            print(f"| {cells} | {' | '.join(recalls)} | {built} |", flush=True)


def calibrated(world: Generated, partition: Float64Array, index: faiss.Index) -> indexing.Effort:
    """How far an export would have the server look."""
    arrays = {"item_embeddings": world.item_embeddings, "prototypes": world.prototypes}
    some = indexing.MEASURED_USERS // len(KNOWN_BY)
    sample = np.stack([own for known in KNOWN_BY for own in world.components(some, known, seed=2)])
    return indexing.measure(index, arrays, partition, world.temperature, sample)[0]


def in_turns(
    rankers: Mapping[str, Ranker], users: list[Float32Array], n: int
) -> tuple[dict[str, list[Ranking]], dict[str, np.ndarray]]:
    """Ask all for every user, one after the other, so that what else the machine does meets all; answers and seconds."""
    answers: dict[str, list[Ranking]] = {name: [] for name in rankers}
    times: dict[str, list[float]] = {name: [] for name in rankers}
    for components in users:
        for name, ranker in rankers.items():
            ranking, seconds = timed(lambda ranker=ranker, components=components: ranker.rank(components, n, NOTHING))
            answers[name].append(ranking)
            times[name].append(seconds)
    return answers, {name: np.array(values) for name, values in times.items()}


def timed(call: Callable[[], Ranking]) -> tuple[Ranking, float]:
    """Call, and return what it gave and the seconds it took."""
    start = time.perf_counter()
    answer = call()
    return answer, time.perf_counter() - start


def quantiles(seconds: np.ndarray) -> str:
    """Three cells of a row."""
    return " | ".join(f"{1e3 * value:.2f}" for value in np.quantile(seconds, [0.5, 0.95, 0.99]))


if __name__ == "__main__":
    main()
