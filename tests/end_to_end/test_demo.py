"""`macrid demo` from nothing to a page, and what the shop it serves must show."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from benchmarks.demo_walks import measure
from macrid.artifacts.store import Store
from macrid.model.analysis.walks import summarise
from tests.end_to_end.conftest import shell_commands

ROOT = Path(__file__).parent.parent.parent
CURLS = [command for command in shell_commands((ROOT / "README.md").read_text()) if command.startswith("curl")]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured(demo_folder):
    """NMI of concepts and departments, and the quality of every department's and factor's walks."""
    bundle = Store(demo_folder / "artifacts/store").open_current()
    yield measure(bundle, starts=50, seed=0)
    bundle.close()


class TestDemo:
    def test_it_serves_the_page_and_what_the_page_loads(self, demo):
        client, _ = demo
        page = client.get("/")
        assert page.status_code == 200
        for address in re.findall(r'(?:src|href)="(/web/[^"]+)"', page.text):
            assert client.get(address).status_code == 200

    def test_the_commands_it_prints_work(self, demo):
        _, printed = demo
        commands = [line.strip() for line in printed().splitlines() if line.strip().startswith("curl")]
        assert len(commands) == 2
        for command in commands:
            answer = json.loads(subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout)
            assert answer["model_version"].startswith("demo-shop-")
            assert answer.get("items") or answer.get("steps")

    def test_the_second_start_uses_what_is_there(self, demo):
        _, printed = demo
        assert "using demo-shop-" in printed()
        assert "training" not in printed()

    def test_a_recommendation_stays_with_the_departments_that_were_clicked(self, demo):
        client, _ = demo
        answer = client.post(
            "/recommend", json={"history": ["bag-0001", "bag-0002", "lamp-0003", "lamp-0004"], "n": 20}
        ).json()
        departments = [item["metadata"]["department"] for item in answer["items"]]
        assert set(departments) == {"bags", "lamps"}


class TestTheReadmesCalls:
    @pytest.mark.parametrize("command", CURLS)
    def test_every_curl_example_is_answered(self, command, demo):
        client, _ = demo
        address = str(client.base_url).rstrip("/")
        asked = command.replace("http://127.0.0.1:8000", address).replace("curl -s", "curl -s --fail-with-body")
        done = subprocess.run(asked, shell=True, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
        answer = json.loads(done.stdout)
        assert answer["model_version"].startswith("demo-shop-")

    def test_there_is_an_example_for_every_kind_of_question(self):
        assert len(CURLS) == 9


class TestWhatItMustShow:
    """The shop's truth is known; the model was never told. Measured by benchmarks/demo_walks.py on the bundle that is served."""

    def test_concepts_are_the_departments(self, measured):
        assert measured[0] >= 0.95

    def test_walks_move_a_factor_in_at_least_five_departments(self, measured):
        best = {}
        for result in measured[1]:
            best[result.group] = max(best.get(result.group, 0), result.real.factor)
        assert len(best) == 7
        assert sum(moved >= 0.8 for moved in best.values()) >= 5

    def test_shuffled_factors_are_not_moved(self, measured):
        summary = summarise(measured[1])
        assert summary.shuffled.factor < 0.2
        assert summary.shuffled.factor < 0.3 * summary.real.factor
