"""A killed training goes on as if nothing had been: to the bit, from any update; and a wrong file is refused by name."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from macrid.model import training
from macrid.model.checkpoint import Checkpoints
from macrid.model.errors import CheckpointError
from tests.support.groups import CONFIG, groups_split

CONFIG = dataclasses.replace(CONFIG, epochs=4)
CONFIGS = {
    "all items": CONFIG,
    "sampled": dataclasses.replace(CONFIG, samples=25),
    "taught": dataclasses.replace(CONFIG, teacher=0.5, balance=0.5),
    "refined": dataclasses.replace(CONFIG, teacher=0.5, refinement=1.0, refined="throughout"),
}
DYING = """
import os, signal, sys, torch
from pathlib import Path
from macrid.model import checkpoint, training
from tests.model.test_checkpoint import CONFIGS
from tests.support.groups import groups_split

torch.set_num_threads(1)
kept, keep, file, at, half, config = 0, checkpoint.Keeper.keep, *sys.argv[1:]

def keep_or_die(self, *state):
    global kept
    kept += 1
    if kept == int(at) and half == "half":  # dies while it writes
        checkpoint.np.savez = lambda stream, **_: (stream.write(b"PK half a file"), os.kill(os.getpid(), signal.SIGKILL))
    keep(self, *state)
    if kept == int(at):
        os.kill(os.getpid(), signal.SIGKILL)

checkpoint.Keeper.keep = keep_or_die
training.train(groups_split(), CONFIGS[config], checkpoints=checkpoint.Checkpoints(Path(file), every_seconds=0))
"""


@pytest.fixture(scope="module")
def split():
    return groups_split()


@pytest.fixture(scope="module")
def uninterrupted(split):
    return training.train(split, CONFIG)


def killed(path, *, at, half=False, config="all items"):
    arguments = [str(path), str(at), "half" if half else "whole", config]
    done = subprocess.run([sys.executable, "-c", DYING, *arguments], env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == -signal.SIGKILL


def assert_same(found, expected):
    for name, value in expected.network.state_dict().items():
        assert torch.equal(found.network.state_dict()[name], value), name
    assert found.best_epoch == expected.best_epoch
    assert [e.loss for e in found.history] == [e.loss for e in expected.history]
    for one, other in zip(found.history, expected.history, strict=True):
        assert one.is_best == other.is_best
        for measure, values in other.validation.values.items():
            np.testing.assert_array_equal(one.validation.values[measure], values)


class TestResume:
    @pytest.mark.parametrize(
        ("at", "half"), [(3, False), (13, True)], ids=["first epoch", "third epoch, while writing"]
    )
    def test_after_kill_9_the_result_is_that_of_an_uninterrupted_run_to_the_bit(
        self, split, uninterrupted, tmp_path, at, half
    ):
        path = tmp_path / "state.npz"
        killed(path, at=at, half=half)
        assert_same(training.train(split, CONFIG, checkpoints=Checkpoints(path, resume=True)), uninterrupted)

    @pytest.mark.parametrize("config", ["sampled", "taught", "refined"])
    def test_with_sampled_items_with_a_teacher_and_refined_throughout_too(self, split, tmp_path, config):
        path = tmp_path / "state.npz"
        killed(path, at=13, config=config)
        resumed = training.train(split, CONFIGS[config], checkpoints=Checkpoints(path, resume=True))
        assert_same(resumed, training.train(split, CONFIGS[config]))

    def test_a_run_that_never_died_is_the_same_with_checkpoints(self, split, uninterrupted, tmp_path):
        checkpoints = Checkpoints(tmp_path / "state.npz", every_seconds=0)
        assert_same(training.train(split, CONFIG, checkpoints=checkpoints), uninterrupted)

    def test_a_finished_one_can_be_given_more_epochs(self, split, uninterrupted, tmp_path):
        checkpoints = Checkpoints(tmp_path / "state.npz", resume=True)  # nothing is there yet: it starts
        training.train(split, dataclasses.replace(CONFIG, epochs=2), checkpoints=checkpoints)
        assert_same(training.train(split, CONFIG, checkpoints=checkpoints), uninterrupted)

    def test_with_precision_auto_another_processor_goes_on(self, split, tmp_path, monkeypatch):
        checkpoints = Checkpoints(tmp_path / "state.npz", resume=True)
        config = dataclasses.replace(CONFIG, epochs=1, precision="auto")
        monkeypatch.setattr(training, "multiplies_bfloat16", lambda: True)
        training.train(split, config, checkpoints=checkpoints)
        monkeypatch.setattr(training, "multiplies_bfloat16", lambda: False)
        resumed = training.train(split, dataclasses.replace(config, epochs=2), checkpoints=checkpoints)
        assert len(resumed.history) == 2
        assert resumed.config.precision == "float32"

    def test_a_finished_one_can_be_given_a_refinement(self, split, tmp_path):
        checkpoints = Checkpoints(tmp_path / "state.npz", resume=True)
        training.train(split, dataclasses.replace(CONFIG, epochs=1), checkpoints=checkpoints)
        refined = dataclasses.replace(CONFIG, epochs=1, refinement=1.0)
        assert training.train(split, refined, checkpoints=checkpoints).network.refinement.step == 1

    def test_one_that_was_refined_throughout_cannot_be_given_another_step(self, split, tmp_path):
        checkpoints = Checkpoints(tmp_path / "state.npz", resume=True)
        config = dataclasses.replace(CONFIGS["refined"], epochs=1)
        training.train(split, config, checkpoints=checkpoints)
        with pytest.raises(CheckpointError, match="refinement"):
            training.train(split, dataclasses.replace(config, refinement=0.5), checkpoints=checkpoints)

    def test_a_refit_goes_on_too(self, split, tmp_path):
        checkpoints = Checkpoints(tmp_path / "state.npz", every_seconds=0, resume=True)

        def stop(done):
            if done.number == 2:
                raise KeyboardInterrupt

        expected = training.refit(split.training, CONFIG, 3)
        with pytest.raises(KeyboardInterrupt):
            training.refit(split.training, CONFIG, 3, stop, checkpoints)
        found = training.refit(split.training, CONFIG, 3, None, checkpoints)
        for name, value in expected.state_dict().items():
            assert torch.equal(found.state_dict()[name], value), name


class TestRefusals:
    @pytest.fixture
    def path(self, split, tmp_path):
        path = tmp_path / "state.npz"
        training.train(split, dataclasses.replace(CONFIG, epochs=1), checkpoints=Checkpoints(path))
        return path

    def test_a_file_that_is_there_is_not_written_over(self, split, path):
        with pytest.raises(CheckpointError, match="--resume"):
            training.train(split, CONFIG, checkpoints=Checkpoints(path))

    def test_other_settings_are_named(self, split, path):
        other = dataclasses.replace(CONFIG, beta=0.3)
        with pytest.raises(CheckpointError, match=r"beta was 0.2 there and is 0.3 now"):
            training.train(split, other, checkpoints=Checkpoints(path, resume=True))

    def test_other_data_is_named(self, split, path):
        other = dataclasses.replace(split, training=split.training[1:])
        with pytest.raises(CheckpointError, match="data was"):
            training.train(other, CONFIG, checkpoints=Checkpoints(path, resume=True))

    @pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"x" * 99])
    def test_a_damaged_file_is_named(self, split, path, damage):
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(CheckpointError, match=r"state.npz: is not a checkpoint that can be read"):
            training.train(split, CONFIG, checkpoints=Checkpoints(path, resume=True))

    def test_nothing_in_it_is_pickled(self, path):
        with np.load(path, allow_pickle=False) as arrays:
            assert json.loads(arrays["header"].tobytes())["about"]["passes"] == 1
            assert all(arrays[name].dtype != object for name in arrays.files)
