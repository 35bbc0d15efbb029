"""A bundle: everything the server needs to serve one trained model, in one folder that is written whole and opened verified."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from macrid.artifacts import schema
from macrid.artifacts.arrays import check_arrays, map_arrays, write_arrays
from macrid.artifacts.catalogue import Catalogue
from macrid.artifacts.concepts import check_exemplars, check_sizes, read_concepts, write_concepts
from macrid.artifacts.derived import derive
from macrid.artifacts.errors import BundleError, CatalogueError
from macrid.artifacts.files import exists, folder_beside
from macrid.artifacts.leases import Lease
from macrid.artifacts.manifest import check_files, check_name, read_manifest, write_manifest
from macrid.artifacts.schema import Concept, Float32Array, Float64Array, Int64Array, Manifest


@dataclass(frozen=True)
class BundleContents:
    """What a writer provides; see `schema.Manifest` for the fields that go there.

    Attributes:
        arrays: those of `schema.ARRAYS` without the derived ones; the optional ones may be absent.
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
    log_partition: Float64Array
    main_concepts: Int64Array
    items_by_concept: Int64Array
    items_by_popularity: Int64Array
    item_places: Float32Array | None = None  # a bundle without has no map
    refinement_step: Float32Array | None = None  # a bundle without has no refinement
    landmarks: Float32Array | None = None  # these two are there together; without, every item stands for itself
    landmark_masses: Float32Array | None = None
    lease: Lease | None = None  # of one that was opened in a store

    @property
    def step(self) -> float | None:
        """How far the refinement goes; None in a bundle without."""
        return None if self.refinement_step is None else float(self.refinement_step[0])

    @property
    def landmarks_and_masses(self) -> tuple[Float32Array, Float32Array] | None:
        """What stands for the items in the refinement; None where every item does for itself."""
        if self.landmarks is None or self.landmark_masses is None:
            return None
        return self.landmarks, self.landmark_masses

    @staticmethod
    def open(folder: Path, *, verify: bool = True) -> "Bundle":
        """Open a bundle's folder.

        Args:
            folder: as `write_bundle` left it.
            verify: compare every file with its checksum and every array with its invariants. Without, files are only
                mapped: fast at any size, for a bundle that this machine has verified before.

        Raises:
            BundleError: anything is not as the format says; the message names the file.
            OSError: the disk cannot be read.
        """
        manifest = read_manifest(folder)
        if verify:
            check_files(folder, manifest)
        embeddings = folder / schema.EMBEDDINGS_FILE
        sizes = {"M": manifest.items, "K": manifest.concepts, "d": manifest.dimensions}
        arrays = map_arrays(embeddings, sizes, manifest.format_version)
        concepts = read_concepts(folder / schema.CONCEPTS_FILE, manifest.concepts, manifest.dimensions)
        if verify:
            check_arrays(arrays, manifest.temperature, str(embeddings))
            check_sizes(folder / schema.CONCEPTS_FILE, concepts, arrays["concept_weights"])
        if manifest.format_version < schema.ARRAYS["log_partition"].since:
            arrays |= derive(arrays, manifest.temperature)
        return Bundle(
            folder=folder,
            manifest=manifest,
            concepts=concepts,
            catalogue=_open_catalogue(folder / schema.CATALOGUE_FILE, manifest.items, concepts if verify else None),
            index_path=folder / schema.INDEX_FILE if schema.INDEX_FILE in manifest.files else None,
            lease=None,
            **arrays,
        )

    def close(self) -> None:
        """Let the catalogue and the lease go; arrays are let go with the last reference to them."""
        self.catalogue.close()
        if self.lease is not None:
            self.lease.release()


def write_bundle(folder: Path, contents: BundleContents) -> Manifest:
    """Write a bundle beside `folder`, sync it, and rename it into place.

    Raises:
        BundleError: the folder exists, or the contents break the format; nothing is left behind.
        OSError: the disk cannot be written; nothing is left behind.
    """
    if exists(folder):
        raise BundleError(f"{folder}: exists already; a bundle is written once, into a folder of its own")
    check_name(contents.name, str(folder))
    sizes = check_arrays(contents.arrays, contents.temperature, str(folder))
    derived = derive(contents.arrays, contents.temperature)
    contents = replace(contents, arrays={**contents.arrays, **derived})
    with folder_beside(folder) as beside:
        _write_files(beside, contents)
        manifest = write_manifest(beside, _draft(contents, sizes))
        Bundle.open(beside).close()  # what cannot be opened is not written
    return manifest


def _write_files(folder: Path, contents: BundleContents) -> None:
    if not contents.catalogue.is_file():
        raise BundleError(f"{contents.catalogue}: the catalogue is not there; expected a file of write_catalogue")
    shutil.copyfile(contents.catalogue, folder / schema.CATALOGUE_FILE)
    write_arrays(folder / schema.EMBEDDINGS_FILE, contents.arrays)
    write_concepts(folder / schema.CONCEPTS_FILE, contents.concepts)
    if contents.index_bytes is not None:
        (folder / schema.INDEX_FILE).parent.mkdir()
        (folder / schema.INDEX_FILE).write_bytes(contents.index_bytes)


def _draft(contents: BundleContents, sizes: dict[str, int]) -> Manifest:
    return Manifest(
        format_version=schema.FORMAT_VERSION,
        model_version="",
        name=contents.name,
        created_at="",
        items=sizes["M"],
        concepts=sizes["K"],
        dimensions=sizes["d"],
        temperature=contents.temperature,
        fitted_on=contents.fitted_on,
        data=contents.data,
        training=contents.training,
        metrics=contents.metrics,
        index=contents.index,
    )


def _open_catalogue(path: Path, items: int, concepts: Sequence[Concept] | None) -> Catalogue:
    """Open it, and hold it to the format and to the concepts' exemplars where concepts are given."""
    try:
        catalogue = Catalogue.open(path)
    except CatalogueError as error:
        raise BundleError(str(error)) from error
    try:
        if len(catalogue) != items:
            raise BundleError(f"{path}: holds {len(catalogue)} items, expected {items}")
        if concepts is not None:
            catalogue.check()
            check_exemplars(path.with_name(schema.CONCEPTS_FILE), concepts, catalogue)
    except (BundleError, CatalogueError) as error:
        catalogue.close()
        raise BundleError(str(error)) from error
    return catalogue
