"""Reading a source in front of a person: the licence before a download, and a bar while it comes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from macrid.cli.app import console, trainer

if TYPE_CHECKING:
    from macrid.model.datasets.dataset import DataSet, Source
    from macrid.model.pipeline import SourceOptions


class Watching:
    """A `Watcher` with a bar; use it in a `with`."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console)
        self._task: TaskID | None = None

    def __enter__(self) -> "Watching":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begins(self, dataset: "DataSet", folder: Path) -> None:
        """Show the licence."""
        console.print(
            f"{dataset.name} is not here; it is put into {escape(str(folder))}. Licence: {escape(dataset.licence)}"
        )

    def received(self, received: int, total: int | None) -> None:
        """Move the bar."""
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("downloading", total=total)
        self._bar.update(self._task, completed=received, total=total)


def load_source(given: str, options: "SourceOptions") -> "Source":
    """A data set by name or a file of clicks, fetched if need be."""
    pipeline: Any = trainer()
    with Watching() as watching:
        source: Source = pipeline.load_source(given, options, watching)
    return source
