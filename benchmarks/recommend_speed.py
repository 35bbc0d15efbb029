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
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from macrid.artifacts.store import Store
from macrid.service.loaded_model import LoadedModel
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import RecommendRequest

CONNECTIONS = 16
LOADS = (0.3, 0.5, 0.6, 0.9)  # of our throughput
SERVERS = {"ours": 8931, "bare route": 8932, "RecBole": 8933}
LUA = """
local bodies = {%s}
local at = 0
request = function()
  at = at %% #bodies + 1
  return wrk.format("POST", "/recommend", {["Content-Type"] = "application/json"}, bodies[at])
end
"""


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
    print("| server | requests/s | p50 | p99 | the server's core, % | its processor time a request, ms |")
    print("|---|---|---|---|---|---|")
    with servers(arguments.store, arguments.histories, arguments.recbole) as processes, script(bodies) as lua:
        for name in processes:
            wrk(lua, name, 2)  # warm
        closed = {name: wrk(lua, name, arguments.seconds, processes[name]) for name in processes}
        for name, (rate, p50, p99, busy) in closed.items():
            cost = 10 * busy / rate  # per cent of a second, in ms
            print(f"| {name} | {rate:.0f} | {p50} | {p99} | {busy:.0f} | {cost:.3f} |")
        print("\n| open loop, of our throughput | server | p50, ms | p99, ms |\n|---|---|---|---|")
        for load in LOADS:
            for name in ("ours", "bare route"):
                late = (
                    np.quantile(open_loop(name, bodies, load * closed["ours"][0], arguments.seconds), [0.5, 0.99]) * 1e3
                )
                print(f"| {load:.0%} | {name} | {late[0]:.2f} | {late[1]:.2f} |")
        (rate, _, _, busy), (bare_rate, _, _, bare_busy) = closed["ours"], closed["bare route"]
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


def wait_for(port: int) -> None:
    """Wait until a server answers."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json").close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(f"nothing answers on port {port}")


@contextmanager
def script(bodies: list[str]) -> Iterator[str]:
    """Write the requests as wrk reads them."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(LUA % ",".join(f"[==[{body}]==]" for body in bodies))
        file.flush()
        yield file.name


def wrk(lua: str, name: str, seconds: int, process: subprocess.Popen | None = None) -> tuple[float, str, str, float]:
    """Ask as fast as the server answers: requests/s, p50 and p99 in ms, and the share of a core the process used."""
    before, start = cpu_seconds(process), time.perf_counter()
    address = f"http://127.0.0.1:{SERVERS[name]}/recommend"
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", lua, address]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    busy = 100 * (cpu_seconds(process) - before) / (time.perf_counter() - start)
    if "Non-2xx" in output:
        raise RuntimeError(output)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))
    p50, p99 = (re.search(rf"\n\s+{share}%\s+(\S+)", output).group(1) for share in (50, 99))
    return rate, p50, p99, busy


def cpu_seconds(process: subprocess.Popen | None) -> float:
    """Return the processor time a process has used."""
    if process is None:
        return 0.0
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_loop(name: str, bodies: list[str], rate: float, seconds: int) -> np.ndarray:
    """Send requests at their times on keep-alive connections; returns the seconds from a request's time to its answer."""
    os.sched_setaffinity(0, {1})
    try:
        return asyncio.run(_open_loop(SERVERS[name], bodies, rate, seconds))
    finally:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


async def _open_loop(port: int, bodies: list[str], rate: float, seconds: int) -> np.ndarray:
    free: asyncio.LifoQueue = asyncio.LifoQueue()
    for _ in range(4 * CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    latencies: list[float] = []

    async def ask(body: bytes, due: float) -> None:
        reader, writer = await free.get()
        head = f"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        headers = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.search(rb"content-length: (\d+)", headers.lower()).group(1)))
        latencies.append(time.perf_counter() - due)
        free.put_nowait((reader, writer))

    start, tasks = time.perf_counter(), []
    for at in range(int(rate * seconds)):
        due = start + at / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(ask(bodies[at % len(bodies)].encode(), due)))
    await asyncio.gather(*tasks)
    return np.array(latencies)


def recall(store: Path, histories: list[list[str]], bodies: list[str]) -> float:
    """Ask the server every request once, and compare with scoring every item."""
    reference = Recommender(LoadedModel.prepare(Store(store).open_current(), "exact"), Limits())
    shares = []
    for history, body in zip(histories, bodies, strict=True):
        request = urllib.request.Request(
            f"http://127.0.0.1:{SERVERS['ours']}/recommend", body.encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as response:
            found = {item["item_id"] for item in json.load(response)["items"]}
        truth = {item.item_id for item in reference.recommend(RecommendRequest(history=history, n=20)).items}
        shares.append(len(found & truth) / len(truth))
    return float(np.mean(shares))


if __name__ == "__main__":
    main()
