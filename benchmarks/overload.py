"""Ask three times what the server can answer: how much of its best does it still answer in time, how quickly does it refuse?

The best rate is found by so many callers, each asking one question after another; then questions come at three times that rate,
whether or not answers come. The callers are a process of their own, on the last core; the server has the others.

python -m benchmarks.overload [--seconds 20] [--workers 1] [--threads 1 2]
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.load import Question, Tally, ask, percentile, server, session, two_versions
from benchmarks.machine import describe
from macrid.service.settings import Settings

CALLERS = (2, 4, 8, 16)
OVER = 3.0


async def for_seconds(address: str, questions: list[Question], callers: int, seconds: float) -> Tally:
    """Let so many callers ask one question after another for so long."""
    host, port = address.removeprefix("http://").split(":")
    requests, tally, idle = written(questions, host), Tally(), list[Caller]()
    loop, until = asyncio.get_running_loop(), time.perf_counter() + seconds

    def ask_again(caller: Caller) -> None:
        if time.perf_counter() < until:
            idle.remove(caller)
            caller.ask(requests[tally.statuses.total() % len(requests)])

    for _ in range(callers):
        _, caller = await loop.create_connection(lambda: Caller(idle, tally, ask_again), host, int(port))
        caller.ask(requests[0])
    while len(idle) < callers:
        await asyncio.sleep(0.05)
    return tally


def written(questions: list[Question], host: str) -> list[bytes]:
    """Write questions as requests."""
    bodies = [json.dumps(question.body).encode() for question in questions]
    head = f"POST /recommend HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: "
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]


async def best_rate(address: str, questions: list[Question], seconds: float) -> float:
    """Answers a second, at the number of callers at which most come."""
    await for_seconds(address, questions, max(CALLERS), 2)  # warm
    best = 0.0
    for callers in CALLERS:
        tally = await for_seconds(address, questions, callers, seconds)
        rate = len(tally.seconds) / seconds
        best = max(best, rate)
        print(f"{callers} callers: {rate:.0f} answers a second, {percentiles(tally.seconds)}; {dict(tally.statuses)}")
    return best


class Caller(asyncio.Protocol):
    """One connection that asks one question after another, in a tenth of the time that a whole HTTP client takes.

    A client that needs as long for a question as the server for a refusal would measure itself.
    """

    def __init__(self, idle: list["Caller"], tally: Tally, again: Callable[["Caller"], None] | None = None) -> None:
        """Name where to be when free, and what to do then; nothing by itself."""
        self._idle, self._tally, self._again, self._received = idle, tally, again, bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes) -> None:
        """Send a request; its answer comes to `data_received`."""
        self._began = time.perf_counter()
        self._received.clear()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Count the answer once it is whole, and be free for the next."""
        self._received += data
        head, found, body = bytes(self._received).partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        status, seconds = head[9:12].decode(), time.perf_counter() - self._began
        self._tally.statuses[status] += 1
        (self._tally.seconds if status == "200" else self._tally.refused_seconds).append(seconds)
        self._idle.append(self)
        if self._again is not None:
            self._again(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Go away; one that waited for an answer counts as failed."""
        if self in self._idle:
            self._idle.remove(self)
        else:
            self._tally.statuses["connection lost"] += 1


async def open_loop(address: str, questions: list[Question], rate: float, seconds: float) -> Tally:
    """Ask at a rate, whether or not answers come: as the world does."""
    host, port = address.removeprefix("http://").split(":")
    requests = written(questions, host)
    tally, idle, loop = Tally(), list[Caller](), asyncio.get_running_loop()
    asked, began = 0, time.perf_counter()
    while asked < int(rate * seconds):
        await asyncio.sleep(max(0.0, began + asked / rate - time.perf_counter()))
        if not idle:
            _, caller = await loop.create_connection(lambda: Caller(idle, tally), host, int(port))
            idle.append(caller)
        idle.pop().ask(requests[asked % len(requests)])
        asked += 1
    while tally.statuses.total() < asked and time.perf_counter() - began < seconds + 30:
        await asyncio.sleep(0.01)
    return tally


async def recovery(address: str, question: Question) -> float:
    """Return the seconds until ten questions in a row are answered within a tenth of a second each."""
    began, row = time.perf_counter(), 0
    async with session() as http:
        while row < 10 and time.perf_counter() - began < 60:
            tally = Tally()
            await ask(http, address, question, tally)
            row = row + 1 if tally.seconds and tally.seconds[0] < 0.1 else 0
    return time.perf_counter() - began


async def watch_health(address: str, until: asyncio.Event) -> list[float]:
    """Ask for health ten times a second."""
    seconds = []
    async with session() as http:
        while not until.is_set():
            began = time.perf_counter()
            async with http.get(f"{address}/healthz") as answer:
                assert answer.status == 200
            seconds.append(time.perf_counter() - began)
            await asyncio.sleep(0.1)
    return seconds


async def measure(address: str, questions: list[Question], seconds: float, time_limit: float) -> None:
    """Find the best rate, ask thrice that, and print what came of it."""
    best = await best_rate(address, questions, seconds / 4)
    until = asyncio.Event()
    health = asyncio.create_task(watch_health(address, until))
    began = time.perf_counter()
    tally = await open_loop(address, questions, OVER * best, seconds)
    lasted = time.perf_counter() - began
    until.set()
    recovered = await recovery(address, questions[0])
    in_time = [second for second in tally.seconds if second <= time_limit]
    print(
        f"{OVER:g} × {best:.0f} a second for {lasted:.1f} s: {dict(tally.statuses)}\n"
        f"answered within {time_limit:g} s: {len(in_time) / lasted:.0f} a second, {len(in_time) / lasted / best:.0%} of the best "
        f"rate; {percentiles(tally.seconds)}\n"
        f"refused with 503: {percentiles(tally.refused_seconds)}\n"
        f"health checks meanwhile: {percentiles(await health)}; recovered within {recovered:.2f} s"
    )


def percentiles(seconds: list[float]) -> str:
    """Write the middle and the tail."""
    return f"p50 {percentile(seconds, 50):.1f} ms, p99 {percentile(seconds, 99):.1f} ms"


def main() -> None:
    """Overload, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, nargs="+", default=[Settings().threads], help="one run for each")
    arguments = parser.parse_args()
    limit, cores = Settings().time_limit, sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    print(f"{describe()}; {arguments.workers} worker(s) on {len(cores) - 1} core(s), time limit {limit:g} s")
    with tempfile.TemporaryDirectory() as folder:
        store, _, questions = two_versions(Path(folder))
        for threads in arguments.threads:
            print(f"\nthreads = {threads}")
            options = {"workers": arguments.workers, "threads": threads}
            with server(store.root, cores=set(cores[:-1]), **options) as (address, _):
                asyncio.run(measure(address, questions, arguments.seconds, limit))


if __name__ == "__main__":
    main()
