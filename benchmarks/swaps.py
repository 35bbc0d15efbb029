"""Swap versions under full load: no request fails, no answer mixes two versions, and how much slower is it meanwhile?

python -m benchmarks.swaps --swaps 200
"""

import argparse
import asyncio
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.load import Question, Tally, closed_loop, percentile, server, two_versions
from benchmarks.machine import describe
from macrid.artifacts.store import Store

CALLERS = 8
RELOAD_SECONDS = 0.05


async def under_load(address: str, questions: list[Question], work: asyncio.Future[None] | asyncio.Task[None]) -> Tally:
    """Ask as fast as answers come while some work lasts."""
    tally, until = Tally(), asyncio.Event()
    asking = asyncio.create_task(closed_loop(address, questions, CALLERS, until, tally))
    await work
    until.set()
    await asking
    return tally


async def swap(store: Store, bundles: list[Path], swaps: int, pause: float) -> None:
    """Publish the one and the other in turn, from a process of its own that gives way, as if it were on another machine."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=os.nice, initargs=(10,)) as publisher:
        for at in range(swaps):
            await loop.run_in_executor(publisher, store.publish, bundles[at % 2])
            await asyncio.sleep(pause)


async def measure(address: str, store: Store, bundles: list[Path], questions: list[Question], swaps: int) -> None:
    """Measure without swaps, then with."""
    await under_load(address, questions, asyncio.create_task(asyncio.sleep(3)))
    calm = await under_load(address, questions, asyncio.create_task(asyncio.sleep(15)))
    busy = await under_load(address, questions, asyncio.create_task(swap(store, bundles, swaps, pause=0.2)))
    for name, tally in (("without", calm), ("with", busy)):
        print(
            f"{name} swaps: {dict(tally.statuses)}, mixed {tally.mixed}, versions {dict(tally.versions)}, "
            f"p50 {percentile(tally.seconds, 50):.1f} ms, p99 {percentile(tally.seconds, 99):.1f} ms"
        )
    print(f"p99 with / without: {percentile(busy.seconds, 99) / percentile(calm.seconds, 99):.2f}")


def main() -> None:
    """Swap, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=200)
    swaps = parser.parse_args().swaps
    print(f"{describe()}; 2 workers, {CALLERS} callers, {swaps} swaps")
    with tempfile.TemporaryDirectory() as folder:
        store, bundles, questions = two_versions(Path(folder))
        with server(store.root, workers=2, reload_interval=RELOAD_SECONDS) as (address, _):
            asyncio.run(measure(address, store, bundles, questions, swaps))


if __name__ == "__main__":
    main()
