"""Peak memory of reading clicks, on generated Parquet parts of two columns of four-byte numbers.

python -m benchmarks.reading_memory [--rows 100000000] [--users 500000] [--items 50000] [--repeats 0.01]

Users are drawn evenly and items with a long tail (the square of an even draw); a share of the rows comes twice. Reading runs in
a process of its own, whose peak Linux tells; what it held after importing everything is taken off.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from macrid.model.machine import describe

ROWS_OF_A_PART = 10_000_000
READ = """
import sys, time
from pathlib import Path
from macrid.model.interactions import read_interactions
def status(name):
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith(name))) * 1024
before, start = status("VmRSS"), time.perf_counter()
found = read_interactions(Path(sys.argv[1]))
print(before, status("VmHWM"), status("VmRSS"), time.perf_counter() - start, len(found), len(found.user_ids), len(found.item_ids))
"""


def main() -> None:
    """Generate, read in another process, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--users", type=int, default=500_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--repeats", type=float, default=0.01)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where the generated parts are put for the time being"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        on_disk = generate(folder, arguments.rows, arguments.users, arguments.items, arguments.repeats)
        print(f"{describe()}; seed 0\n", flush=True)
        done = subprocess.run([sys.executable, "-c", READ, str(folder)], capture_output=True, text=True, check=True)
    before, peak, after, seconds, pairs, users, items = map(float, done.stdout.split())
    raw = arguments.rows * 8
    print(
        "| rows | pairs kept | users | items | on disk | two columns in memory "
        "| peak above imports | of the columns | left | seconds |"
    )
    print("|---" * 10 + "|")
    print(
        f"| {arguments.rows:,} | {pairs:,.0f} | {users:,.0f} | {items:,.0f} | {on_disk / 1e6:,.0f} MB | {raw / 1e6:,.0f} MB "
        f"| {(peak - before) / 1e6:,.0f} MB | {(peak - before) / raw:.2f} | {(after - before) / 1e6:,.0f} MB | {seconds:.0f} |"
    )


def generate(folder: Path, rows: int, users: int, items: int, repeats: float) -> int:
    """Write the parts; their bytes on disk."""
    rng = np.random.default_rng(0)
    for part, at in enumerate(range(0, rows, ROWS_OF_A_PART)):
        size = min(ROWS_OF_A_PART, rows - at)
        user = rng.integers(0, users, size, dtype=np.int32)
        item = (rng.random(size, dtype=np.float32) ** 2 * items).astype(np.int32)
        again = rng.integers(0, size, int(repeats * size))
        user[: len(again)], item[: len(again)] = user[again], item[again]
        pl.DataFrame({"user_id": user, "item_id": item}).write_parquet(folder / f"part-{part:05}.parquet")
    return sum(path.stat().st_size for path in folder.iterdir())


if __name__ == "__main__":
    main()
