"""What several commands print: sources, tables, bars, files."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from macrid.cli.app import console

if TYPE_CHECKING:
    from macrid.model.datasets.dataset import Source
    from macrid.model.training import Epoch


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


@contextmanager
def progress(epochs: int) -> Iterator[Any]:
    """A bar with loss, validation NDCG@100 and time left; yields the function that moves it."""
    columns = (
        TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=epochs)

        def on_epoch(epoch: "Epoch") -> None:
            ndcg = epoch.validation.mean("ndcg@100")
            bar.update(task, advance=1, description=f"loss {epoch.loss:.2f}  validation NDCG@100 {ndcg:.4f}")

        yield on_epoch


@contextmanager
def trainings(total: int) -> Iterator[Any]:
    """A bar over trainings; yields the function that moves it."""
    columns = (
        TextColumn("trained"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)
        yield lambda concepts, seed: bar.update(task, advance=1, description=f"K = {concepts}, seed {seed}")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write figures to a file, and say where."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    console.print(f"\nwritten to {escape(str(path))}")
