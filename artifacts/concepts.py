"""`concepts.json`: what every concept and dimension is called and looks like; read strictly, and held to the items."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from macrid.artifacts import schema
from macrid.artifacts.catalogue import Catalogue
from macrid.artifacts.errors import BundleError
from macrid.artifacts.files import dump_json, read_json
from macrid.artifacts.records import from_json, to_json
from macrid.artifacts.schema import Concept, Dimension, Float32Array

TOLERANCE = 1e-3  # of a concept's importances, which sum to 1


def write_concepts(path: Path, concepts: Sequence[Concept]) -> None:
    """Write concepts in their order.

    Raises:
        BundleError: they hold something that JSON cannot say.
    """
    path.write_bytes(dump_json({"concepts": [to_json(concept) for concept in concepts]}, str(path)))


def read_concepts(path: Path, concepts: int, dimensions: int) -> tuple[Concept, ...]:
    """Read K concepts of d dimensions each.

    Raises:
        BundleError: names the concept and what is not as `schema` says.
    """
    raw = read_json(path)
    if not isinstance(raw, dict) or raw.keys() != {"concepts"} or not isinstance(raw["concepts"], list):
        raise BundleError(f"{path}: expected an object with the one list 'concepts'")
    found = tuple(from_json(Concept, entry, f"{path}: concept {at}") for at, entry in enumerate(raw["concepts"]))
    numbers = [concept.index for concept in found]
    if numbers != list(range(concepts)):
        raise BundleError(f"{path}: concepts are numbered {numbers!s:.80}, expected 0 to {concepts - 1}")
    for concept in found:
        _check_dimensions(concept.dimensions, dimensions, f"{path}: concept {concept.index}")
    _check_distinct(f"{path}: two concepts", [concept.id for concept in found])
    _check_distinct(f"{path}: two dimensions", [dimension.id for concept in found for dimension in concept.dimensions])
    return found


def _check_dimensions(found: Sequence[Dimension], dimensions: int, what: str) -> None:
    if sorted(dimension.dim for dimension in found) != list(range(dimensions)):
        raise BundleError(f"{what} does not list dimensions 0 to {dimensions - 1} once each")
    for dimension in found:
        for name, share in (("importance", dimension.importance), ("strength", dimension.strength)):
            if not 0 <= share <= 1:
                raise BundleError(f"{what}, dimension {dimension.dim}: {name} is {share}, expected 0 to 1")
    shares = [dimension.importance for dimension in found]
    if not math.isclose(sum(shares), 1, abs_tol=TOLERANCE):
        raise BundleError(f"{what}: importances sum to {sum(shares):.6g}, expected 1")
    if shares != sorted(shares, reverse=True):
        raise BundleError(f"{what} does not list the most important dimension first: importances are {shares!s:.80}")


def _check_distinct(what: str, ids: Sequence[str]) -> None:
    if len(set(ids)) != len(ids):
        raise BundleError(f"{what} have the same id; they are {ids!s:.200}")


def check_sizes(path: Path, concepts: Sequence[Concept], weights: Float32Array) -> None:
    """Hold the sizes of concepts to the items.

    Args:
        path: of the concepts, for messages.
        concepts: K of them.
        weights: (M, K) concept weights.

    Raises:
        BundleError: names the concept, its size and what was expected.
    """
    sizes = np.bincount(weights.argmax(axis=1), minlength=len(concepts))
    for concept, size in zip(concepts, sizes, strict=True):
        if concept.size != size:
            raise BundleError(f"{path}: concept {concept.index}: size is {concept.size}, expected {size}")


def check_exemplars(path: Path, concepts: Sequence[Concept], catalogue: Catalogue) -> None:
    """Hold the exemplars of concepts, and of the ends of their dimensions, to the items there are.

    Raises:
        BundleError: names one that is no item.
    """
    ends = [end for concept in concepts for dimension in concept.dimensions for end in (dimension.low, dimension.high)]
    lists = [part.exemplars for part in concepts] + [end.exemplars for end in ends]
    named = dict.fromkeys(item_id for exemplars in lists for item_id in exemplars)
    known = catalogue.indices(list(named))
    strangers = [item_id for item_id in named if item_id not in known]
    if strangers:
        raise BundleError(f"{path}: {strangers[0]!r:.80} is an exemplar, but no item of {schema.CATALOGUE_FILE}")
