"""What `macrid train` says of the precision before it starts."""

import pytest

from macrid.cli import steps
from macrid.cli.app import console
from macrid.model import machine, training
from macrid.model.training import TrainingConfig


@pytest.mark.parametrize(
    ("precision", "fast", "said"),
    [
        ("auto", True, "precision bf16, the quicker one on this processor"),
        ("auto", False, "precision float32, the quicker one on this processor"),
        ("bf16", False, "note: this processor has no instructions for matrices of bf16 (AMX)"),
        ("bf16", True, ""),
        ("float32", True, ""),
        ("float32", False, ""),
    ],
)
def test_what_it_will_be_is_said_where_it_is_not_plain(precision, fast, said, monkeypatch):
    for room in machine, training:
        monkeypatch.setattr(room, "multiplies_bfloat16", lambda: fast)
    with console.capture() as captured:
        steps._print_precision(TrainingConfig(precision=precision))
    printed = " ".join(captured.get().split())
    assert printed.startswith(said)
    assert bool(printed) == bool(said)
