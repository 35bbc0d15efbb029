"""What asks a server over HTTP, from another process or at least another core, and what watches it meanwhile.

wrk (Debian package wrk) asks as fast as it is answered, a closed loop; an open loop sends at times of its own, whether or not
earlier requests are answered. Both run on the second core, for the server has the first.
"""

import asyncio
import json
import os
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

CONNECTIONS = 16
LUA = """
local bodies = {%s}
local at = 0
request = function()
  at = at %% #bodies + 1
  return wrk.format("POST", "/recommend", {["Content-Type"] = "application/json"}, bodies[at])
end
done = function(_, latency)
  local at = function(percentile) return latency:percentile(percentile) / 1000 end
  io.write(string.format("latency: %%.3f %%.3f %%.3f ms\\n", at(50), at(95), at(99)))
end
"""


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


def wrk(
    lua: str, port: int, seconds: int, process: subprocess.Popen[bytes] | None = None
) -> tuple[float, tuple[float, ...], float]:
    """Ask as fast as the server answers: requests/s; p50, p95 and p99 in ms; and the per cent of a core the process used."""
    before, start = cpu_seconds(process), time.perf_counter()
    address = f"http://127.0.0.1:{port}/recommend"
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", lua, address]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    busy = 100 * (cpu_seconds(process) - before) / (time.perf_counter() - start)
    if "Non-2xx" in output:
        raise RuntimeError(output)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))
    quantiles = tuple(map(float, re.search(r"latency: (.+) ms", output).group(1).split()))
    return rate, quantiles, busy


def cpu_seconds(process: subprocess.Popen[bytes] | None) -> float:
    """Return the processor time a process has used."""
    if process is None:
        return 0.0
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_loop(port: int, bodies: list[str], rate: float, seconds: int) -> np.ndarray:
    """Send requests at their times on keep-alive connections; returns the seconds from a request's time to its answer."""
    os.sched_setaffinity(0, {1})
    try:
        return asyncio.run(_open_loop(port, bodies, rate, seconds))
    finally:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


async def _open_loop(port: int, bodies: list[str], rate: float, seconds: int) -> np.ndarray:
    free: asyncio.LifoQueue = asyncio.LifoQueue()
    for _ in range(4 * CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    latencies: list[float] = []

    async def ask(body: bytes, due: float) -> None:
        reader, writer = await free.get()
        if reader.at_eof():  # the server has closed what was idle for long
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
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


def ask(port: int, body: str) -> list[str]:
    """Ask once; returns the ids of the items recommended."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/recommend", body.encode(), headers)
    with urllib.request.urlopen(request) as response:
        return [item["item_id"] for item in json.load(response)["items"]]
