"""Versions of a bundle side by side in a folder, the one that is current, and the way back.

store/
  current.json          the pointer: which version is current, the SHA-256 of its manifest, and which were before
  versions/<version>/   bundles
  .lock                 held by whoever publishes or rolls back
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from macrid.artifacts.bundle import Bundle, read_manifest
from macrid.artifacts.errors import BundleError, StoreError
from macrid.artifacts.files import dump_json, folder_beside, parse_json, replace_text, sha256
from macrid.artifacts.records import from_json, to_json
from macrid.artifacts.schema import MANIFEST_FILE

POINTER_FILE = "current.json"
MAX_HISTORY = 50


@dataclass(frozen=True)
class Pointer:
    """What `current.json` says: the current version, its manifest's SHA-256, when, and earlier versions, latest first."""

    model_version: str
    manifest_sha256: str
    published_at: str
    previous: tuple[str, ...]


class Store:
    """A folder of published versions. Readers need no lock: the pointer is replaced in one step."""

    def __init__(self, root: Path) -> None:
        """Name the folder; it is made when something is published."""
        self.root = root

    def folder(self, version: str) -> Path:
        """Where a version lies, or would."""
        return self.root / "versions" / version

    def versions(self) -> list[str]:
        """All versions that are there, the newest first."""
        manifests = [
            path for path in self.root.glob(f"versions/*/{MANIFEST_FILE}") if not path.parent.name.startswith(".")
        ]
        manifests.sort(key=lambda path: (-path.parent.stat().st_mtime_ns, path.parent.name))
        return [path.parent.name for path in manifests]

    def pointer(self) -> Pointer | None:
        """What is current; None when nothing has been published.

        Raises:
            StoreError: the pointer is there and broken.
        """
        path = self.root / POINTER_FILE
        if not path.exists():
            return None
        try:
            return from_json(Pointer, parse_json(path), str(path))
        except BundleError as error:
            raise StoreError(
                f"{error}; publish a version again to replace it (there are: {', '.join(self.versions())})"
            ) from error

    def current(self) -> str | None:
        """The current version's name; None when nothing has been published."""
        pointer = self.pointer()
        return pointer.model_version if pointer else None

    def open_current(self) -> Bundle:
        """Open and verify the current version, its manifest against the pointer included.

        Raises:
            StoreError: nothing has been published, or the pointer is broken.
            BundleError: the version is not what was published.
        """
        pointer = self.pointer()
        if pointer is None:
            raise StoreError(
                f"{self.root}: nothing has been published; train with `macrid train … --publish`, or run `macrid demo`"
            )
        folder = self.folder(pointer.model_version)
        manifest = folder / MANIFEST_FILE
        if not manifest.is_file():
            raise BundleError(f"{manifest}: is not there, but {pointer.model_version} is the current version")
        actual = sha256(manifest)
        if actual != pointer.manifest_sha256:
            raise BundleError(f"{manifest}: SHA-256 is {actual}, expected {pointer.manifest_sha256} as published")
        return Bundle.open(folder)

    def publish(self, bundle_folder: Path) -> str:
        """Copy a bundle into the store, verify the copy, and make it current; publishing the same again is harmless.

        Returns:
            The version.

        Raises:
            BundleError: the bundle is not what its manifest says; the current version stays as it was.
        """
        version = read_manifest(bundle_folder).model_version
        with self._lock():
            folder = self.folder(version)
            if not folder.exists():
                with folder_beside(folder) as beside:
                    shutil.copytree(bundle_folder, beside, dirs_exist_ok=True, symlinks=True)
                    Bundle.open(beside).close()
            else:
                Bundle.open(folder).close()
            self._point_to(version)
        return version

    def roll_back(self) -> str:
        """Make the version that was current before this one current again.

        Raises:
            StoreError: there is none.
            BundleError: it is damaged; the current version stays as it was.
        """
        with self._lock():
            pointer = self.pointer()
            before = (
                next((version for version in pointer.previous if self.folder(version).exists()), None)
                if pointer
                else None
            )
            if pointer is None or before is None:
                raise StoreError(f"{self.root}: there is no earlier version to roll back to")
            Bundle.open(self.folder(before)).close()
            earlier = pointer.previous[pointer.previous.index(before) + 1 :]
            self._write(before, earlier)
        return before

    def _point_to(self, version: str) -> None:
        try:
            pointer = self.pointer()
        except StoreError:
            pointer = None  # a broken pointer is what publishing again repairs
        history = (pointer.model_version, *pointer.previous) if pointer else ()
        self._write(version, tuple(earlier for earlier in history if earlier != version)[:MAX_HISTORY])

    def _write(self, version: str, previous: tuple[str, ...]) -> None:
        pointer = Pointer(
            model_version=version,
            manifest_sha256=sha256(self.folder(version) / MANIFEST_FILE),
            published_at=datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            previous=previous,
        )
        replace_text(self.root / POINTER_FILE, dump_json(to_json(pointer)))

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One publisher at a time; the lock goes with the process that holds it."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
