"""Private memory of a server's processes over a generated bundle, after 200 requests to each worker.

python -m benchmarks.serving_memory --items 100000 --dimensions 64 --workers 2
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from macrid.artifacts.store import Store
from tests.support.bundles import make_bundle

PORT, CONCEPTS, REQUESTS = 18731, 7, 200


def private_megabytes(pid: int) -> int:
    """Anonymous memory of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) // 1024


def wait_until_ready(address: str) -> None:
    """Ask until a model is loaded."""
    for _ in range(300):
        try:
            if httpx.get(f"{address}/readyz").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit("the server did not get ready within a minute")


def main() -> None:
    """Make, publish, serve, ask, measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1)
    wanted = parser.parse_args()
    address = f"http://127.0.0.1:{PORT}"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        make_bundle(folder, items=wanted.items, concepts=CONCEPTS, dimensions=wanted.dimensions)
        print("bundle:", sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // 2**20, "MB")
        Store(Path(scratch) / "store").publish(folder)
        settings = {"STORE": f"{scratch}/store", "PORT": str(PORT), "WORKERS": str(wanted.workers)}
        environment = {**os.environ, **{f"MACRID_{name}": value for name, value in settings.items()}}
        server = subprocess.Popen(
            [sys.executable, "-m", "macrid.cli", "serve"], env=environment, stderr=subprocess.DEVNULL
        )
        try:
            wait_until_ready(address)
            for at in range(REQUESTS * wanted.workers):
                httpx.post(f"{address}/recommend", json={"history": [f"item-{8 + at}", f"item-{9 + at}"], "n": 20})
            children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
            for pid in (server.pid, *map(int, children)):
                print(f"process {pid}: {private_megabytes(pid)} MB of its own")
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
