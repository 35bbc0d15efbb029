"""The ways of training that are tried are read as settings."""

import pytest

from benchmarks.training_ablation import settings_of
from macrid.model.errors import DataError


def test_a_way_is_read_and_checked():
    assert settings_of("batch_size=20 teacher=0.5 sampling=uniform") == {
        "batch_size": 20, "teacher": 0.5, "sampling": "uniform",
    }  # fmt: skip
    with pytest.raises(DataError, match="batchsize"):
        settings_of("batchsize=20")
    with pytest.raises(DataError, match="refinement is 101, expected a number of between 0 and 100"):
        settings_of("refinement=101")
    with pytest.raises(DataError, match="teacher is 2, expected a number of between 0 and 1"):
        settings_of("teacher=2")
