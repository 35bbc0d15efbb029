"""Fetching an archive: with progress, resumed where it was broken off, and compared with its published checksum."""

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from macrid.model.errors import DataError

OnBytes = Callable[[int, int | None], None]


def nothing(received: int, total: int | None) -> None:
    """Progress that nobody looks at."""


def download_zip(
    url: str,
    folder: Path,
    files: Mapping[str, str | None],
    on_bytes: OnBytes = nothing,
    *,
    md5: str | None = None,
) -> None:
    """Fetch an archive, take the named files out of it, verify them, and only then put them into `folder`.

    What has arrived stays beside the folder until the archive is whole, and the next call asks for the rest.

    Args:
        url: of a zip archive.
        folder: made when everything is there.
        files: name -> SHA-256, None where none is known.
        on_bytes: called with the bytes there are and the bytes there will be, None if the server does not say.
        md5: of the archive, as its makers publish it; None where they do not.

    Raises:
        DataError: the address does not answer, or the archive is not what was expected.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    archive = folder.with_name(f".{folder.name}.zip.partial")
    try:
        fetch(url, archive, on_bytes)
    except (httpx.HTTPError, OSError) as error:
        raise DataError(
            f"{url}: could not be downloaded ({error!r}); run the same command again and it goes on where it was, "
            "or if you have the files, name their folder with --from FOLDER"
        ) from error
    try:
        _check_archive(archive, url, md5)
        _unpack(archive, url, folder, files)
    finally:
        _forget(archive)


def fetch(url: str, path: Path, on_bytes: OnBytes = nothing) -> None:
    """Fetch a file, or the rest of it if `path` holds its beginning and the server still has the same file.

    Raises:
        httpx.HTTPError: the address does not answer as it should.
    """
    there = path.stat().st_size if path.is_file() else 0
    mark = _mark(path).read_text() if there and _mark(path).is_file() else ""
    headers = {"Range": f"bytes={there}-", "If-Range": mark} if mark else {}
    headers["Accept-Encoding"] = "identity"  # a range of what is stored, and its length as it is
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=30) as answer:
        if (
            answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE
            and answer.headers.get("Content-Range") == f"bytes */{there}"
        ):
            return  # it was whole already
        answer.raise_for_status()
        rest = answer.status_code == httpx.codes.PARTIAL_CONTENT
        there = there if rest else 0
        _mark(path).write_text(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        length = answer.headers.get("Content-Length")
        total = there + int(length) if length is not None else None
        on_bytes(there, total)
        with path.open("ab" if rest else "wb") as out:
            for chunk in answer.iter_raw():
                out.write(chunk)
                there += len(chunk)
                on_bytes(there, total)
    if total is not None and there != total:
        raise httpx.RemoteProtocolError(f"{there} of {total} bytes arrived")


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


def _mark(path: Path) -> Path:
    """Holds what the server said the beginning in `path` is of: an ETag or a date."""
    return path.with_name(path.name + ".of")


def _forget(archive: Path) -> None:
    for path in (archive, _mark(archive)):
        path.unlink(missing_ok=True)


def _check_archive(archive: Path, url: str, md5: str | None) -> None:
    if md5 is None:
        return
    with archive.open("rb") as stream:
        actual = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if actual != md5:
        raise DataError(f"{url}: its MD5 is {actual}, expected the published {md5}; nothing was kept")


def _unpack(archive: Path, url: str, folder: Path, files: Mapping[str, str | None]) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        beside = Path(name)
        try:
            with zipfile.ZipFile(archive) as opened:
                members = {Path(member).name: member for member in opened.namelist()}
                for wanted in files:
                    with opened.open(members[wanted]) as stream, (beside / wanted).open("wb") as out:
                        shutil.copyfileobj(stream, out)
        except (zipfile.BadZipFile, KeyError) as error:
            raise DataError(
                f"{url}: is not the archive that was expected ({error!r}); if you have the files, "
                "name their folder with --from FOLDER"
            ) from error
        verify(beside, files)
        folder.mkdir(parents=True, exist_ok=True)
        for wanted in files:
            (beside / wanted).replace(folder / wanted)
