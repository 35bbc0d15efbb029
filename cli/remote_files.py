"""Files at an address, through fsspec: a folder, a share, S3 and what else it knows. Used by `macrid.artifacts.remote`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from macrid.artifacts.errors import StoreError

BLOCK_BYTES = 8 * 1024 * 1024  # of a file in memory at once
FLAT = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "adl", "memory"})  # have no folders that must be made first


class FsspecFiles:
    """Files below an address such as s3://bucket/prefix, as `RemoteFiles`. Credentials are the file system's own business."""

    def __init__(self, address: str) -> None:
        """Name the address; nothing is reached yet.

        Raises:
            StoreError: no file system is known for it or installed for it, or it has a password in it.
        """
        if urlsplit(address).password is not None:
            raise StoreError(
                "the address has a password in it, which would stand in logs; give it in the environment or the file "
                "system's own configuration instead"
            )
        self.address = address.rstrip("/")
        try:
            from fsspec.core import url_to_fs

            self._files, self._root = url_to_fs(self.address, use_listings_cache=False)
        except ImportError as error:
            raise StoreError(
                f"{self.address}: cannot be reached without {error.name or error}; run: pip install 'macrid[s3]' for S3"
            ) from error
        except ValueError as error:
            raise StoreError(f"{self.address}: {error}; expected an address such as s3://bucket/prefix") from error

    def blocks(self, name: str) -> Iterator[bytes] | None:
        """Read a file, block by block; None when there is none."""
        with self._reached(name):
            try:
                stream = self._files.open(self._path(name), "rb")
            except FileNotFoundError:
                return None
        return self._blocks(name, stream)

    def _blocks(self, name: str, stream: BinaryIO) -> Iterator[bytes]:
        with stream:
            while True:
                with self._reached(name):
                    block = stream.read(BLOCK_BYTES)
                if not block:
                    return
                yield block

    def put(self, source: Path, name: str) -> None:
        """Write a file as a whole, from one that is here."""
        with self._reached(name):
            self._make_folder(name)
            self._files.put_file(str(source), self._path(name))

    def write(self, data: bytes, name: str) -> None:
        """Write a file as a whole."""
        with self._reached(name):
            self._make_folder(name)
            self._files.pipe_file(self._path(name), data)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _make_folder(self, name: str) -> None:
        protocols = self._files.protocol
        if FLAT.isdisjoint([protocols] if isinstance(protocols, str) else protocols):
            self._files.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    @contextmanager
    def _reached(self, name: str) -> Iterator[None]:
        try:
            yield
        except _errors() as error:
            raise StoreError(f"{self.address}/{name}: cannot be reached: {error or type(error).__name__}") from error


def _errors() -> tuple[type[Exception], ...]:
    """What reaching for a file can raise; botocore's own are no OSErrors: no credentials, no such host."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return (OSError,)
    return (OSError, BotoCoreError, ClientError)
