"""Figures of every epoch for machines: one line each, also after an epoch was repeated, and TensorBoard's own files."""

import json

import numpy as np
import pytest

from macrid.model.evaluation import Evaluation
from macrid.model.journal import journals
from macrid.model.training_state import Epoch, Pass


def epoch(number, loss=5.0):
    validation = Evaluation({"ndcg@100": np.array([0.25, 0.75])})
    return Epoch(
        number=number, loss=loss, seconds=2.0, users_per_second=50.0, of=9, validation=validation, is_best=True
    )


def refit_pass(number):
    return Pass(number=number, loss=4.0, seconds=2.0, users_per_second=50.0, of=3)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_epoch_is_a_line_with_its_figures(tmp_path):
    with journals(tmp_path / "log.jsonl") as on_pass:
        on_pass(epoch(1))
        assert lines(tmp_path / "log.jsonl") == [
            {
                "phase": "training", "epoch": 1, "of": 9, "loss": 5.0, "users_per_second": 50.0, "seconds": 2.0,
                "validation ndcg@100": 0.5, "best": True,
            }
        ]  # fmt: skip
        on_pass(refit_pass(1))
    assert [line["phase"] for line in lines(tmp_path / "log.jsonl")] == ["training", "refit"]


def test_epochs_that_come_again_after_a_resume_stand_there_once(tmp_path):
    path = tmp_path / "log.jsonl"
    with journals(path) as on_pass:
        for number in (1, 2, 3):
            on_pass(epoch(number))
    path.write_text(path.read_text() + '{"phase": "trai')  # what a crash cut off
    with journals(path) as on_pass:
        on_pass(epoch(3, loss=6.0))
        on_pass(epoch(4))
    assert [(line["epoch"], line["loss"]) for line in lines(path)] == [(1, 5.0), (2, 5.0), (3, 6.0), (4, 5.0)]


def test_a_new_training_begins_the_file_anew(tmp_path):
    for _ in range(2):
        with journals(tmp_path / "log.jsonl") as on_pass:
            on_pass(epoch(1))
            on_pass(refit_pass(1))
    assert [line["phase"] for line in lines(tmp_path / "log.jsonl")] == ["training", "refit"]


def test_tensorboard_can_read_its_scalars(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with journals(tensorboard=tmp_path) as on_pass:
        on_pass(epoch(1))
        on_pass(epoch(2, loss=3.0))
    events = accumulator.EventAccumulator(str(tmp_path / "training")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 5.0), (2, 3.0)]
    assert events.Scalars("validation ndcg@100")[0].value == 0.5
