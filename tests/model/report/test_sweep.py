"""A sweep: the same numbers give the same configuration, what is known is not tried again, and other data is refused."""

import dataclasses
import json

import numpy as np
import pytest

from macrid.model.errors import DataError
from macrid.model.report import sweep as module
from macrid.model.report.sweep import (
    METHODS,
    Point,
    draw_configuration,
    read_points,
    summarise,
    sweep,
    try_configuration,
)


@pytest.fixture
def counted(monkeypatch):
    """Trainings replaced by a note of what was tried."""
    tried = []

    def instead(split, method, number, seed):
        tried.append((method, number))
        return Point(method, number, {"beta": 1.0}, 0.1, 0.2, 0.3, 0.9, 0.98, 0.8, 0.99, 1.0)

    monkeypatch.setattr(module, "try_configuration", instead)
    return tried


def test_a_configuration_depends_on_its_number_alone():
    one, other = (draw_configuration(1, METHODS[0].name, number) for number in (3, 4))
    assert one == draw_configuration(1, METHODS[0].name, 3)
    assert one != other
    assert one != draw_configuration(2, METHODS[0].name, 3)
    drawn = [draw_configuration(1, METHODS[2].name, number) for number in range(200)]
    assert 3e-4 <= min(each["learning_rate"] for each in drawn) <= max(each["learning_rate"] for each in drawn) <= 1e-2
    assert min(each["beta"] for each in drawn) < 0.02
    assert max(each["beta"] for each in drawn) > 5


def test_a_sweep_goes_on_where_it_stopped(small_run, tmp_path, counted):
    path = tmp_path / "sweep.jsonl"
    sweep(small_run[1], path, 2, seed=1)
    assert len(counted) == 2 * len(METHODS)
    path.write_text(path.read_text() + '{"method": "Ours(100, 7', encoding="utf-8")  # killed while it wrote
    seen = []
    points = sweep(small_run[1], path, 3, seed=1, on_known=seen.append)
    assert seen == [2 * len(METHODS)]
    assert len(counted) == 3 * len(METHODS)
    assert sorted((point.method, point.number) for point in points) == sorted(counted)
    assert read_points(path) == points


def test_a_sweep_of_something_else_is_not_continued(small_run, tmp_path, counted):
    path = tmp_path / "sweep.jsonl"
    sweep(small_run[1], path, 1, seed=1)
    with pytest.raises(DataError, match="name another file"):
        sweep(small_run[1], path, 1, seed=2)
    path.write_text("user,item\n1,2\n")
    with pytest.raises(DataError, match="is not a file of `macrid sweep`"):
        sweep(small_run[1], path, 1, seed=1)
    assert path.read_text() == "user,item\n1,2\n"


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_is_trained_and_measured(small_run, method, monkeypatch):
    monkeypatch.setattr(module, "EPOCHS", 1)
    found = try_configuration(small_run[1], method.name, 0, seed=1)
    assert found == dataclasses.replace(try_configuration(small_run[1], method.name, 0, seed=1), seconds=found.seconds)
    assert 0 <= found.recall_20 <= 1
    assert 0 < found.items < 1
    assert 0 < found.users < 1
    assert abs(found.users_random - 0.96) < 0.03  # of 480 random rows
    json.dumps(dataclasses.asdict(found), allow_nan=False)


def test_the_summary_takes_the_configuration_that_validation_prefers():
    name = METHODS[0].name
    values = [(0.3, 0.1), (0.5, 0.2), (0.1, 0.9)]
    points = [
        Point(name, number, {}, validation, test, 0.0, 0.1 * number, 0.98, -0.1 * number, 0.99, 1.0)
        for number, (validation, test) in enumerate(values)
    ]
    (found,) = summarise(points)
    assert (found.method, found.count, found.best, found.median) == (name, 3, 0.2, 0.2)
    assert (found.items_correlation, found.users_correlation) == pytest.approx((1.0, -1.0))
    assert np.isclose(found.items, 0.1)
