"""What a bundle holds: names, dtypes and symbolic shapes. The specification in prose is README.md beside this file.

Every array a bundle carries is declared once, here; writer, reader and validator all work from this table.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

FORMAT_VERSION = 7  # what is written
READABLE_VERSIONS = (1, 2, 3, 4, 5, 6, 7)
DIGEST_SINCE = 4  # the manifest carries its own SHA-256

MANIFEST_FILE = "manifest.json"
EMBEDDINGS_FILE = "embeddings.safetensors"
CATALOGUE_FILE = "catalogue.sqlite"
CONCEPTS_FILE = "concepts.json"
INDEX_FILE = "index/by_concept.faiss"

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ArraySpec:
    """One array of `embeddings.safetensors`: dtype, and shape in the glossary's letters (M items, K concepts, d dimensions)."""

    dtype: type[np.generic]
    shape: tuple[Literal["M", "K", "d", "1", "2", "64"], ...]  # digits are the number
    meaning: str
    since: int = 1  # the format version that brought it
    optional: bool = False
    derived: bool = False  # follows from the other arrays: `derived.py` makes it


ARRAYS: dict[str, ArraySpec] = {
    "item_embeddings": ArraySpec(np.float32, ("M", "d"), "h_i, the decoder's items; unit rows"),
    "context_embeddings": ArraySpec(np.float32, ("M", "d"), "t_i, the encoder's items"),
    "prototypes": ArraySpec(np.float32, ("K", "d"), "m_k; unit rows"),
    "concept_weights": ArraySpec(
        np.float32, ("M", "K"), "c_{i,k} = softmax_k(<h_i, m_k> / temperature); rows sum to 1"
    ),
    "input_bias": ArraySpec(np.float32, ("d",), "added before the encoder's tanh"),
    "mean_weight": ArraySpec(
        np.float32,
        ("d", "d"),
        "encoder's last layer, the half for the mean: a = tanh(x + input_bias) @ mean_weight + mean_bias",
    ),
    "mean_bias": ArraySpec(np.float32, ("d",), "see mean_weight"),
    "popularity": ArraySpec(np.int64, ("M",), "how many training users have the item"),
    "item_places": ArraySpec(
        np.float32, ("M", "2"), "where the items lie on a map: near ones are alike", since=2, optional=True
    ),
    "landmarks": ArraySpec(
        np.float32,
        ("K", "64", "d"),
        "what stands for the items in the encoder's refinement: means of like items of a concept; not unit",
        since=5,
        optional=True,
    ),
    "landmark_masses": ArraySpec(
        np.float32, ("K", "64"), "sum of c_{i,k} over the items that a landmark stands for", since=5, optional=True
    ),
    "refinement_step": ArraySpec(
        np.float32, ("1",), "how far the refinement goes, as a multiple of temperature", since=5, optional=True
    ),
    "log_partition": ArraySpec(
        np.float64, ("M",), "A_i = log sum_k exp(<h_i, m_k> / temperature)", since=3, derived=True
    ),
    "main_concepts": ArraySpec(
        np.int64, ("M",), "the concept of the largest concept weight; of equal ones the first", since=3, derived=True
    ),
    "items_by_concept": ArraySpec(
        np.int64, ("M",), "item indices by main concept, then by index", since=3, derived=True
    ),
    "items_by_popularity": ArraySpec(
        np.int64, ("M",), "item indices, most popular first; of equal ones the lower first", since=3, derived=True
    ),
}


# A refinement has a step, and landmarks with both of their arrays or none: then every item stands for itself.
REFINEMENT_STEP, LANDMARKS = "refinement_step", ("landmarks", "landmark_masses")


def arrays_of(format_version: int) -> dict[str, ArraySpec]:
    """The arrays that a bundle of a format version may hold."""
    return {name: spec for name, spec in ARRAYS.items() if spec.since <= format_version}


@dataclass(frozen=True)
class DimensionEnd:
    """One end of a dimension within one concept: its name (None when the evidence names nothing) and exemplar items."""

    label: str | None
    exemplars: tuple[str, ...]  # item ids, most telling first


@dataclass(frozen=True)
class Dimension:
    """One coordinate as seen from one concept."""

    id: str  # stable across retrainings, e.g. "c3d17"
    dim: int  # 0-based column of the embeddings
    importance: float  # share of the concept's score variance that this coordinate explains; sums to 1 over a concept
    strength: float  # of the evidence that names the ends, in [0, 1]; 0 when unnamed
    low: DimensionEnd
    high: DimensionEnd


@dataclass(frozen=True)
class Concept:
    """One concept: what to call it, how many items it holds, which items show it best."""

    id: str  # stable across retrainings, e.g. "c3"
    index: int  # 0-based row of the prototypes
    label: str
    size: int  # items whose largest concept weight is this concept's
    exemplars: tuple[str, ...]  # item ids that show it best, most popular first
    dimensions: tuple[Dimension, ...]  # all d of them, most important first


@dataclass(frozen=True)
class FileEntry:
    """What the manifest says of one file."""

    size: int  # in bytes
    sha256: str  # in lower-case hex


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says of a bundle."""

    format_version: int
    model_version: str  # "<name>-<first 12 hex digits of the content's SHA-256>": the same content has the same version
    name: str  # of the data set, e.g. "demo-shop"
    created_at: str  # RFC 3339, UTC
    items: int  # M
    concepts: int  # K
    dimensions: int  # d
    temperature: float  # tau
    fitted_on: Literal["training_users", "all_users"]
    data: dict[str, object] = field(default_factory=dict)  # source, fingerprint, counts, split seed
    training: dict[str, object] = field(default_factory=dict)  # the configuration and the epoch kept
    metrics: dict[str, object] = field(default_factory=dict)  # test metrics, with baselines beside
    index: dict[str, object] = field(default_factory=dict)  # kind, recall@20 and recall@100 against exact
    digest: str = ""  # SHA-256 of the manifest itself with this field empty; "" before format 4
    files: dict[str, FileEntry] = field(default_factory=dict)  # every file but the manifest, by its path in the folder
