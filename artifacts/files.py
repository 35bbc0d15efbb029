"""Durable files: written beside, synced, then renamed, so that a crash leaves the old state or the new one, never a half."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from macrid.artifacts.errors import BundleError

MAX_JSON_BYTES = 256 * 1024 * 1024


def sync(path: Path) -> None:
    """Flush a file or a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flush every file and folder below, deepest first."""
    for path in sorted(folder.rglob("*"), key=lambda path: -len(path.parts)):
        sync(path)
    sync(folder)


@contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """A new hidden folder next to `folder`, renamed to it when the block ends well and removed when it does not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}.partial"
    beside.mkdir()
    try:
        yield beside
        sync_tree(beside)
        beside.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def replace_text(path: Path, text: str) -> None:
    """Put `text` into a file in one step: readers see what was there before, or all of it."""
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        beside.write_text(text, encoding="utf-8")
        sync(beside)
        beside.replace(path)
        sync(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def dump_json(value: object) -> str:
    """JSON as bundles hold it: keys in order, no NaN, readable."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True) + "\n"


def parse_json(path: Path) -> object:
    """Read a JSON file of a bundle.

    Raises:
        BundleError: it is absent, too large, not UTF-8, or not strict JSON.
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise BundleError(f"{path}: has {path.stat().st_size} bytes; expected at most {MAX_JSON_BYTES}")
        value: object = json.loads(path.read_bytes().decode("utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: cannot be read as JSON: {error}") from error
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
