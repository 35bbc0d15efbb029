"""A few kills by chance; `python -m benchmarks.kills --number 200` is the same at length."""

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_whenever_training_exporting_or_publishing_is_killed_nothing_is_lost_and_nothing_wrong_opens():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kills", "--number", "3"],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 kills, 0 wrong" in done.stdout
