"""Twenty minutes under load with swaps: does memory grow, do file handles leak, does anything fail?

python -m benchmarks.soak --minutes 20
"""

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.load import (
    ERRORS,
    Question,
    Tally,
    closed_loop,
    percentile,
    processes_below,
    server,
    session,
    two_versions,
)
from benchmarks.machine import describe
from macrid.artifacts.store import Store

PAGE = 4096
HALF_A_REQUEST = (
    b'POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"hist'
)
CALLERS, PAUSE = 4, 0.05  # about 60 requests a second: load all the time, and half a core left
SECONDS_BETWEEN_SWAPS = 2.5  # time for both workers to look at the store, every two seconds, and to swap
Sample = tuple[float, float, int]  # seconds, MB, open files


def measure(pid: int) -> tuple[float, int]:
    """Resident MB and open files of a server and its workers."""
    pages = files = 0
    for process in processes_below(pid):
        try:
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
            files += len(list(Path(f"/proc/{process}/fd").iterdir()))
        except OSError:
            continue
    return pages * PAGE / 1e6, files


def highest(pid: int) -> float:
    """Resident MB of a server and its workers when each held most."""
    lines = [line for one in processes_below(pid) for line in Path(f"/proc/{one}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


async def others(address: str, until: asyncio.Event, tally: Tally) -> None:
    """Ask the rest of the API, and now and then something that is wrong or breaks off."""
    rng = random.Random(1)
    async with session() as http:
        while not until.is_set():
            item = rng.randrange(8, 2000)
            asked = [
                ("GET", f"/items/item-{item}", 200), ("GET", f"/items/item-{item}/walk?dim=3", 200),
                ("GET", "/items?q=lamps", 200), ("GET", "/metrics", 200), ("GET", "/readyz", 200),
                ("GET", "/items/nobody", 404), ("POST", "/recommend", 422),
            ]  # fmt: skip
            method, path, expected = rng.choice(asked)
            try:
                async with http.request(method, address + path) as response:
                    await response.read()
                    right = response.status == expected
                    tally.statuses["200" if right else f"{path}: {response.status}"] += 1
            except ERRORS as error:
                tally.statuses[type(error).__name__] += 1
            await break_off(address)
            await asyncio.sleep(0.2)


async def break_off(address: str) -> None:
    """Begin a request and go away."""
    host, port = address.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(HALF_A_REQUEST)
    await writer.drain()
    writer.close()


async def swap(store: Store, bundles: list[Path], pid: int, minutes: float) -> list[Sample]:
    """Publish the one and the other in turn; measure between swaps, for a worker in the midst of one holds two versions."""
    began, samples, told = time.monotonic(), [], 0.0
    while time.monotonic() - began < 60 * minutes:
        await asyncio.to_thread(store.publish, bundles[len(samples) % 2])
        await asyncio.sleep(SECONDS_BETWEEN_SWAPS)
        samples.append((time.monotonic() - began, *measure(pid)))
        if samples[-1][0] >= told + 60:
            told = samples[-1][0]
            print(f"{told:.0f} s: {samples[-1][1]:.1f} MB, {samples[-1][2]} files", flush=True)
    return samples


async def soak(
    address: str, pid: int, store: Store, bundles: list[Path], questions: list[Question], warm_up: float, minutes: float
) -> None:
    """Run everything, and print what was measured once it was warm."""
    until, tally, rest = asyncio.Event(), Tally(), Tally()
    work = [
        asyncio.create_task(closed_loop(address, questions, CALLERS, until, tally, PAUSE)),
        asyncio.create_task(others(address, until, rest)),
    ]
    samples = await swap(store, bundles, pid, warm_up + minutes)
    until.set()
    await asyncio.gather(*work)
    report(np.array([sample for sample in samples if sample[0] >= 60 * warm_up]), tally, rest, len(samples))
    print(f"highest RSS at any moment: {highest(pid):.1f} MB")


def report(samples: np.ndarray, tally: Tally, rest: Tally, swaps: int) -> None:
    """Print the slope of the memory with its standard error, and the range of open files."""
    minutes, megabytes, files = samples[:, 0] // 60, samples[:, 1], samples[:, 2]
    # Neighbouring samples are alike, so it is the means of minutes that are taken for independent.
    each = np.unique(minutes)
    means = np.array([megabytes[minutes == minute].mean() for minute in each])
    (slope, _), covariance = np.polyfit(each, means, 1, cov=True)
    print(
        f"{sum(tally.statuses.values())} recommendations, {sum(rest.statuses.values())} other requests, {swaps} swaps"
    )
    print(f"recommendations: {dict(tally.statuses)}, mixed {tally.mixed}; others: {dict(rest.statuses)}")
    print(f"p50 {percentile(tally.seconds, 50):.1f} ms, p99 {percentile(tally.seconds, 99):.1f} ms")
    print(f"RSS of all processes: first {megabytes[0]:.1f}, last {megabytes[-1]:.1f}, sd {megabytes.std():.1f} MB")
    print(
        f"slope {slope:+.3f} ± {covariance[0, 0] ** 0.5:.3f} MB/min; open files {files.min():.0f} to {files.max():.0f}"
    )


def main() -> None:
    """Soak, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument(
        "--warm-up", type=float, default=10, help="minutes before: caches fill, the heap takes its shape"
    )
    given = parser.parse_args()
    if given.minutes < 4:
        parser.error(f"--minutes is {given.minutes:g}, expected at least 4: a slope takes some")
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        store, bundles, questions = two_versions(Path(folder))
        with server(store.root, workers=2) as (address, pid):
            asyncio.run(soak(address, pid, store, bundles, questions, given.warm_up, given.minutes))


if __name__ == "__main__":
    main()
