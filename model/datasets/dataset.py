"""What a public data set is to us: a name, a home, files with checksums, and a reader."""

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

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


@dataclass(frozen=True)
class DataSet:
    """A data set known by name.

    Attributes:
        name: as given to `macrid train`.
        summary: one line for `macrid data list`.
        licence: shown before a download.
        prepare: puts the verified files into a folder: `prepare(folder)`.
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
    prepare: Callable[[Path], None]
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

    def load(self, start: Path | None = None) -> Source:
        """Find or prepare the files, verify them, and read them.

        Raises:
            DataError: a file given by `start` is missing, or any file differs from its checksum.
        """
        folder = self.locate(start)
        if folder is None and start is not None:
            missing = ", ".join(name for name in self.files if not (start / name).is_file())
            raise DataError(f"{start}: {missing} not found; expected the files of {self.name}: {', '.join(self.files)}")
        if folder is None:
            folder = Path(DATA_FOLDERS[0]) / self.name
            self.prepare(folder)
        verify(folder, self._layout(folder) or self.files)
        source = self.read(folder)
        return replace(source, held_out_users=source.held_out_users or self.held_out_users, training=self.training)


def verify(folder: Path, files: Mapping[str, str | None]) -> None:
    """Compare every file that has a SHA-256 with it.

    Raises:
        DataError: one differs.
    """
    for name, expected in files.items():
        if expected is None:
            continue
        with (folder / name).open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if actual != expected:
            raise DataError(
                f"{folder / name}: SHA-256 is {actual}, expected {expected}; remove the file and prepare the data set again"
            )


def download_zip(url: str, folder: Path, files: Mapping[str, str | None]) -> None:
    """Fetch an archive, take the named files out of it, verify them, and only then put them into `folder`.

    Raises:
        DataError: the address does not answer, or the archive is not what was expected.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        beside = Path(name)
        archive = beside / "archive.zip"
        try:
            with httpx.stream("GET", url, follow_redirects=True, timeout=30) as answer, archive.open("wb") as out:
                answer.raise_for_status()
                for chunk in answer.iter_bytes():
                    out.write(chunk)
            with zipfile.ZipFile(archive) as opened:
                members = {Path(member).name: member for member in opened.namelist()}
                for wanted in files:
                    with opened.open(members[wanted]) as stream, (beside / wanted).open("wb") as out:
                        shutil.copyfileobj(stream, out)
        except (httpx.HTTPError, zipfile.BadZipFile, KeyError, OSError) as error:
            raise DataError(
                f"{url}: could not be downloaded ({error!r}); if you have the files, name their folder with --from FOLDER"
            ) from error
        verify(beside, files)
        folder.mkdir(parents=True, exist_ok=True)
        for wanted in files:
            (beside / wanted).replace(folder / wanted)
