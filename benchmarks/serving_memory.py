"""How much memory do workers take, of their own and of what they share, and how long does a bundle take to be opened?

For every size a catalogue is generated (`benchmarks/generated.py`) and written as a bundle with the index that an export would
give it; small pictures for half of the items. Times are of another process, the fastest of three, files in the page cache: to
verify and map, as a server does with a new version; and to map only, with all that a model derives. Then a server is started and
asked 200 times for each worker, histories of 50 clicks. Anonymous memory is a process' own; PSS counts what is shared by parts.

    python -m benchmarks.serving_memory [--items 20000 100000 1000000] [--workers 1 2 4] [--dimensions 100]
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import numpy as np

from benchmarks.generated import Generated, generate
from benchmarks.load import server
from benchmarks.machine import describe
from macrid.artifacts.derived import log_partition
from macrid.artifacts.store import Store
from macrid.model.index import choose_index
from tests.support.bundles import item_ids_for, make_bundle

REQUESTS, CLICKS, SAMPLED_USERS = 200, 50, 200
OPENING = """
import sys, time
from pathlib import Path
from macrid.artifacts.bundle import Bundle
from macrid.service.loaded_model import LoadedModel
for verify in (True, False):
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        model = LoadedModel.prepare(Bundle.open(Path(sys.argv[1]), verify=verify))
        best = min(best, time.perf_counter() - began)
    print(best)
"""


def main() -> None:
    """Measure every size, and print a Markdown row for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[20_000, 100_000, 1_000_000])
    parser.add_argument("--dimensions", type=int, default=100)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    arguments = parser.parse_args()
    print(f"{describe()}; K = 7, d = {arguments.dimensions}, seed 0\n")
    heads = ("items", "bundle, MB", "index", "verified and mapped, s", "mapped, s", "workers")
    print("| " + " | ".join((*heads, "own memory of each worker, MB", "PSS of each, MB", "others' own, MB")) + " |")
    print("|---|---|---|---|---|---|---|---|---|")
    for items in arguments.items:
        with tempfile.TemporaryDirectory() as scratch:
            measure(Path(scratch), generate(items, dimensions=arguments.dimensions), arguments.workers)


def measure(scratch: Path, world: Generated, workers: list[int]) -> None:
    """Write a bundle, open it, serve it, and print."""
    items, index = len(world.item_embeddings), write(scratch / "bundle", world)
    size = sum(path.stat().st_size for path in (scratch / "bundle").rglob("*") if path.is_file()) / 1e6
    opening = [sys.executable, "-c", OPENING, str(scratch / "bundle")]
    verified, mapped = map(float, subprocess.run(opening, capture_output=True, text=True, check=True).stdout.split())
    store = Store(scratch / "store")
    store.publish(scratch / "bundle", recall_floor=0.0)
    ids = item_ids_for(items)
    histories = [[ids[at] for at in clicked] for clicked in world.histories(REQUESTS, CLICKS)]
    for count in workers:
        with server(store.root, workers=count) as (address, pid):
            for _ in range(count):
                for history in histories:
                    httpx.post(f"{address}/recommend", json={"history": history, "n": 20}).raise_for_status()
            serving, others = processes(pid, count)
        print(
            f"| {items:,} | {size:,.0f} | {index} | {verified:.2f} | {mapped:.2f} | {count} | "
            f"{listed(one[0] for one in serving)} | {listed(one[1] for one in serving)} | {listed(one[0] for one in others)} |",
            flush=True,
        )


def write(folder: Path, world: Generated) -> object:
    """Write the bundle; returns the kind of its index."""
    partition = log_partition(world.item_embeddings, world.prototypes, world.temperature)
    arrays = {
        "item_embeddings": world.item_embeddings,
        "prototypes": world.prototypes,
        "popularity": world.popularity,
        **world.encoder_arrays(),
    }
    components = np.stack(world.components(SAMPLED_USERS, seed=2))
    built = choose_index(arrays, partition, world.temperature, components)
    contents = {"arrays": arrays, "index": built.described, "index_bytes": built.content}
    make_bundle(folder, items=len(world.item_embeddings), concepts=len(world.prototypes), **contents)
    return built.described["kind"]


def processes(pid: int, workers: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return (anonymous, PSS) in MB of the workers, which are the largest of a server's processes, and of the others."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = sorted((memory(each) for each in (pid, *map(int, children))), reverse=True)
    return found[:workers], found[workers:]


def memory(pid: int) -> tuple[int, int]:
    """Return the anonymous memory and the PSS of a process, in MB."""
    fields = dict(line.split(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return tuple(int(fields[name].split()[0]) * 1024 // 10**6 for name in ("Anonymous", "Pss"))  # type: ignore[return-value]


def listed(numbers: object) -> str:
    """Write numbers, or a dash."""
    return ", ".join(map(str, numbers)) or "–"  # type: ignore[call-overload]


if __name__ == "__main__":
    main()
