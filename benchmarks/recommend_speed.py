"""How fast is `POST /recommend`? Beside a bare FastAPI route with the same schemas, in the same run.

The bundle should be one trained on alishop-7c (`macrid train alishop-7c --publish`); every request has a history of 50 real
clicks and asks for 20 items. One server process runs on the first core, wrk (Debian package wrk) on the second, with 16
connections. Printed are requests per second, the share of its core that the server process used meanwhile, and the recall
of these very answers against scoring every item; then the latency of an open loop at shares of our throughput: requests are
sent at their times whether or not earlier ones are answered.

    python -m benchmarks.recommend_speed STORE HISTORIES [--seconds 10] [--recbole PYTHON]

HISTORIES is a JSON file: a list of lists of item ids. PYTHON is that of an environment with RecBole, whose MacridVAE is then
asked behind the same route, with the same shapes: see `recbole_route.py`.
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

from benchmarks.http_load import ask, open_loop, script, wait_for, wrk
from benchmarks.machine import describe
from macrid.artifacts.store import Store
from macrid.service.loaded_model import LoadedModel
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import RecommendRequest

LOADS = (0.3, 0.5, 0.6, 0.9)  # of our throughput
SERVERS = {"ours": 8931, "bare route": 8932, "RecBole": 8933}


def main() -> None:
    """Measure both servers in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("histories", type=Path)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--recbole", type=Path, help="the Python of an environment with RecBole")
    arguments = parser.parse_args()
    histories = json.loads(arguments.histories.read_text())
    bodies = [json.dumps({"history": history, "n": 20}) for history in histories]
    print(f"{describe()}; load {os.getloadavg()[0]:.1f} before the run; {len(bodies)} distinct requests\n")
    print("| server | requests/s | p50, ms | p99, ms | the server's core, % | its processor time a request, ms |")
    print("|---|---|---|---|---|---|")
    with servers(arguments.store, arguments.histories, arguments.recbole) as processes, script(bodies) as lua:
        for name in processes:
            wrk(lua, SERVERS[name], 2)  # warm
        closed = {name: wrk(lua, SERVERS[name], arguments.seconds, processes[name]) for name in processes}
        for name, (rate, (p50, _, p99), busy) in closed.items():
            cost = 10 * busy / rate  # per cent of a second, in ms
            print(f"| {name} | {rate:.0f} | {p50:.2f} | {p99:.2f} | {busy:.0f} | {cost:.3f} |")
        print("\n| open loop, of our throughput | server | p50, ms | p99, ms |\n|---|---|---|---|")
        for load in LOADS:
            for name in ("ours", "bare route"):
                seconds = open_loop(SERVERS[name], bodies, load * closed["ours"][0], arguments.seconds)
                late = np.quantile(seconds, [0.5, 0.99]) * 1e3
                print(f"| {load:.0%} | {name} | {late[0]:.2f} | {late[1]:.2f} |")
        (rate, _, busy), (bare_rate, _, bare_busy) = closed["ours"], closed["bare route"]
        print(f"\nours / bare: {rate / bare_rate:.2f} of the throughput")
        if arguments.recbole is not None:
            print(f"ours / RecBole: {rate / closed['RecBole'][0]:.1f} of the throughput")
        print(f"by processor time: {rate * bare_busy / (busy * bare_rate):.2f}")
        print(f"recall@20 on these requests: {recall(arguments.store, histories, bodies):.4f}")


@contextmanager
def servers(store: Path, histories: Path, recbole: Path | None) -> Iterator[dict[str, subprocess.Popen]]:
    """Start the servers on the first core, and stop them."""
    ours, bare, other = SERVERS.values()
    bundle = Store(store).open_current()
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as ids:
        json.dump(bundle.catalogue.item_ids(range(len(bundle.item_embeddings))), ids)
    # Nobody writes a line for each request: the others have none to write.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MACRID_LOG_REQUESTS": "false"}
    environment |= {"BARE_STORE": str(store), "RECBOLE_HISTORIES": str(histories), "RECBOLE_ITEMS": ids.name}
    environment["RECBOLE_SHAPE"] = json.dumps(bundle.prototypes.shape)
    uvicorn = ["--log-level", "warning", "--port"]
    commands = {
        "ours": [sys.executable, "-m", "macrid.cli", "serve", "--store", str(store), "--port", str(ours)],
        "bare route": [sys.executable, "-m", "uvicorn", "benchmarks.bare_route:app", *uvicorn, str(bare)],
    }
    if recbole is not None:
        commands["RecBole"] = [str(recbole), "-m", "uvicorn", "benchmarks.recbole_route:app", *uvicorn, str(other)]
    processes = {
        name: subprocess.Popen(["taskset", "-c", "0", *command], env=environment, stderr=subprocess.DEVNULL)
        for name, command in commands.items()
    }
    try:
        for name in processes:
            wait_for(SERVERS[name])
        yield processes
    finally:
        for process in processes.values():
            process.terminate()
            process.wait()
        Path(ids.name).unlink()


def recall(store: Path, histories: list[list[str]], bodies: list[str]) -> float:
    """Ask the server every request once, and compare with scoring every item."""
    reference = Recommender(LoadedModel.prepare(Store(store).open_current(), "exact"), Limits())
    shares = []
    for history, body in zip(histories, bodies, strict=True):
        found = set(ask(SERVERS["ours"], body))
        truth = {item.item_id for item in reference.recommend(RecommendRequest(history=history, n=20)).items}
        shares.append(len(found & truth) / len(truth))
    return float(np.mean(shares))


if __name__ == "__main__":
    main()
