"""The manifest: what a bundle says of itself, read strictly and compared with the files beside it."""

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from macrid.artifacts import schema
from macrid.artifacts.errors import BundleError
from macrid.artifacts.files import dump_json, parse_json, read_json, sha256
from macrid.artifacts.records import from_json, to_json
from macrid.artifacts.schema import FileEntry, Manifest

REQUIRED_FILES = (schema.EMBEDDINGS_FILE, schema.CATALOGUE_FILE, schema.CONCEPTS_FILE)
OPTIONAL_FILES = (schema.INDEX_FILE,)

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_VERSION = _NAME + r"-[0-9a-f]{12}"


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a bundle's folder.

    Raises:
        BundleError: it is absent, broken, of another format version, or does not fit itself.
    """
    path = folder / schema.MANIFEST_FILE
    raw = read_json(path)
    if isinstance(raw, dict) and raw.get("format_version") in schema.READABLE_VERSIONS[: schema.DIGEST_SINCE - 1]:
        if "digest" in raw:
            raise BundleError(f"{path}: has a digest, which format {raw['format_version']} does not have")
        raw = {**raw, "digest": ""}
    manifest = _checked(raw, str(path))
    if manifest.format_version >= schema.DIGEST_SINCE:
        _check_digest(path, manifest)
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Complete a manifest with the folder's files, when it was made and the model version, and write it there.

    Returns:
        The manifest, equal to what a reader will read.

    Raises:
        BundleError: it cannot be written as JSON, or would be refused by a reader.
    """
    path = folder / schema.MANIFEST_FILE
    made = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    draft = dataclasses.replace(manifest, created_at=made, model_version="", files=_describe_files(folder))
    # Through JSON and back, so that the version is that of what will be read: tuples are lists then, and keys are text.
    complete = from_json(Manifest, parse_json(dump_json(_plain(draft, str(path)), str(path)), str(path)), str(path))
    complete = dataclasses.replace(complete, model_version=content_version(complete, str(path)))
    complete = dataclasses.replace(complete, digest=own_digest(complete, str(path)))
    path.write_bytes(dump_json(to_json(complete), str(path)))
    return complete


def content_version(manifest: Manifest, where: str) -> str:
    """The version that a manifest's content has: its name and a hash over all but where the data lay and when it was made.

    Raises:
        BundleError: names `where`, when it cannot be written as JSON.
    """
    content = {**_plain(manifest, where), "model_version": "", "created_at": "", "data": {}}
    del content["digest"]
    digest = hashlib.sha256(dump_json(content, where)).hexdigest()
    return f"{manifest.name}-{digest[:12]}"


def own_digest(manifest: Manifest, where: str) -> str:
    """SHA-256 of the manifest as it is written, its own digest left empty: it covers also what the version does not."""
    return hashlib.sha256(dump_json({**_plain(manifest, where), "digest": ""}, where)).hexdigest()


def _check_digest(path: Path, manifest: Manifest) -> None:
    """Hold a manifest to its digest, and its bytes to the one way in which it is written."""
    expected = own_digest(manifest, str(path))
    if manifest.digest != expected:
        raise BundleError(f"{path}: digest is {manifest.digest!r:.80}, expected {expected}")
    if path.read_bytes() != dump_json(_plain(manifest, str(path)), str(path)):
        raise BundleError(
            f"{path}: is not written as manifests are: keys in order, an indent of one, a newline at the end"
        )


def check_name(name: str, where: str) -> None:
    """Refuse a name that could not stand in a version, which is the name of a folder.

    Raises:
        BundleError: it is not of letters, digits, '.', '_' and '-', beginning with a letter or digit.
    """
    if not re.fullmatch(_NAME, name):
        raise BundleError(
            f"{where}: the name {name!r:.120} cannot be used; expected at most 100 letters, digits, '.', '_' and '-', "
            "a letter or digit first"
        )


def check_version(version: str, where: str) -> None:
    """Refuse what cannot be a model version, and could lead out of the store's folder.

    Raises:
        BundleError: it is not a name, '-' and twelve hex digits.
    """
    if not re.fullmatch(_VERSION, version):
        raise BundleError(f"{where}: the model version is {version!r:.120}, expected a name, '-' and 12 hex digits")


def check_files(folder: Path, manifest: Manifest) -> None:
    """Hold a folder to its manifest: these files and no others, with these bytes.

    Raises:
        BundleError: names the first file that is surplus, absent, no plain file, or of another size or SHA-256.
    """
    listed = {schema.MANIFEST_FILE, *manifest.files}
    for path in sorted(folder.rglob("*")):
        # No link anywhere, not even for a folder: what lies elsewhere can change after it was verified.
        if path.is_symlink() or not (path.is_dir() or path.relative_to(folder).as_posix() in listed):
            raise BundleError(f"{path}: is not a plain file that the manifest lists")
    for name, entry in manifest.files.items():
        _check_file(folder / name, entry)


def _check_file(path: Path, entry: FileEntry) -> None:
    if not path.is_file():
        raise BundleError(f"{path}: is listed in the manifest but is not a file here")
    if path.stat().st_size != entry.size:
        raise BundleError(f"{path}: has {path.stat().st_size} bytes, expected {entry.size}")
    actual = sha256(path)
    if actual != entry.sha256:
        raise BundleError(f"{path}: SHA-256 is {actual}, expected {entry.sha256}")


def _checked(raw: object, where: str) -> Manifest:
    version = raw.get("format_version") if isinstance(raw, dict) else None
    if version not in schema.READABLE_VERSIONS or type(version) is not int:
        known = " or ".join(map(str, schema.READABLE_VERSIONS))
        raise BundleError(f"{where}: format_version is {version!r:.80}, expected {known}")
    manifest = from_json(Manifest, raw, where)
    check_name(manifest.name, where)
    for name in ("items", "concepts", "dimensions", "temperature"):
        if not getattr(manifest, name) > 0:
            raise BundleError(f"{where}: {name} is {getattr(manifest, name)}, expected more than 0")
    _check_listed(manifest.files, where)
    expected = content_version(manifest, where)
    if manifest.model_version != expected:
        raise BundleError(f"{where}: model_version is {manifest.model_version!r:.120}, expected {expected!r}")
    return manifest


def _check_listed(files: Mapping[str, FileEntry], where: str) -> None:
    missing = [name for name in REQUIRED_FILES if name not in files]
    unknown = sorted(files.keys() - {*REQUIRED_FILES, *OPTIONAL_FILES})
    if missing:
        raise BundleError(f"{where}: files lacks {', '.join(missing)}")
    if unknown:
        known = ", ".join((*REQUIRED_FILES, *OPTIONAL_FILES))
        raise BundleError(f"{where}: files has {', '.join(map(repr, unknown)):.200}; expected none but {known}")


def _describe_files(folder: Path) -> dict[str, FileEntry]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): FileEntry(path.stat().st_size, sha256(path)) for path in files}


def _plain(manifest: Manifest, where: str) -> dict[str, object]:
    try:
        return to_json(manifest)
    except (TypeError, RecursionError) as error:
        raise BundleError(f"{where}: cannot be written as JSON: {error}") from error
