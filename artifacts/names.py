"""An operator's own names for concepts and dimension ends: one TOML file, keyed by the ids that stay the same over retrainings.

    [concepts]
    c0 = "Mugs"

    [dimensions]
    c0d19 = { low = "round", high = "edged" }    # either end may be left out; "" takes a name away

A bundle never changes: names go into a copy of it, which has a version of its own.
"""

import json
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from macrid.artifacts.concepts import read_concepts, write_concepts
from macrid.artifacts.errors import BundleError
from macrid.artifacts.files import exists, folder_beside
from macrid.artifacts.manifest import check_files, read_manifest, write_manifest
from macrid.artifacts.schema import CONCEPTS_FILE, MANIFEST_FILE, Concept, Dimension, DimensionEnd, Manifest

LONGEST = 200  # characters of a name
CERTAIN = 1.0  # strength of an end that a person has named


@dataclass(frozen=True)
class Names:
    """What a file says: concept id -> label; dimension id -> the ends it names, "low" and "high", "" for none."""

    path: Path
    concepts: Mapping[str, str]
    dimensions: Mapping[str, Mapping[str, str]]


def read_names(path: Path) -> Names:
    """Read a file of names.

    Raises:
        BundleError: it is not such a file; names the entry and what was expected.
        OSError: it cannot be read.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: is not TOML: {error}") from error
    unknown = sorted(raw.keys() - {"concepts", "dimensions"})
    if unknown:
        raise BundleError(f"{path}: has {unknown[0]!r}; expected the tables 'concepts' and 'dimensions'")
    concepts, dimensions = (_table(raw.get(name, {}), f"{path}: {name}") for name in ("concepts", "dimensions"))
    return Names(
        path,
        {key: _name(label, f"{path}: concepts.{key}", least=1) for key, label in concepts.items()},
        {key: _ends(ends, f"{path}: dimensions.{key}") for key, ends in dimensions.items()},
    )


def _table(raw: object, where: str) -> dict[str, object]:
    if not isinstance(raw, dict):
        raise BundleError(f"{where} is {raw!r:.120}, expected a table")
    return raw


def _ends(raw: object, where: str) -> dict[str, str]:
    if not isinstance(raw, dict) or not raw or raw.keys() - {"low", "high"}:
        raise BundleError(f'{where} is {raw!r:.120}, expected {{ low = "…", high = "…" }}')
    return {end: _name(name, f"{where}.{end}", least=0) for end, name in raw.items()}


def _name(raw: object, where: str, *, least: int) -> str:
    if not isinstance(raw, str) or not least <= len(raw) <= LONGEST or raw != raw.strip():
        raise BundleError(
            f"{where} is {raw!r:.120}, expected {least} to {LONGEST} characters of text, no space at either end"
        )
    return raw


def renamed(concepts: Sequence[Concept], names: Names) -> tuple[Concept, ...]:
    """The same concepts, called what the names say. An end that a person named has strength 1; one made nameless leaves it be.

    Raises:
        BundleError: names an id that none of them has.
    """
    known = {concept.id for concept in concepts}, {each.id for concept in concepts for each in concept.dimensions}
    for what, given, ids in zip(("concept", "dimension"), (names.concepts, names.dimensions), known, strict=True):
        unknown = sorted(given.keys() - ids)
        if unknown:
            raise BundleError(
                f"{names.path}: there is no {what} {unknown[0]!r} in this bundle; `macrid names` prints all ids"
            )
    return tuple(
        replace(
            concept,
            label=names.concepts.get(concept.id, concept.label),
            dimensions=tuple(_renamed(each, names.dimensions.get(each.id, {})) for each in concept.dimensions),
        )
        for concept in concepts
    )


def _renamed(dimension: Dimension, ends: Mapping[str, str]) -> Dimension:
    low, high = (_end(getattr(dimension, end), ends.get(end)) for end in ("low", "high"))
    if (low, high) == (dimension.low, dimension.high):
        return dimension
    strength = CERTAIN if low.label or high.label else 0.0
    return replace(dimension, low=low, high=high, strength=strength)


def _end(end: DimensionEnd, name: str | None) -> DimensionEnd:
    return end if name is None else replace(end, label=name or None)


def write_renamed(source: Path, names: Names, folder: Path) -> Manifest:
    """Copy a bundle with other names; everything else in it stays byte for byte.

    Args:
        source: a bundle's folder.
        names: for its concepts and dimensions.
        folder: of the copy; must not exist.

    Returns:
        The copy's manifest.

    Raises:
        BundleError: the source is damaged, an id is unknown, or the folder exists; nothing is left behind.
    """
    if exists(folder):
        raise BundleError(f"{folder}: exists already; a bundle is written once, into a folder of its own")
    manifest = read_manifest(source)
    check_files(source, manifest)
    concepts = renamed(read_concepts(source / CONCEPTS_FILE, manifest.concepts, manifest.dimensions), names)
    with folder_beside(folder) as beside:
        shutil.copytree(source, beside, dirs_exist_ok=True)
        write_concepts(beside / CONCEPTS_FILE, concepts)
        (beside / MANIFEST_FILE).unlink()
        return write_manifest(beside, manifest)


def as_toml(concepts: Sequence[Concept], dimensions: int) -> str:
    """A file of names to edit: all concepts, and of each the dimensions that matter most, as they are called now."""
    lines = ["[concepts]", *(f"{concept.id} = {_quoted(concept.label)}" for concept in concepts), "", "[dimensions]"]
    for concept in concepts:
        lines.append(f"# {_quoted(concept.label)}")
        for each in concept.dimensions[:dimensions]:
            low, high = _quoted(each.low.label), _quoted(each.high.label)
            lines.append(f"{each.id} = {{ low = {low}, high = {high} }}  # {each.importance:.0%} of the ranking")
    return "\n".join(lines) + "\n"


def _quoted(text: str | None) -> str:
    return json.dumps(text or "", ensure_ascii=False).replace("\x7f", "\\u007f")
