"""What a public data set is to us: a name, a home, files with checksums, and a reader."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from macrid.model.datasets.download import OnBytes, nothing, verify
from macrid.model.errors import DataError
from macrid.model.interactions import Interactions
from macrid.model.items import Items

DATA_FOLDERS = ("data", "../shared/data")


@dataclass(frozen=True)
class Source:
    """Interactions and item metadata, ready to be split.

    Attributes:
        name: of the data set, or of the user's file; becomes the beginning of the model version.
        origin: what to ask for to get the same again: a data set's name, or a file's path.
        interactions: see `Interactions`.
        items: metadata aligned with `interactions.item_ids`.
        settings: how it was read; goes into the manifest.
        held_out_users: the published number, None where there is none.
        note: what a reader of the results must know about this copy of the data; printed, and kept in the manifest.
        training: fields of `TrainingConfig` and `NetworkConfig` in which this data departs from the defaults.
    """

    name: str
    origin: str
    interactions: Interactions
    items: Items
    settings: Mapping[str, object]
    held_out_users: int | None = None
    note: str | None = None
    training: Mapping[str, object] = field(default_factory=dict)


class Watcher(Protocol):
    """Somebody who looks on while a data set is fetched or generated."""

    def begins(self, dataset: "DataSet", folder: Path) -> None:
        """Called before the first byte: the place to show the licence."""

    def received(self, received: int, total: int | None) -> None:
        """So many bytes are there of so many; None where nobody knows."""


@dataclass(frozen=True)
class DataSet:
    """A data set known by name.

    Attributes:
        name: as given to `macrid train`.
        summary: one line for `macrid data list`.
        licence: shown before a download.
        prepare: puts the verified files into a folder: `prepare(folder, on_bytes)`, telling of bytes as they arrive.
        read: the verified folder -> interactions and items.
        files: file name -> SHA-256 of the content that `read` was written for; None where it may vary (generated files).
        held_out_users: how many users are held out, each for validation and test, unless `read` says otherwise.
        other_files: another layout of the same data that `read` takes as well, when it is there; {} for none.
        inside: a folder that the files may also lie in, below the one named.
        training: see `Source`.
    """

    name: str
    summary: str
    licence: str
    prepare: Callable[[Path, OnBytes], None]
    read: Callable[[Path], Source]
    held_out_users: int
    files: Mapping[str, str | None]
    other_files: Mapping[str, str | None] = field(default_factory=dict)
    inside: str = ""
    training: Mapping[str, object] = field(default_factory=dict)

    def locate(self, start: Path | None = None) -> Path | None:
        """The folder with a whole layout: `start`, or one in MACRID_DATA, ./data or ../shared/data; None if there is none."""
        named = os.environ.get("MACRID_DATA", "")
        folders = [Path(folder) for folder in named.split(os.pathsep) if folder] + [
            Path(folder) for folder in DATA_FOLDERS
        ]
        named_or_usual = [start] if start else [folder / self.name for folder in folders]
        candidates = [each for folder in named_or_usual for each in (folder, folder / self.inside)]
        return next((folder for folder in candidates if self._layout(folder) is not None), None)

    def _layout(self, folder: Path) -> Mapping[str, str | None] | None:
        """The files of the layout that is complete in this folder, or None."""
        layouts = [layout for layout in (self.files, self.other_files) if layout]
        return next((layout for layout in layouts if all((folder / name).is_file() for name in layout)), None)

    def load(self, start: Path | None = None, watcher: Watcher | None = None) -> Source:
        """Find or prepare the files, verify them, and read them.

        Args:
            start: the folder they are in; None for the usual places, or to prepare them.
            watcher: told the licence before anything is fetched, and how far it is.

        Raises:
            DataError: a file given by `start` is missing, or any file differs from its checksum.
        """
        folder = self.locate(start)
        if folder is None and start is not None:
            missing = ", ".join(name for name in self.files if not (start / name).is_file())
            raise DataError(f"{start}: {missing} not found; expected the files of {self.name}: {', '.join(self.files)}")
        if folder is None:
            folder = Path(DATA_FOLDERS[0]) / self.name
            if watcher is not None:
                watcher.begins(self, folder)
            self.prepare(folder, nothing if watcher is None else watcher.received)
        verify(folder, self._layout(folder) or self.files)
        source = self.read(folder)
        return replace(source, held_out_users=source.held_out_users or self.held_out_users, training=self.training)
