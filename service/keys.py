"""API keys: made at random, kept as digests, compared in constant time.

A key has 256 random bits, so one round of SHA-256 keeps it as safe as any slow hash would: those are for what people make up.
The file is JSON, one entry a key: its name, its scope, its digest, when it was made. It is read again when it changes, so a
key that is taken out stops working without a restart.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from macrid.service.errors import SettingError

Scope = Literal["use", "admin"]
MARK = "macrid_"  # what secret scanners can look for
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class StoredKey(BaseModel):
    """One key, as the file keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    scope: Scope
    sha256: str
    created_at: str


STORED_KEYS = TypeAdapter(list[StoredKey])


def digest(key: str) -> str:
    """Return what is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def read_keys(path: Path) -> list[StoredKey]:
    """Read a file of keys.

    Raises:
        SettingError: it cannot be read or is not what `macrid key` writes; nothing of its content is repeated.
    """
    try:
        return STORED_KEYS.validate_json(path.read_bytes())
    except OSError as error:
        raise SettingError(
            f"keys_file {path} cannot be read: {error.strerror}; `macrid key create` makes one"
        ) from None
    except ValidationError as error:
        entry = error.errors()[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in entry["loc"])
        raise SettingError(f"keys_file {path} is not as `macrid key` writes it: {place} {entry['msg']}") from None


def usable_keys(path: Path) -> list[StoredKey]:
    """Read a file of keys that is to let somebody in.

    Raises:
        SettingError: see `read_keys`; or it holds none.
    """
    keys = read_keys(path)
    if not keys:
        raise SettingError(f"keys_file {path} holds no key, so nobody could ask; run `macrid key create`")
    return keys


def create_key(path: Path, name: str, scope: Scope) -> str:
    """Make a key and add its digest to a file, which is made if need be, readable by its owner only.

    Returns:
        The key, which is nowhere else.

    Raises:
        SettingError: the name cannot be used or is taken, or the file is none of keys.
    """
    if not NAME.fullmatch(name):
        raise SettingError(f"the key's name is {name!r:.80}, expected at most 64 letters, digits, '.', '_' and '-'")
    keys = read_keys(path) if path.exists() else []
    if any(key.name == name for key in keys):
        raise SettingError(f"{path} has a key {name!r} already; revoke that, or choose another name")
    key = MARK + secrets.token_urlsafe(32)
    made = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    write_keys(path, [*keys, StoredKey(name=name, scope=scope, sha256=digest(key), created_at=made)])
    return key


def revoke_key(path: Path, name: str) -> None:
    """Take a key out of a file.

    Raises:
        SettingError: there is none of this name.
    """
    keys = read_keys(path)
    left = [key for key in keys if key.name != name]
    if len(left) == len(keys):
        raise SettingError(f"{path} has no key {name!r}; it has {', '.join(key.name for key in keys) or 'none'}")
    write_keys(path, left)


def write_keys(path: Path, keys: list[StoredKey]) -> None:
    """Replace a file of keys in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.partial")
    content = json.dumps([key.model_dump() for key in keys], indent=1) + "\n"
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)


class KeyRing:
    """The keys of a file, as it is now."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            SettingError: see `read_keys`.
        """
        self._path = path
        self._stamp = self._stamp_now()
        self._keys = read_keys(path)
        self._log = structlog.get_logger("macrid.service.keys")

    def find(self, key: str) -> StoredKey | None:
        """Return whose key this is. Every key is compared, each in constant time, so the time taken tells nothing."""
        self._refresh()
        sent, found = digest(key), None
        for stored in self._keys:
            if hmac.compare_digest(stored.sha256, sent):
                found = stored
        return found

    def _refresh(self) -> None:
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = read_keys(self._path)
            self._log.info("keys read", names=[key.name for key in self._keys])
        except SettingError as error:
            self._log.error("keys kept as they were", reason=str(error))

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino
