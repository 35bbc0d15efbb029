"""A server in a process of its own, started and stopped as a person would."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx
import pytest

START_SECONDS = 300


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(command, cwd, port, **environment):
    """Run a command that serves; yields a client once it is ready, and what it has printed as a function."""
    log = cwd / f"server-{port}.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            await_ready(client, process, log)
            yield client, log.read_text
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) in (0, 130, -signal.SIGINT), log.read_text()


def await_ready(client, process, log):
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"not ready after {START_SECONDS} s:\n{log.read_text()}")


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory):
    """A folder in which `macrid demo` has done all its work once."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "macrid.cli", "demo", "--no-serve"],
        cwd=folder, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def demo(demo_folder):
    """The demo, started a second time: (client, printed)."""
    port = free_port()
    command = [sys.executable, "-m", "macrid.cli", "demo", "--port", str(port)]
    with running(command, demo_folder, port) as (client, printed):
        yield client, printed


def shell_commands(text):
    """The commands of a document's ```bash blocks, comments dropped and continued lines joined."""
    blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
