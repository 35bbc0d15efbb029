"""What several commands print: sources, tables, bars, files."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from macrid.cli.app import console

if TYPE_CHECKING:
    from macrid.model.datasets.dataset import Source
    from macrid.model.training_state import Pass

LINE_SECONDS = 30.0  # between lines of progress in a log


def print_source(source: "Source") -> None:
    """What a source holds."""
    clicks = source.interactions
    described = sum(title != item for title, item in zip(source.items.titles, source.items.item_ids, strict=True))
    console.print(
        f"{source.name}: {len(clicks.user_ids):,} users, {len(clicks.item_ids):,} items "
        f"({described:,} with a title), {len(clicks):,} clicks"
    )
    print_note(source)


def print_note(source: "Source") -> None:
    """A source's own remark, if it has one."""
    if source.note is not None:
        console.print(f"[yellow]note:[/] {escape(source.note)}")


def print_table(table: dict[str, dict[str, dict[str, float]]], users: int) -> None:
    """Methods and their measures, mean ± standard error."""
    measures = list(next(iter(table.values())))
    out = Table("", *measures, box=None, pad_edge=False)
    for method, values in table.items():
        out.add_row(
            method, *(f"{values[name]['mean']:.4f} ± {values[name]['standard_error']:.4f}" for name in measures)
        )
    console.print(out)
    console.print(f"mean ± standard error over {users:,} held-out test users")


def counting(what: str) -> Progress:
    """A bar that says how many of how many, what the last one was, the time spent and the time left."""
    columns = (
        TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    return Progress(*columns, console=console)


@contextmanager
def progress() -> Iterator[Any]:
    """Bars with loss, validation NDCG@100, speed and time left, for training and refit; yields the function that moves them.

    Where the output is no terminal, a line at most every LINE_SECONDS instead.
    """
    tasks: dict[str, Any] = {}
    last = time.monotonic()
    with counting("{task.fields[phase]}") as bar:

        def on_pass(done: "Pass") -> None:
            nonlocal last
            validation = getattr(done, "validation", None)
            phase = "refit" if validation is None else "training"
            said = f"loss {done.loss:.2f}"
            if validation is not None:
                said += f"  validation NDCG@100 {validation.mean('ndcg@100'):.4f}"
            said += f"  {done.users_per_second:,.0f} users/s"
            if phase not in tasks:
                tasks[phase] = bar.add_task("", total=done.of, phase=phase)
            bar.update(tasks[phase], completed=done.number, description=said)
            if not console.is_terminal and time.monotonic() - last >= LINE_SECONDS:
                last = time.monotonic()
                left = bar.tasks[tasks[phase]].time_remaining
                console.print(f"{phase}: epoch {done.number} of at most {done.of}  {said}  left {_duration(left)}")

        yield on_pass


def _duration(seconds: float | None) -> str:
    return "unknown" if seconds is None else str(timedelta(seconds=round(seconds)))


@contextmanager
def trainings(total: int) -> Iterator[Any]:
    """A bar over trainings; yields the function that moves it."""
    with counting("trained") as bar:
        task = bar.add_task("", total=total)
        yield lambda concepts, seed: bar.update(task, advance=1, description=f"K = {concepts}, seed {seed}")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write figures to a file, and say where."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    console.print(f"\nwritten to {escape(str(path))}")
