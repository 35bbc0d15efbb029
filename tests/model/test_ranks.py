"""Two processes compute what one computes: gradients, the choice of the epoch, what is kept; and neither outlives the other."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from macrid.artifacts.bundle import Bundle
from macrid.model import pipeline, training
from macrid.model.checkpoint import Checkpoints
from macrid.model.datasets import DEMO_SHOP
from macrid.model.errors import RanksError
from macrid.model.ranks import ALONE, joined
from tests.end_to_end.conftest import free_port
from tests.support import ranks as support
from tests.support.groups import CONFIG, groups_split

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder in which two processes wrote what they found, and their exit statuses."""
    folder = tmp_path_factory.mktemp("ranks")
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.ranks"])  # torch is imported once for both
    processes = [context.Process(target=support.work, args=(folder, {**meeting, "RANK": str(rank)})) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=300)
    return folder, [process.exitcode for process in processes]


@pytest.fixture(scope="module", params=support.CONFIGS)
def both(request, together):
    """What one process finds, and each of two."""
    folder, _ = together
    return support.found(request.param), *(dict(np.load(folder / f"{request.param} {rank}.npz")) for rank in range(2))


class TestTwoProcesses:
    def test_loss_and_gradients_are_those_of_one_at_the_same_batch(self, both):
        alone, *two = both
        for name in (name for name in alone if name.startswith(("gradient", "loss of"))):
            for found in two:
                np.testing.assert_allclose(found[name], alone[name], atol=1e-5 * np.abs(alone[name]).max(), rtol=1e-5)

    def test_both_have_the_same_to_the_bit(self, both):
        _, first, second = both
        assert first.keys() == second.keys()
        for name, value in first.items():
            np.testing.assert_array_equal(second[name], value)

    def test_a_training_goes_as_with_one(self, both):
        alone, found, _ = both
        np.testing.assert_allclose(found["losses"], alone["losses"], rtol=1e-5)
        np.testing.assert_allclose(found["validation"], alone["validation"], atol=0.02)  # where two items tie
        assert found["best epoch"] == alone["best epoch"]
        for name in (name for name in alone if name.startswith("weights")):
            np.testing.assert_allclose(found[name], alone[name], atol=1e-3 * np.abs(alone[name]).max())

    def test_one_goes_on_from_the_checkpoint_of_two_of_which_the_first_alone_writes(self, together):
        folder, _ = together
        assert not (folder / "none.npz").exists()
        resumed = training.train(
            groups_split(), support.CONFIGS["all items"], checkpoints=Checkpoints(folder / "state.npz", resume=True)
        )
        first = np.load(folder / "all items 0.npz")
        np.testing.assert_allclose(support.outcome(resumed)["losses"], first["losses"], rtol=1e-5)

    def test_other_settings_are_named_and_a_lost_process_ends_the_other(self, together):
        folder, statuses = together
        assert statuses == [0, -signal.SIGKILL]
        assert (folder / "error 1").read_text().startswith("seed is 1 in process 1 on ")
        assert "lost another one, so training ends here and nothing is written" in (folder / "error 0").read_text()


MEETING = {"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


class TestEnvironment:
    @pytest.mark.parametrize("environment", [{}, {"WORLD_SIZE": "1"}, {"RANK": "3"}])
    def test_without_others_there_is_one(self, environment):
        with joined(environment) as ranks:
            assert ranks is ALONE

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"MASTER_ADDR": ""}, r"WORLD_SIZE is 2 but MASTER_ADDR is not set; start the processes with torchrun"),
            ({"MASTER_PORT": "", "RANK": ""}, r"RANK, MASTER_PORT are not set"),
            ({"WORLD_SIZE": "two"}, r"WORLD_SIZE is 'two', expected a whole number of at least 1"),
            ({"WORLD_SIZE": "0"}, r"WORLD_SIZE is '0'"),
            ({"RANK": "2"}, r"RANK is 2, expected 0 to 1"),
            ({"RANK": "-1"}, r"RANK is '-1', expected a whole number of at least 0"),
            ({"MASTER_PORT": "http"}, r"MASTER_PORT is 'http'"),
        ],
    )
    def test_one_that_tells_of_others_but_not_how_to_meet_them_is_refused(self, change, message):
        with pytest.raises(RanksError, match=message), joined({**MEETING, **change}):
            pass

    def test_a_batch_must_have_a_user_for_each(self):
        crowd = type("Crowd", (type(ALONE),), {"size": 51})()
        with pytest.raises(RanksError, match=r"batch_size is 50, expected at least 51.*--batch-size"):
            training.train(groups_split(), CONFIG, ranks=crowd)

    def test_several_do_not_fetch_the_same_data(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(RanksError, match="macrid data prepare demo-shop"):
            pipeline.refuse_fetching(DEMO_SHOP.name, pipeline.SourceOptions())


def test_torchrun_trains_one_bundle_which_the_first_process_alone_tells_of(small_shop, tmp_path):
    options = ["--epochs", "2", "--dimensions", "8", "--seed", "1", "--refit", "--index-memory", "0"]
    options += ["--checkpoint", "state.npz", "--resume", "--log-json", "log.jsonl", "--out", "bundle"]
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        str(free_port()),
    ]
    done = subprocess.run(
        [*torchrun, "-m", "macrid", "train", str(small_shop / "clicks.csv"), *options],
        cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("written to bundle") == 1
    assert done.stdout.count("refitted on all 600 users") == 1
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(each["phase"], each["epoch"]) for each in records][:2] == [("training", 1), ("training", 2)]
    assert Bundle.open(tmp_path / "bundle").manifest.fitted_on == "all_users"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "log.jsonl"]
