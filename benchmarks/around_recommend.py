"""What does `POST /recommend` cost around the ranking? Beside a bare FastAPI route with the same schemas, in one process.

Both applications are called as a server would call them, without a socket, by turns; ours gives every request the same answer,
so that nothing is encoded or ranked. What is left: middlewares, routing, reading and checking the body, admission, counting,
writing the answer. Printed is the processor time a request of the best of many short stretches, for other work on the machine
only ever makes it longer.

    python -m benchmarks.around_recommend STORE HISTORIES [--rounds 100]

HISTORIES is a JSON file: a list of lists of item ids.
"""

import argparse
import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import uvloop
from fastapi import FastAPI

from benchmarks.machine import describe
from macrid.service.app import create_app
from macrid.service.recommender import Recommender
from macrid.service.server import configure_logs, prepare_process
from macrid.service.settings import Settings

STRETCH = 50  # requests


def main() -> None:
    """Measure both in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("histories", type=Path)
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    bodies = [json.dumps({"history": ids, "n": 20}).encode() for ids in json.loads(arguments.histories.read_text())]
    os.environ["BARE_STORE"] = str(arguments.store)
    from benchmarks.bare_route import app as bare

    settings = Settings(store=arguments.store, log_requests=False)
    configure_logs(settings)
    ours = create_app(settings)
    prepare_process()
    give_everybody_the_same()
    best = uvloop.run(compare({"ours, without ranking": ours, "bare route": bare}, bodies, arguments.rounds))
    print(f"{describe()}; load {os.getloadavg()[0]:.1f}; {len(bodies)} distinct requests\n")
    print("| application | processor time a request, µs |\n|---|---|")
    for name, seconds in best.items():
        print(f"| {name} | {seconds * 1e6:.0f} |")


def give_everybody_the_same() -> None:
    """Let the facade answer every request as it answers the first."""
    answer_each, answers = Recommender.answer_each, []

    def answer_as_before(self: Recommender, requests: Any) -> Any:
        if not answers:
            answers.extend(answer_each(self, requests[:1]))
        return answers * len(requests)

    Recommender.answer_each = answer_as_before  # type: ignore[method-assign]


async def compare(apps: dict[str, FastAPI], bodies: list[bytes], rounds: int) -> dict[str, float]:
    """Return the least seconds a request, over a stretch of requests, of each application."""
    best = dict.fromkeys(apps, float("inf"))
    async with apps["ours, without ranking"].router.lifespan_context(apps["ours, without ranking"]):
        for at in range(rounds):
            stretch = [bodies[(at * STRETCH + i) % len(bodies)] for i in range(STRETCH)]
            for name, app in apps.items():
                for body in stretch[:5]:
                    await ask(app, body)
                best[name] = min(best[name], await seconds_of(app, stretch))
    return best


async def seconds_of(app: FastAPI, bodies: list[bytes]) -> float:
    """Return the processor time a request."""
    began = time.process_time()
    for body in bodies:
        await asyncio.create_task(ask(app, body))  # as a server starts each
    return (time.process_time() - began) / len(bodies)


async def ask(app: FastAPI, body: bytes) -> None:
    """Send one request, whose body is there already."""
    statuses = []
    arrived = asyncio.Event()
    arrived.set()

    async def receive() -> dict[str, Any]:
        await arrived.wait()
        arrived.clear()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope_of(body), receive, send)
    if statuses != [200]:
        raise RuntimeError(f"answered {statuses}")


def scope_of(body: bytes) -> dict[str, Any]:
    """Return what a server says of a request."""
    headers = [(b"host", b"x"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "scheme": "http",
        "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 50000), "root_path": "", "state": {}, "method": "POST",
        "path": "/recommend", "raw_path": b"/recommend", "query_string": b"", "headers": headers,
    }  # fmt: skip


if __name__ == "__main__":
    main()
