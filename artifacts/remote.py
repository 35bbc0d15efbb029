"""A store in files that are reached by name only, such as an object storage: versions are pushed to it and pulled from it.

It has the layout of `store.py`, without the locks: files are put there first, read back and compared; the pointer is written
last. Nothing is ever served from there: whoever serves pulls into a store of its own. How files are reached is the business of
`RemoteFiles`. Why so: docs/decisions/0006-versions-by-way-of-an-object-storage.md.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.errors import BundleError, StoreError
from macrid.artifacts.files import dump_json, parse_json, sha256
from macrid.artifacts.manifest import read_manifest
from macrid.artifacts.pointer import POINTER_FILE, Pointer, Published, point_to, read_pointer
from macrid.artifacts.records import to_json
from macrid.artifacts.schema import MANIFEST_FILE, Manifest
from macrid.artifacts.store import RECALL_FLOOR, VERSIONS_FOLDER, Store, check_recall


class RemoteFiles(Protocol):
    """Files by name, below one address. What cannot be reached raises StoreError, with the address."""

    address: str  # for messages; no secret is in it

    def blocks(self, name: str) -> Iterator[bytes] | None:
        """Read a file, block by block; None when there is none."""

    def put(self, source: Path, name: str) -> None:
        """Write a file as a whole, from one that is here."""

    def write(self, data: bytes, name: str) -> None:
        """Write a file as a whole."""


@dataclass(frozen=True)
class RemoteStore:
    """Published versions at an address."""

    files: RemoteFiles

    def pointer(self) -> Pointer | None:
        """What is current there; None when nothing has been pushed.

        Raises:
            StoreError: the pointer is broken, or cannot be reached.
        """
        data = self._read(POINTER_FILE)
        if data is None:
            return None
        where = f"{self.files.address}/{POINTER_FILE}"
        try:
            return read_pointer(parse_json(data, where), where)
        except BundleError as error:
            raise StoreError(f"{error}; push a version again to replace it") from error

    def push(self, bundle_folder: Path, recall_floor: float = RECALL_FLOOR) -> str:
        """Verify a bundle, bring its files there, compare what is there with its checksums, and then make it current.

        Files that are there already are not sent again, so a push that broke off is completed by the next one.

        Returns:
            The version.

        Raises:
            BundleError: the bundle is not what its manifest says.
            StoreError: the recall of its index is below the floor; the address cannot be reached; or what was read back is not
                what was sent. The current version stays as it was.
        """
        Bundle.open(bundle_folder).close()
        manifest = read_manifest(bundle_folder)
        check_recall(manifest, recall_floor, str(bundle_folder))
        version = manifest.model_version
        for name, entry in manifest.files.items():
            self._bring(bundle_folder / name, version, name, entry.sha256)
        stated = self._manifest_there(version)
        if stated is None:
            stated = sha256(bundle_folder / MANIFEST_FILE)
            self._bring(bundle_folder / MANIFEST_FILE, version, MANIFEST_FILE, stated)
        self._point_to(Published(version, stated), self._history())
        return version

    def roll_back(self) -> str:
        """Make the version that was current before this one current again, once its files were compared.

        Raises:
            StoreError: there is none, or it is not as it was published.
        """
        pointer = self.pointer()
        if pointer is None or not pointer.previous:
            raise StoreError(f"{self.files.address}: there is no earlier version to roll back to")
        earlier = pointer.previous[0]
        for name, expected in self._expected(earlier).items():
            self._compare(self._name(earlier.model_version, name), expected)
        self._point_to(earlier, pointer.previous[1:])
        return earlier.model_version

    def pull(self, store: Store) -> str | None:
        """Fetch what is current there into a store on this machine, verify it, and make it current here.

        Returns:
            The version; None when it was current here already.

        Raises:
            StoreError: nothing has been pushed, the address cannot be reached, or the store cannot be written.
            BundleError: what was fetched is not what was pushed; the current version here stays as it was.
        """
        pointer = self.pointer()
        if pointer is None:
            raise StoreError(f"{self.files.address}: nothing has been pushed there; run `macrid push BUNDLE ADDRESS`")
        if store.current() == pointer.model_version:
            return None
        version = pointer.model_version
        published = Published(version, pointer.manifest_sha256)
        store.take(published, lambda name, target: self._fetch(self._name(version, name), target))
        return version

    def _bring(self, source: Path, version: str, name: str, expected: str) -> None:
        there = self._name(version, name)
        if self._sha256(there) != expected:
            self.files.put(source, there)
            self._compare(there, expected)

    def _compare(self, name: str, expected: str) -> None:
        actual = self._sha256(name)
        if actual != expected:
            is_there = "is not there" if actual is None else f"has the SHA-256 {actual} when it is read back"
            raise StoreError(f"{self.files.address}/{name}: {is_there}, expected {expected}")

    def _manifest_there(self, version: str) -> str | None:
        """SHA-256 of the manifest that this version has there; None when it has none that could be of it.

        A version says what is in it, not when it was made, so the manifest there may differ from ours in that, and stays: earlier
        pointers hold its SHA-256.
        """
        data = self._read(self._name(version, MANIFEST_FILE))
        try:
            found = data is not None and self._parsed(data).model_version == version
        except BundleError:
            return None
        return hashlib.sha256(data).hexdigest() if data is not None and found else None

    def _expected(self, published: Published) -> dict[str, str]:
        """SHA-256 of all files of a version, by name."""
        name = self._name(published.model_version, MANIFEST_FILE)
        self._compare(name, published.manifest_sha256)
        try:
            manifest = self._parsed(self._read(name) or b"")
        except BundleError as error:
            raise StoreError(f"{self.files.address}/{name}: {error}") from error
        return {file: entry.sha256 for file, entry in manifest.files.items()}

    def _parsed(self, data: bytes) -> Manifest:
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / MANIFEST_FILE).write_bytes(data)
            return read_manifest(Path(scratch))

    def _history(self) -> tuple[Published, ...]:
        """All that the pointer there knows of; nothing when it is broken, which is what pushing again repairs."""
        try:
            pointer = self.pointer()
        except StoreError:
            return ()
        return pointer.history() if pointer else ()

    def _point_to(self, published: Published, earlier: tuple[Published, ...]) -> None:
        data = dump_json(to_json(point_to(published, earlier)), POINTER_FILE)
        self.files.write(data, POINTER_FILE)
        self._compare(POINTER_FILE, hashlib.sha256(data).hexdigest())

    def _fetch(self, name: str, target: Path) -> None:
        blocks = self.files.blocks(name)
        if blocks is None:
            raise BundleError(f"{self.files.address}/{name}: is not there, but the version was pushed")
        with target.open("wb") as here:
            here.writelines(blocks)

    def _read(self, name: str) -> bytes | None:
        blocks = self.files.blocks(name)
        return None if blocks is None else b"".join(blocks)

    def _sha256(self, name: str) -> str | None:
        blocks = self.files.blocks(name)
        if blocks is None:
            return None
        digest = hashlib.sha256()
        for block in blocks:
            digest.update(block)
        return digest.hexdigest()

    def _name(self, version: str, name: str) -> str:
        return f"{VERSIONS_FOLDER}/{version}/{name}"
