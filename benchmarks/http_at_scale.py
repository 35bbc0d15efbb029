"""How many requests does one worker answer over HTTP, and how quickly, as the catalogue grows?

For every size a catalogue is generated (`benchmarks/generated.py`) and written as a bundle with the index that an export would
give it. One server process runs on the first core; on the second wrk, a process of its own with 16 connections, asks as fast as
it is answered (closed loop), and then requests are sent at their times, whether or not earlier ones are answered (open loop), at
shares of that throughput. Every request has a history of 50 clicks of its own. Recall is that of the first of these very
requests against scoring every item.

    python -m benchmarks.http_at_scale [--items 10000 100000 1000000] [--n 20 100] [--seconds 10]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.generated import generate
from benchmarks.http_load import ask, open_loop, script, wait_for, wrk
from benchmarks.machine import describe
from benchmarks.serving_memory import write
from macrid.artifacts.store import Store
from macrid.service.loaded_model import LoadedModel
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import RecommendRequest
from tests.support.bundles import item_ids_for

REQUESTS, CLICKS = 500, 50
COMPARED = 50  # requests, with scoring every item: a tenth of a second each for a million
LOADS = (0.3, 0.6, 0.9)
PORT = 8937


def main() -> None:
    """Measure every size, and print a Markdown row for each load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--n", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--seconds", type=int, default=10)
    arguments = parser.parse_args()
    print(f"{describe()}; load {os.getloadavg()[0]:.1f} before the run; K = 7, d = 100, seed 0; one worker\n")
    print("| items | ranker | n | load | requests/s | p50, ms | p95, ms | p99, ms | its core, % | recall@n |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for items in arguments.items:
        with tempfile.TemporaryDirectory() as scratch:
            measure(Path(scratch), items, arguments.n, arguments.seconds)


def measure(scratch: Path, items: int, lengths: list[int], seconds: int) -> None:
    """Write a bundle, serve it, ask, and print."""
    world = generate(items)
    write(scratch / "bundle", world)
    store = Store(scratch / "store")
    store.publish(scratch / "bundle", recall_floor=0.0)
    ids = item_ids_for(items)
    histories = [[ids[at] for at in clicked] for clicked in world.histories(REQUESTS, CLICKS)]
    ranker = LoadedModel.prepare(store.open_current()).ranker.name
    reference = Recommender(LoadedModel.prepare(store.open_current(), "exact"), Limits())
    with server(store.root) as process:
        for n in lengths:
            bodies = [json.dumps({"history": history, "n": n}) for history in histories]
            shares = []
            for history, body in zip(histories[:COMPARED], bodies, strict=False):
                truth = reference.recommend(RecommendRequest(history=history, n=n)).items
                shares.append(len({item.item_id for item in truth} & set(ask(PORT, body))) / len(truth))
            row = f"| {items:,} | {ranker} | {n} |"
            with script(bodies) as lua:
                wrk(lua, PORT, 2)  # warm
                rate, quantiles, busy = wrk(lua, PORT, seconds, process)
            show(row, "closed loop", rate, quantiles, f"{busy:.0f}", f"{np.mean(shares):.4f}")
            for load in LOADS:
                late = open_loop(PORT, bodies, load * rate, seconds)
                show(row, f"{load:.0%}", load * rate, tuple(np.quantile(late, [0.5, 0.95, 0.99]) * 1e3), "", "")


def show(row: str, load: str, rate: float, quantiles: tuple[float, ...], busy: str, recall: str) -> None:
    """Print a row."""
    times = " | ".join(f"{milliseconds:.2f}" for milliseconds in quantiles)
    print(f"{row} {load} | {rate:.0f} | {times} | {busy} | {recall} |", flush=True)


@contextmanager
def server(store: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Serve a store on the first core."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MACRID_LOG_REQUESTS": "false"}
    command = [sys.executable, "-m", "macrid.cli", "serve", "--store", str(store), "--port", str(PORT)]
    process = subprocess.Popen(["taskset", "-c", "0", *command], env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(PORT)
        yield process
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
