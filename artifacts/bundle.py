"""A bundle: everything the server needs to serve one trained model, in one folder that is written whole and opened verified."""

import dataclasses
import hashlib
import re
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from macrid.artifacts import schema
from macrid.artifacts.arrays import check_arrays, check_declared, map_arrays, write_arrays
from macrid.artifacts.catalogue import Catalogue
from macrid.artifacts.errors import BundleError, CatalogueError
from macrid.artifacts.files import dump_json, folder_beside, parse_json, sha256
from macrid.artifacts.records import from_json, to_json
from macrid.artifacts.schema import Concept, Float32Array, Int64Array, Manifest

REQUIRED_FILES = (schema.EMBEDDINGS_FILE, schema.CATALOGUE_FILE, schema.CONCEPTS_FILE)


@dataclass(frozen=True)
class BundleContents:
    """What a writer provides; see `schema.Manifest` for the fields that go there.

    Attributes:
        arrays: exactly those of `schema.ARRAYS`.
        catalogue: a finished catalogue file, which is copied.
        index_bytes: a serialized FAISS index over the items by concept, or None.
    """

    name: str
    temperature: float
    arrays: dict[str, np.ndarray]
    catalogue: Path
    concepts: tuple[Concept, ...]
    fitted_on: Literal["training_users", "all_users"] = "training_users"
    data: dict[str, object] = field(default_factory=dict)
    training: dict[str, object] = field(default_factory=dict)
    metrics: dict[str, object] = field(default_factory=dict)
    index: dict[str, object] = field(default_factory=dict)
    index_bytes: bytes | None = None


@dataclass(frozen=True, eq=False)
class Bundle:
    """An opened bundle. Arrays are read-only views of the file (shapes in `schema.ARRAYS`); nothing in it ever changes."""

    folder: Path
    manifest: Manifest
    concepts: tuple[Concept, ...]
    catalogue: Catalogue
    index_path: Path | None
    item_embeddings: Float32Array
    context_embeddings: Float32Array
    prototypes: Float32Array
    concept_weights: Float32Array
    input_bias: Float32Array
    mean_weight: Float32Array
    mean_bias: Float32Array
    popularity: Int64Array

    @staticmethod
    def open(folder: Path, *, verify: bool = True) -> "Bundle":
        """Open a bundle's folder.

        Args:
            folder: as `write_bundle` left it.
            verify: compare every file with its checksum and every array with its invariants. Without, files are only
                mapped: fast at any size, for a bundle that this machine has verified before.

        Raises:
            BundleError: anything is not as the format says; the message names the file.
        """
        manifest = read_manifest(folder)
        if verify:
            _check_files(folder, manifest)
        sizes = {"M": manifest.items, "K": manifest.concepts, "d": manifest.dimensions}
        arrays = map_arrays(folder / schema.EMBEDDINGS_FILE, sizes)
        concepts = _read_concepts(folder / schema.CONCEPTS_FILE, manifest)
        if verify:
            check_arrays(arrays, manifest.temperature, str(folder / schema.EMBEDDINGS_FILE))
        index = folder / schema.INDEX_FILE
        return Bundle(
            folder=folder,
            manifest=manifest,
            concepts=concepts,
            catalogue=_open_catalogue(folder / schema.CATALOGUE_FILE, manifest.items, verify),
            index_path=index if schema.INDEX_FILE in manifest.files else None,
            **arrays,
        )

    def close(self) -> None:
        """Let the catalogue go; arrays are let go with the last reference to them."""
        self.catalogue.close()


def write_bundle(folder: Path, contents: BundleContents) -> Manifest:
    """Write a bundle beside `folder`, sync it, and rename it into place.

    Raises:
        BundleError: the folder exists, or the contents break the format; nothing is left behind.
    """
    if folder.exists():
        raise BundleError(f"{folder}: exists already; a bundle is written once, into a folder of its own")
    check_name(contents.name, str(folder))
    sizes = check_declared(contents.arrays, str(folder))
    check_arrays(contents.arrays, contents.temperature, str(folder))
    with folder_beside(folder) as beside:
        write_arrays(beside / schema.EMBEDDINGS_FILE, contents.arrays)
        shutil.copyfile(contents.catalogue, beside / schema.CATALOGUE_FILE)
        concepts = {"concepts": [to_json(concept) for concept in contents.concepts]}
        (beside / schema.CONCEPTS_FILE).write_text(dump_json(concepts), encoding="utf-8")
        if contents.index_bytes is not None:
            (beside / schema.INDEX_FILE).parent.mkdir()
            (beside / schema.INDEX_FILE).write_bytes(contents.index_bytes)
        manifest = _manifest(beside, contents, sizes)
        (beside / schema.MANIFEST_FILE).write_text(dump_json(to_json(manifest)), encoding="utf-8")
        Bundle.open(beside).close()  # what cannot be opened is not written
    return manifest


def _manifest(folder: Path, contents: BundleContents, sizes: dict[str, int]) -> Manifest:
    files: dict[str, dict[str, object]] = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = Manifest(
        format_version=schema.FORMAT_VERSION,
        model_version="",
        name=contents.name,
        created_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        items=sizes["M"],
        concepts=sizes["K"],
        dimensions=sizes["d"],
        temperature=contents.temperature,
        fitted_on=contents.fitted_on,
        data=contents.data,
        training=contents.training,
        metrics=contents.metrics,
        index=contents.index,
        files=files,
    )
    return dataclasses.replace(manifest, model_version=content_version(manifest))


def content_version(manifest: Manifest) -> str:
    """The version that a manifest's content has: its name and a hash over all but where the data lay and when it was made."""
    content = {**to_json(manifest), "model_version": "", "created_at": "", "data": {}}
    digest = hashlib.sha256(dump_json(content).encode()).hexdigest()
    return f"{manifest.name}-{digest[:12]}"


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a bundle's folder.

    Raises:
        BundleError: it is absent, broken, of another format version, or does not fit itself.
    """
    path = folder / schema.MANIFEST_FILE
    raw = parse_json(path)
    version = raw.get("format_version") if isinstance(raw, dict) else None
    if version != schema.FORMAT_VERSION or type(version) is not int:
        raise BundleError(f"{path}: format_version is {version!r}, expected {schema.FORMAT_VERSION}")
    manifest = from_json(Manifest, raw, str(path))
    if min(manifest.items, manifest.concepts, manifest.dimensions) < 1 or not manifest.temperature > 0:
        raise BundleError(f"{path}: items, concepts, dimensions and temperature must be positive")
    check_name(manifest.name, str(path))
    if not set(REQUIRED_FILES) <= manifest.files.keys() <= {*REQUIRED_FILES, schema.INDEX_FILE}:
        raise BundleError(f"{path}: lists {', '.join(sorted(manifest.files))}; expected {', '.join(REQUIRED_FILES)}")
    if content_version(manifest) != manifest.model_version:
        raise BundleError(
            f"{path}: model_version is {manifest.model_version!r}, expected {content_version(manifest)!r}"
        )
    return manifest


def check_name(name: str, where: str) -> None:
    """Refuse a name that could not stand in a version, which is the name of a folder.

    Raises:
        BundleError: it is not of letters, digits, '.', '_' and '-', beginning with a letter or digit.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise BundleError(f"{where}: the name {name!r:.120} cannot be used; expected letters, digits, '.', '_' and '-'")


def _check_files(folder: Path, manifest: Manifest) -> None:
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    for surplus in sorted(present - manifest.files.keys() - {schema.MANIFEST_FILE}):
        raise BundleError(f"{folder / surplus}: is not listed in the manifest")
    for name, entry in manifest.files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise BundleError(f"{path}: is listed in the manifest but is not a plain file here")
        if path.stat().st_size != entry.get("size"):
            raise BundleError(f"{path}: has {path.stat().st_size} bytes, expected {entry.get('size')}")
        actual = sha256(path)
        if actual != entry.get("sha256"):
            raise BundleError(f"{path}: SHA-256 is {actual}, expected {entry.get('sha256')}")


def _read_concepts(path: Path, manifest: Manifest) -> tuple[Concept, ...]:
    raw = parse_json(path)
    if not isinstance(raw, dict) or raw.keys() != {"concepts"} or not isinstance(raw["concepts"], list):
        raise BundleError(f"{path}: expected an object with the one list 'concepts'")
    concepts = tuple(from_json(Concept, entry, f"{path}: concept {at}") for at, entry in enumerate(raw["concepts"]))
    if [concept.index for concept in concepts] != list(range(manifest.concepts)):
        raise BundleError(
            f"{path}: concepts are numbered {[c.index for c in concepts]}, expected 0 to {manifest.concepts - 1}"
        )
    for concept in concepts:
        if sorted(dimension.dim for dimension in concept.dimensions) != list(range(manifest.dimensions)):
            raise BundleError(
                f"{path}: concept {concept.index} does not list dimensions 0 to {manifest.dimensions - 1} once each"
            )
    if len({concept.id for concept in concepts}) != len(concepts):
        raise BundleError(f"{path}: two concepts have the same id")
    return concepts


def _open_catalogue(path: Path, items: int, verify: bool) -> Catalogue:
    try:
        catalogue = Catalogue.open(path)
    except CatalogueError as error:
        raise BundleError(str(error)) from error
    try:
        if len(catalogue) != items:
            raise BundleError(f"{path}: holds {len(catalogue)} items, expected {items}")
        if verify:
            catalogue.check()
    except CatalogueError as error:
        catalogue.close()
        raise BundleError(str(error)) from error
    except BundleError:
        catalogue.close()
        raise
    return catalogue
