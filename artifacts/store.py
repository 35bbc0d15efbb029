"""Versions of a bundle side by side in a folder, the one that is current, and the way back.

store/
  current.json          the pointer: which version is current, the SHA-256 of its manifest, and which were before
  versions/<version>/   bundles
  .lock                 held by whoever publishes or rolls back
"""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.errors import BundleError, StoreError
from macrid.artifacts.files import (
    PARTIAL,
    dump_json,
    exists,
    folder_beside,
    make_folder,
    read_json,
    replace_file,
    sha256,
    sweep,
    sync,
)
from macrid.artifacts.leases import Lease, alone, is_locked, is_open
from macrid.artifacts.manifest import read_manifest
from macrid.artifacts.pointer import POINTER_FILE, Pointer, Published, point_to, read_pointer
from macrid.artifacts.records import to_json
from macrid.artifacts.schema import MANIFEST_FILE, Manifest

VERSIONS_FOLDER = "versions"
LOCK_FILE = ".lock"
RECALL_FLOOR = 0.98  # of an index that is not exact: the least share of the true first 20 and 100 that it must find


@dataclass(frozen=True)
class Garbage:
    """What a collection removed, and what it left although it is old, because it is open somewhere."""

    removed: tuple[str, ...]
    in_use: tuple[str, ...]


class Store:
    """A folder of published versions. Readers need no lock: the pointer is replaced in one step."""

    def __init__(self, root: Path) -> None:
        """Name the folder; it is made when something is published."""
        self.root = root

    def folder(self, version: str) -> Path:
        """Where a version lies, or would."""
        return self.root / VERSIONS_FOLDER / version

    def versions(self) -> list[str]:
        """All versions that are there, the one that came last first."""
        manifests = self.root.glob(f"{VERSIONS_FOLDER}/*/{MANIFEST_FILE}")
        folders = [path.parent for path in manifests if not path.parent.name.startswith(".")]
        folders.sort(key=lambda folder: (-folder.stat().st_mtime_ns, folder.name))
        return [folder.name for folder in folders]

    def pointer(self) -> Pointer | None:
        """What is current; None when nothing has been published.

        Raises:
            StoreError: the pointer is there and broken.
        """
        path = self.root / POINTER_FILE
        if not exists(path):
            return None
        try:
            return read_pointer(read_json(path), str(path))
        except BundleError as error:
            there = ", ".join(self.versions()) or "none"
            raise StoreError(
                f"{error}; publish a version again to replace it (there are, the latest first: {there})"
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
            OSError: the disk cannot be read.
        """
        pointer = self.pointer()
        if pointer is None:
            raise StoreError(
                f"{self.root}: nothing has been published; train with `macrid train … --publish`, or run `macrid demo`"
            )
        return self._open(pointer.model_version, pointer.manifest_sha256)

    def publish(self, bundle_folder: Path, recall_floor: float = RECALL_FLOOR) -> str:
        """Copy a bundle into the store, verify the copy, and make it current; publishing the same again is harmless.

        Args:
            bundle_folder: of the bundle.
            recall_floor: what the recall of its index must reach, where it has one that is not exact.

        Returns:
            The version.

        Raises:
            BundleError: the bundle, or the copy of it that the store has already, is not what its manifest says; the
                current version stays as it was.
            StoreError: the recall of its index is below the floor; or the store's folder cannot be written, or the bundle
                not be copied.
        """
        Bundle.open(bundle_folder).close()
        manifest = read_manifest(bundle_folder)
        check_recall(manifest, recall_floor, str(bundle_folder))
        published = Published(manifest.model_version, sha256(bundle_folder / MANIFEST_FILE))
        return self.take(published, lambda name, target: shutil.copyfile(bundle_folder / name, target))

    def take(self, published: Published, copy: Callable[[str, Path], object]) -> str:
        """Take a version in from wherever its files can be copied from, verify it here, and make it current.

        Args:
            published: the version, and the SHA-256 of its manifest.
            copy: given a name in the bundle and a path, puts that file there.

        Returns:
            The version.

        Raises:
            BundleError, StoreError: as `publish`.
        """
        version, folder = published.model_version, self.folder(published.model_version)
        with self._lock():
            history = self._history()
            if exists(folder):
                self._check_present(version, history)
            else:
                self._take_in(published, copy, folder)
            present = Published(version, sha256(folder / MANIFEST_FILE))
            self._point_to(present, history)
        return version

    def roll_back(self) -> str:
        """Make the version that was current before this one current again.

        Raises:
            StoreError: there is none, or the store's folder cannot be written.
            BundleError: it is damaged; the current version stays as it was.
        """
        with self._lock():
            pointer = self.pointer()
            earlier = [published for published in (pointer.previous if pointer else ()) if self._has(published)]
            if not earlier:
                raise StoreError(f"{self.root}: there is no earlier version to roll back to")
            self._open(earlier[0].model_version, earlier[0].manifest_sha256).close()
            self._point_to(earlier[0], tuple(earlier[1:]))
        return earlier[0].model_version

    def collect_garbage(self, keep: int = 2, *, dry_run: bool = False) -> "Garbage":
        """Remove versions that are neither current, nor among the latest ones before it, nor open in any process.

        Args:
            keep: how many versions to keep for rolling back to, beside the current one.
            dry_run: remove nothing, and say what would be.

        Raises:
            StoreError: the pointer is broken, so nobody knows what is current; or the folder cannot be written.
        """
        with self._lock():
            pointer = self.pointer()
            earlier = [published for published in (pointer.previous if pointer else ()) if self._has(published)]
            kept = {published.model_version for published in earlier[:keep]} | (
                {pointer.model_version} if pointer else set()
            )
            removed: list[str] = []
            in_use: list[str] = []
            for version in self.versions():
                if version not in kept:
                    (removed if self._remove(version, dry_run) else in_use).append(version)
        return Garbage(tuple(removed), tuple(in_use))

    def opened(self) -> list[str]:
        """Versions that some process has open, or that cannot be locked, the one that came last first."""
        return [version for version in self.versions() if is_open(self.folder(version))]

    def leftovers(self) -> list[Path]:
        """What a publishing that broke off has left, or one under way is writing; the next one removes what was left."""
        return [path for folder in (self.root, self.root / VERSIONS_FOLDER) for path in sorted(folder.glob(PARTIAL))]

    def is_being_changed(self) -> bool:
        """Whether somebody publishes, rolls back or removes just now."""
        path = self.root / LOCK_FILE
        return exists(path) and is_locked(path)

    def _remove(self, version: str, dry_run: bool) -> bool:
        """Remove a version unless somebody has it open; at first its name goes, in one step."""
        folder = self.folder(version)
        with alone(folder) as is_free:
            if is_free and not dry_run:
                hidden = folder.with_name(f".{version}.removed.partial")  # swept up later, should this be the end
                folder.rename(hidden)
                sync(folder.parent)
                shutil.rmtree(hidden)
            return is_free

    def _open(self, version: str, manifest_sha256: str | None) -> Bundle:
        """Open and verify a version, whose manifest must be the very one that was published, where that is known."""
        manifest = self.folder(version) / MANIFEST_FILE
        if not manifest.is_file():
            raise BundleError(f"{manifest}: is not there, but {version} is a published version")
        lease = Lease(manifest.parent)
        try:
            self._check_manifest(manifest, version, manifest_sha256)
            return replace(Bundle.open(manifest.parent), lease=lease)
        except BaseException:
            lease.release()
            raise

    def _has(self, published: Published) -> bool:
        return self.folder(published.model_version).is_dir()

    def _history(self) -> tuple[Published, ...]:
        """All that the pointer knows of; nothing when it is broken, which is what publishing again repairs."""
        try:
            pointer = self.pointer()
        except StoreError:
            return ()
        return pointer.history() if pointer else ()

    def _check_present(self, version: str, history: tuple[Published, ...]) -> None:
        """Hold a version that the store has already to what was published; a crash may have left one never pointed to."""
        known = {published.model_version: published.manifest_sha256 for published in history}
        try:
            self._open(version, known.get(version)).close()
        except BundleError as error:
            raise BundleError(
                f"{error}; the store has this version already, damaged: remove {self.folder(version)} and publish again"
            ) from error

    def _take_in(self, published: Published, copy: Callable[[str, Path], object], folder: Path) -> None:
        with folder_beside(folder) as beside:
            copy(MANIFEST_FILE, beside / MANIFEST_FILE)
            self._check_manifest(beside / MANIFEST_FILE, published.model_version, published.manifest_sha256)
            for name in read_manifest(beside).files:
                (beside / name).parent.mkdir(exist_ok=True)
                copy(name, beside / name)
            Bundle.open(beside).close()

    def _check_manifest(self, path: Path, version: str, manifest_sha256: str | None) -> None:
        """Hold a manifest to what was published: the version, and its own SHA-256 where that is known."""
        actual = sha256(path)
        if manifest_sha256 is not None and actual != manifest_sha256:
            raise BundleError(f"{path}: SHA-256 is {actual}, expected {manifest_sha256} as published")
        found = read_manifest(path.parent).model_version
        if found != version:
            raise BundleError(f"{path}: is of the version {found}, expected {version}")

    def _point_to(self, published: Published, previous: tuple[Published, ...]) -> None:
        path = self.root / POINTER_FILE
        replace_file(path, dump_json(to_json(point_to(published, previous)), str(path)))

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One publisher at a time; the lock goes with the process that holds it, and what that one left is swept up."""
        try:
            make_folder(self.root / VERSIONS_FOLDER)
            with (self.root / LOCK_FILE).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                sweep(self.root)
                sweep(self.root / VERSIONS_FOLDER)
                yield
        except OSError as error:
            raise StoreError(f"{self.root}: the store cannot be changed: {error}") from error


def check_recall(manifest: Manifest, floor: float, where: str) -> None:
    """Refuse an index that misses more of the true answers than it may.

    Raises:
        StoreError: names the measure, its value and the floor; or that a measure is missing.
    """
    if not str(manifest.index.get("kind", "")).startswith("ivf"):
        return  # none and flat are exact
    for name in ("recall@20", "recall@100"):
        recall = manifest.index.get(name)
        if not isinstance(recall, int | float) or not recall >= floor:
            raise StoreError(
                f"{where}: the {name} of its index is {recall!r}, expected at least {floor}; export it again with more memory "
                "for the index or none at all (--index-memory), or lower the floor (--recall-floor)"
            )
