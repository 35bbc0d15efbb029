"""Durable files: written beside, synced, then renamed, so that a crash leaves the old state or the new one, never a half.

An OSError that passes through says that the disk could not be read or written, which is no verdict on a bundle.
"""

import glob
import hashlib
import json
import math
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from macrid.artifacts.errors import BundleError
from macrid.artifacts.leases import is_locked, locked

MAX_JSON_BYTES = 256 * 1024 * 1024
PARTIAL = ".*.partial"  # what a crash can leave behind, as a pattern
ABANDONED_AFTER = 60.0  # seconds; a writer's folder has no lock for a moment after it was made

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


def sync(path: Path) -> None:
    """Flush a file or a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # by itself it names nothing
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flush every file and folder below, deepest first."""
    for path in sorted(folder.rglob("*"), key=lambda path: -len(path.parts)):
        sync(path)
    sync(folder)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each one's entry flushed."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def exists(path: Path) -> bool:
    """Whether anything has this name, a link to nowhere included."""
    return os.path.lexists(path)


@contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """A new hidden folder next to `folder`, renamed to it when the block ends well and removed when it does not.

    Raises:
        BundleError, OSError: as the block raised it, with the name that the folder would have had.
    """
    make_folder(folder.parent)
    sweep_abandoned(folder)
    beside = _beside(folder)
    beside.mkdir()
    try:
        with locked(beside):
            yield beside
            sync_tree(beside)
            _take_the_name(beside, folder)
        sync(folder.parent)
    except BundleError as error:
        raise BundleError(str(error).replace(str(beside), str(folder))) from error
    except OSError as error:  # a full disk says neither what it was asked to write, nor under the name that people know
        raise OSError(error.errno, f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _take_the_name(beside: Path, folder: Path) -> None:
    """Rename, and tell a writer who was faster from a disk that fails."""
    try:
        beside.rename(folder)
    except OSError as error:
        if exists(folder):
            raise BundleError(f"{folder}: exists already; another writer was faster") from error
        raise


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` into a file in one step: readers see what was there before, or all of it."""
    with file_beside(path) as beside:
        beside.write_bytes(data)


@contextmanager
def file_beside(path: Path) -> Iterator[Path]:
    """A name next to `path` for a file that the block writes; synced and renamed to `path` when it ends well, else removed."""
    beside = _beside(path)
    try:
        yield beside
        sync(beside)
        beside.replace(path)
        sync(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")


def sweep(folder: Path) -> None:
    """Remove what writers who crashed have left in a folder; only for one who knows that no writer is at work there."""
    for leftover in folder.glob(PARTIAL):
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def sweep_abandoned(folder: Path) -> None:
    """Remove what killed writers of a folder have left beside it: hidden folders made for its name that nobody has locked."""
    for leftover in folder.parent.glob(f".{glob.escape(folder.name)}.{'[0-9a-f]' * 8}.partial"):
        with suppress(OSError):  # another sweeper was faster
            if time.time() - leftover.stat().st_mtime > ABANDONED_AFTER and not is_locked(leftover):
                shutil.rmtree(leftover)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def dump_json(value: object, where: str) -> bytes:
    """JSON as bundles hold it: UTF-8, keys in order, no NaN, readable.

    Raises:
        BundleError: it holds something that JSON cannot say.
    """
    try:
        return (json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True) + "\n").encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"{where}: cannot be written as JSON: {error}") from error


def read_json(path: Path) -> object:
    """Read a JSON file of a bundle.

    Raises:
        BundleError: it is absent, no plain file, too large, not UTF-8, or not strict JSON.
    """
    if not path.is_file():
        raise BundleError(f"{path}: is not there, or is no file")
    if path.stat().st_size > MAX_JSON_BYTES:
        raise BundleError(f"{path}: has {path.stat().st_size} bytes; expected at most {MAX_JSON_BYTES}")
    return parse_json(path.read_bytes(), str(path))


def parse_json(data: bytes, where: str) -> object:
    """Parse strict JSON: UTF-8, no name twice, every number finite, every character one that UTF-8 can hold.

    Raises:
        BundleError: it is not that.
    """
    try:
        text = data.decode("utf-8")
        value: object = json.loads(
            text, parse_constant=_refuse_number, parse_float=_finite, object_pairs_hook=_without_repeats
        )
        if _SURROGATE_ESCAPE.search(data):  # a pair of these escapes is a character, a lone one could never be answered
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: cannot be read as JSON: {error}") from error
    return value


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object, whose names must be distinct: readers disagree on which of two to take."""
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {name!r:.80} stands twice in one object")
        found[name] = value
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse_number(digits)


def _refuse_number(digits: str) -> NoReturn:
    raise ValueError(f"{digits:.40} is not a number that can be held")
