"""Metrics of a training while it runs, for machines: JSON lines and TensorBoard. Each is a function called after every pass."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from macrid.model.errors import DataError
from macrid.model.training_state import Epoch, Pass

OnPass = Callable[[Pass], None]


def figures(done: Pass) -> dict[str, float]:
    """What is known after a pass, by name: loss, users per second, and the mean of every validation measure."""
    validation = done.validation.summary() if isinstance(done, Epoch) else {}
    return {
        "loss": done.loss,
        "users_per_second": done.users_per_second,
        "seconds": done.seconds,
        **{f"validation {name}": value["mean"] for name, value in validation.items()},
    }


def record(done: Pass) -> dict[str, object]:
    """One line of the journal; `phase` is "training" or, without validation, "refit"."""
    best = {"best": done.is_best} if isinstance(done, Epoch) else {}
    return {"phase": _phase(done), "epoch": done.number, "of": done.of, **figures(done), **best}


@contextmanager
def journals(log_json: Path | None = None, tensorboard: Path | None = None) -> Iterator[OnPass]:
    """Write to a file of JSON lines, to a folder for TensorBoard, to both or to none, after every pass.

    What an earlier run left there of epochs that come again, after `--resume`, is replaced, so each stands there once.

    Raises:
        DataError: the extra `tensorboard` is not installed.
    """
    with ExitStack() as stack:
        writers = []
        if log_json is not None:
            writers.append(stack.enter_context(json_lines(log_json)))
        if tensorboard is not None:
            writers.append(stack.enter_context(tensorboard_events(tensorboard)))

        def on_pass(done: Pass) -> None:
            for write in writers:
                write(done)

        yield on_pass


@contextmanager
def json_lines(path: Path) -> Iterator[OnPass]:
    """Append one JSON object after every pass, flushed at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as stream:
        seen = set()

        def on_pass(done: Pass) -> None:
            phase = _phase(done)
            if phase not in seen:
                seen.add(phase)
                stream.seek(0)
                earlier = [line for line in stream if _comes_before(line, phase, done.number)]
                stream.truncate(0)
                stream.writelines(earlier)
            stream.write(json.dumps(record(done)) + "\n")
            stream.flush()

        yield on_pass


@contextmanager
def tensorboard_events(folder: Path) -> Iterator[OnPass]:
    """Write scalars for TensorBoard, one chart for each figure, training and refit apart."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise DataError(
            "--tensorboard needs the package tensorboard, which is not installed; run: pip install 'macrid[tensorboard]'"
        ) from error
    with ExitStack() as stack:
        writers: dict[str, Any] = {}

        def on_pass(done: Pass) -> None:
            phase = _phase(done)
            if phase not in writers:
                writer = SummaryWriter(str(folder / phase), purge_step=done.number)
                writers[phase] = stack.enter_context(writer)
            for name, value in figures(done).items():
                writers[phase].add_scalar(name, value, done.number)
            writers[phase].flush()

        yield on_pass


def _phase(done: Pass) -> str:
    return "training" if isinstance(done, Epoch) else "refit"


def _comes_before(line: str, phase: str, number: int) -> bool:
    """Whether a line that is there is of an epoch before this one; what a crash cut off is not."""
    try:
        known = json.loads(line)
        return known["phase"] != "refit" if known["phase"] != phase else bool(known["epoch"] < number)
    except (ValueError, KeyError, TypeError):
        return False
