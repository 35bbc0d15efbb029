"""How fast is `macrid recommend`, beside the same work through single HTTP requests and through `POST /recommend/batch`?

All users of a Parquet file with n = 100; the command as a user would run it, start and reading included, for the second time, so
that Python has kept what it compiled in the first; and then some of the users by the typed client, one request after the other,
and in batches of 200 (the most for n = 100). Where the machine is busy the processor time says more than the clock: it is that of
the command, and of server and client together.

    python -m benchmarks.bulk_speed STORE USERS.parquet [--asked 400]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from benchmarks.http_load import cpu_seconds, wait_for
from benchmarks.machine import describe
from macrid.service.client import Client

N, BATCH, PORT = 100, 200, 8935


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("users", type=Path)
    parser.add_argument("--asked", type=int, default=400)
    arguments = parser.parse_args()
    histories = pl.read_parquet(arguments.users)["history"].to_list()
    print(f"{describe()}; load {os.getloadavg()[0]:.1f} before the run; {len(histories):,} users, n = {N}\n")
    print("| how | users | users/s | processor time a user, ms |\n|---|---|---|---|")
    row("macrid recommend", len(histories), *command(arguments.store, arguments.users))
    asked = histories[: arguments.asked]
    for how, seconds, processor in over_http(arguments.store, asked):
        row(how, len(asked), seconds, processor)


def row(how: str, users: int, seconds: float, processor: float) -> None:
    """Print a row."""
    print(f"| {how} | {users:,} | {users / seconds:.0f} | {1e3 * processor / users:.3f} |", flush=True)


def command(store: Path, users: Path) -> tuple[float, float]:
    """Run the command twice; returns the seconds of the second run, by the clock and of the processors."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "macrid.cli", "recommend", "--n", str(N), "--store", str(store), str(users)]
        for name in ("first", "second"):
            before, start = os.times(), time.perf_counter()
            subprocess.run([*line, f"{folder}/{name}.parquet"], check=True, env=environment, stdout=subprocess.DEVNULL)
        seconds, after = time.perf_counter() - start, os.times()
    return seconds, after.children_user + after.children_system - before.children_user - before.children_system


def over_http(store: Path, histories: list[list[str]]) -> list[tuple[str, float, float]]:
    """Ask a server for each user, and for many at a time."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MACRID_LOG_REQUESTS": "false"}
    line = [sys.executable, "-m", "macrid.cli", "serve", "--store", str(store), "--port", str(PORT)]
    server = subprocess.Popen(line, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(PORT)
        results = []
        with Client(f"http://127.0.0.1:{PORT}", timeout=60) as client:
            client.recommend(history=histories[0], n=N)
            for how, size in (("POST /recommend, one by one", 1), (f"POST /recommend/batch, {BATCH} at a time", BATCH)):
                before, start = cpu_seconds(server) + time.process_time(), time.perf_counter()
                for at in range(0, len(histories), size):
                    if size == 1:
                        client.recommend(history=histories[at], n=N)
                    else:
                        client.recommend_batch(histories=histories[at : at + size], n=N)
                seconds = time.perf_counter() - start
                results.append((how, seconds, cpu_seconds(server) + time.process_time() - before))
        return results
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
