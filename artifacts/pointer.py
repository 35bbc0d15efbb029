"""The pointer of a store: which version is current, and which were before."""

from dataclasses import dataclass
from datetime import UTC, datetime

from macrid.artifacts.manifest import check_version
from macrid.artifacts.records import from_json

POINTER_FILE = "current.json"
MAX_HISTORY = 50


@dataclass(frozen=True)
class Published:
    """A version, and the SHA-256 that its manifest had when it was published."""

    model_version: str
    manifest_sha256: str


@dataclass(frozen=True)
class Pointer:
    """What `current.json` says: the current version, its manifest's SHA-256, when, and earlier versions, latest first."""

    model_version: str
    manifest_sha256: str
    published_at: str  # RFC 3339, UTC
    previous: tuple[Published, ...]

    def history(self) -> tuple[Published, ...]:
        """The current version and the earlier ones, latest first."""
        return (Published(self.model_version, self.manifest_sha256), *self.previous)


def point_to(published: Published, previous: tuple[Published, ...]) -> Pointer:
    """Make a pointer to a version, as of now."""
    return Pointer(
        model_version=published.model_version,
        manifest_sha256=published.manifest_sha256,
        published_at=datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        previous=tuple(one for one in previous if one.model_version != published.model_version)[:MAX_HISTORY],
    )


def read_pointer(value: object, where: str) -> Pointer:
    """Read a pointer from JSON.

    Raises:
        BundleError: names `where` and what is wrong.
    """
    pointer = from_json(Pointer, value, where)
    for published in pointer.history():
        check_version(published.model_version, where)
    return pointer
