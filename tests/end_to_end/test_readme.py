"""The README's commands work as they stand there; its calls of the API are asked of the demo, in test_demo.py."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from macrid.artifacts.store import Store
from tests.end_to_end.conftest import free_port, running, shell_commands

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = shell_commands(README)
pytestmark = pytest.mark.slow


def test_your_own_data_from_two_files_to_a_served_recommendation(small_shop, tmp_path):
    train, serve = (command for command in COMMANDS if command.startswith("macrid"))
    shutil.copytree(small_shop, tmp_path, dirs_exist_ok=True)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("MACRID_STORE", None)
    done = subprocess.run(train, shell=True, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert Store(tmp_path / "artifacts/store").current().startswith("clicks-")
    port = free_port()
    with running(serve.split(), tmp_path, port, PATH=environment["PATH"], MACRID_PORT=str(port)) as (client, _):
        answer = client.post("/recommend", json={"history": ["bag-0001", "bag-0002"], "n": 3}).json()
        assert len(answer["items"]) == 3
        assert answer["fallback"] is None


@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_has_the_two_commands(target):
    planned = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"demo": "macrid demo", "test": "pytest"}[target] in planned


def test_what_make_starts_keeps_what_python_compiles():
    """Packages are installed uncompiled: where images forbid it to keep anything, every process would compile torch anew."""
    line = ["make", "--eval=environment: ; @env", "environment"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "KEPT": "1"}
    printed = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert "KEPT=1" in printed
    assert "PYTHONDONTWRITEBYTECODE" not in printed


def test_ci_calls_the_same_test_command():
    assert "make test" in (ROOT / ".ci" / "run").read_text()
