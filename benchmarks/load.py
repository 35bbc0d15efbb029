"""A server in processes of its own, two versions to swap between, callers that check every answer."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Set
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import numpy as np

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.store import Store
from macrid.service.loaded_model import LoadedModel
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import RecommendRequest
from tests.support.bundles import make_bundle

SHAPE = {"items": 2000, "concepts": 7, "dimensions": 64}
HISTORIES = 50
CLICKS = 20
ERRORS = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


@dataclass
class Tally:
    """What callers met."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # of answers 200
    moments: list[float] = field(default_factory=list)  # when each of those began
    refused_seconds: list[float] = field(default_factory=list)  # of answers 503
    versions: Counter[str] = field(default_factory=Counter)
    mixed: int = 0  # answers whose items are not those of the version they name

    @property
    def failed(self) -> int:
        """Everything but 200."""
        return sum(count for status, count in self.statuses.items() if status != "200")


@dataclass(frozen=True)
class Question:
    """A request, and what each version answers to it."""

    body: dict[str, Any]
    expected: dict[str, list[str]]


def two_versions(folder: Path) -> tuple[Store, list[Path], list[Question]]:
    """Make two bundles, publish both, and ask each the same questions in this process."""
    bundles = [make_bundle(folder / f"bundle-{seed}", seed=seed, **SHAPE) for seed in (1, 2)]
    store = Store(folder / "store")
    rng, asked = random.Random(0), []
    for _ in range(HISTORIES):
        history = [f"item-{at}" for at in rng.sample(range(8, SHAPE["items"]), CLICKS)]
        asked.append({"history": history, "n": 20})
    expected: list[dict[str, list[str]]] = [{} for _ in asked]
    for bundle in bundles:
        store.publish(bundle)
        model = Recommender(LoadedModel.prepare(Bundle.open(bundle)), Limits())
        for body, answers in zip(asked, expected, strict=True):
            items = model.recommend(RecommendRequest.model_validate(body)).items
            answers[model.version] = [item.item_id for item in items]
    return store, bundles, [Question(body, answers) for body, answers in zip(asked, expected, strict=True)]


@contextmanager
def server(store: Path, *, cores: Set[int] | None = None, **settings: Any) -> Iterator[tuple[str, int]]:
    """Run `macrid serve` on a free port, on these cores only: (its address, its process id)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {f"MACRID_{name.upper()}": str(value) for name, value in settings.items()}
    with (store.parent / f"server-{port}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "macrid.cli", "serve", "--store", str(store), "--port", str(port)],
            env={**os.environ, "OMP_NUM_THREADS": "1", "MACRID_LOG_REQUESTS": "false", **environment},
            stdout=log, stderr=log, preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        _await_ready(address, process)
        yield address, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _await_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError("the server did not start; see its log beside the store")
        try:
            if httpx.get(f"{address}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError("the server was not ready within a minute")


@asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client without a bound on connections."""
    limits = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=limits, timeout=aiohttp.ClientTimeout(total=30)) as http:
        yield http


async def ask(http: aiohttp.ClientSession, address: str, question: Question, tally: Tally) -> None:
    """Ask once, and hold the answer to what its version answers."""
    began = time.perf_counter()
    try:
        async with http.post(f"{address}/recommend", json=question.body) as response:
            answer = await response.json(content_type=None)
            status = str(response.status)
    except ERRORS as error:
        tally.statuses[type(error).__name__] += 1
        return
    seconds = time.perf_counter() - began
    tally.statuses[status] += 1
    if status == "503":
        tally.refused_seconds.append(seconds)
    if status != "200":
        return
    tally.seconds.append(seconds)
    tally.moments.append(began)
    tally.versions[answer["model_version"]] += 1
    tally.mixed += [item["item_id"] for item in answer["items"]] != question.expected[answer["model_version"]]


async def closed_loop(
    address: str, questions: list[Question], callers: int, until: asyncio.Event, tally: Tally, pause: float = 0.0
) -> None:
    """Let so many callers ask one question after another until it is enough."""

    async def call(number: int, http: aiohttp.ClientSession) -> None:
        rng = random.Random(number)
        while not until.is_set():
            await ask(http, address, rng.choice(questions), tally)
            if pause:
                await asyncio.sleep(pause)

    async with session() as http:
        await asyncio.gather(*(call(number, http) for number in range(callers)))


async def open_loop(address: str, questions: list[Question], rate: float, seconds: float, tally: Tally) -> None:
    """Ask at a rate, whether or not answers come: as the world does."""
    rng, asked = random.Random(0), set()
    async with session() as http:
        began = time.perf_counter()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            task = asyncio.create_task(ask(http, address, rng.choice(questions), tally))
            asked.add(task)
            task.add_done_callback(asked.discard)
        await asyncio.gather(*asked)


def percentile(values: list[float], q: float) -> float:
    """In milliseconds."""
    return float(np.percentile(values, q)) * 1000 if values else float("nan")


def processes_below(pid: int) -> list[int]:
    """A process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in processes_below(int(child)))]
