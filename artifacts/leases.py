"""Who has a version open: a shared lock on its manifest, held by every process that serves it, taken alone by whoever removes it.

The kernel lets a lock go with the process that holds it, however that ends, so nothing is ever left to clean up. Locking needs no
right to write, so a store may be mounted read-only.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from macrid.artifacts.errors import BundleError
from macrid.artifacts.schema import MANIFEST_FILE


class Lease:
    """A version that is not removed while this is held."""

    def __init__(self, folder: Path) -> None:
        """Take a lease on a version's folder.

        Raises:
            BundleError: the version has just been removed.
            OSError: its manifest cannot be opened.
        """
        path = folder / MANIFEST_FILE
        self._descriptor: int | None = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with suppress(OSError):  # a share that cannot lock; whoever removes there cannot ask either, and does not
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        if not _is_still(path, self._descriptor):
            self.release()
            raise BundleError(f"{path}: was removed while it was opened")

    def release(self) -> None:
        """Let it go; twice is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Whether nobody else has a version open; while the block lasts nobody can open it either."""
    with locked(folder / MANIFEST_FILE) as free:
        yield free


def is_open(folder: Path) -> bool:
    """Whether anybody has a version open, or nobody can tell: on a share that cannot lock."""
    return is_locked(folder / MANIFEST_FILE)


def is_locked(path: Path) -> bool:
    """Whether somebody holds a lock on a file, or it cannot be locked."""
    with locked(path) as free:
        return not free


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Lock a file for the block, if nobody holds a lock on it; yields whether it is."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        there, held = path.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)
