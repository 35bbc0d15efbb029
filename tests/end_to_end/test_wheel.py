"""What people install: the built wheel, in a clean environment without torch, serves API and page."""

import subprocess
import sys
from pathlib import Path

import pytest

from macrid.artifacts.store import Store
from tests.end_to_end.conftest import free_port, running

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A virtual environment with the wheel and what it asks for: (its folder, names of the installed packages)."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("macrid-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True, timeout=120)
    python = folder / "venv" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", str(wheel)], check=True, timeout=600, capture_output=True
    )
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
    )
    return folder / "venv", {line.split("==")[0].lower() for line in listed.stdout.splitlines()}


def test_the_server_installs_without_the_trainers_libraries(environment):
    _, packages = environment
    assert {"macrid", "faiss-cpu", "fastapi"} <= packages
    assert packages.isdisjoint({"torch", "polars", "scipy", "scikit-learn"})


def test_it_leaves_no_module_with_a_common_name(environment):
    venv, _ = environment
    (site,) = venv.glob("lib/python*/site-packages")
    assert not [name for name in ("model", "service", "artifacts", "cli", "src") if (site / name).exists()]
    assert not (site / "macrid" / "artifacts" / "store").exists()


def test_it_serves_the_page_and_recommendations(environment, small_run, tmp_path):
    venv, _ = environment
    outcome, split = small_run
    Store(tmp_path / "store").publish(outcome.folder)
    port = free_port()
    with running([venv / "bin" / "macrid", "serve", "--port", str(port), "--store", "store"], tmp_path, port) as (
        client,
        _,
    ):
        assert "Macrid" in client.get("/").text
        answer = client.post("/recommend", json={"history": [split.item_ids[0]], "n": 4}).json()
        assert len(answer["items"]) == 4


@pytest.mark.parametrize(
    "command", [["train", "clicks.csv"], ["recommend", "users.parquet", "out.parquet"], ["data", "list"]], ids=" ".join
)
def test_without_the_trainers_libraries_a_command_that_needs_them_says_how_to_get_them(environment, tmp_path, command):
    venv, _ = environment
    done = subprocess.run([venv / "bin" / "macrid", *command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'macrid[train]'" in done.stderr
    assert "Traceback" not in done.stderr
