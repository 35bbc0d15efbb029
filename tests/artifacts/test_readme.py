"""The specification names everything that the code declares."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from macrid.artifacts import catalogue_rules, files, schema
from macrid.artifacts.arrays import MAX_HEADER_BYTES, TOLERANCE
from macrid.artifacts.catalogue_tables import APPLICATION_ID, statements
from macrid.artifacts.pointer import MAX_HISTORY, POINTER_FILE, Pointer
from macrid.artifacts.store import LOCK_FILE, VERSIONS_FOLDER

SPECIFICATION = (Path(__file__).parents[2] / "artifacts" / "README.md").read_text(encoding="utf-8")


def section(title):
    """The part of the specification under one heading."""
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", SPECIFICATION, re.M | re.S)[1]


def described(text):
    """The names in the first column of a section's tables."""
    cells = re.findall(r"^\| (`.*?) \|", text, re.M)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)} - {"current.json"}


def fields(record):
    return {field.name for field in dataclasses.fields(record)}


def test_it_is_of_the_format_version_that_is_written():
    assert SPECIFICATION.startswith(f"# The bundle: format {schema.FORMAT_VERSION}\n")


def test_it_lists_the_files_that_a_bundle_has_and_no_others():
    assert described(section("Files")) == {
        schema.MANIFEST_FILE,
        schema.EMBEDDINGS_FILE,
        schema.CATALOGUE_FILE,
        schema.CONCEPTS_FILE,
        schema.INDEX_FILE,
    }


def test_it_lists_the_arrays_and_no_others():
    assert described(section(f"`{schema.EMBEDDINGS_FILE}`")) == schema.ARRAYS.keys()


@pytest.mark.parametrize("name", schema.ARRAYS)
def test_it_gives_dtype_and_shape_of_every_array(name):
    spec = schema.ARRAYS[name]
    shape = f"({spec.shape[0]},)" if len(spec.shape) == 1 else f"({', '.join(spec.shape)})"
    assert f"| `{name}` | {np.dtype(spec.dtype)} | {shape} | " in SPECIFICATION


def test_it_lists_the_fields_of_the_manifest_and_no_others():
    assert described(section(f"`{schema.MANIFEST_FILE}`")) == fields(schema.Manifest)
    assert '`{"size": bytes, "sha256": lower-case hex}`' in SPECIFICATION
    assert fields(schema.FileEntry) == {"size", "sha256"}


def test_it_lists_the_fields_of_concepts_and_dimensions_and_no_others():
    text = section(f"`{schema.CONCEPTS_FILE}`")
    assert described(text) == fields(schema.Concept) | fields(schema.Dimension)
    assert all(f"`{name}` (" in text for name in fields(schema.DimensionEnd))


def test_it_lists_the_fields_of_the_pointer_and_no_others():
    text = section("The store")
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.M)) == fields(Pointer)
    assert all(name in text for name in (POINTER_FILE, f"{VERSIONS_FOLDER}/<model_version>/", LOCK_FILE))
    assert f"at most {MAX_HISTORY} " in text


@pytest.mark.parametrize("statement", statements(()).values())
def test_it_repeats_the_tables_of_the_catalogue(statement):
    assert f"    {statement}\n" in SPECIFICATION


def test_it_gives_the_numbers_that_the_code_has():
    assert f"{APPLICATION_ID:#x}" in SPECIFICATION
    assert f"{MAX_HEADER_BYTES:,} bytes" in SPECIFICATION
    assert f"to {TOLERANCE}" in SPECIFICATION
    assert f"1 to {catalogue_rules.MAX_ID_LENGTH} characters" in SPECIFICATION
    assert f"at most {catalogue_rules.MAX_COLUMNS:,}:" in SPECIFICATION
    assert f"at most {files.MAX_JSON_BYTES // 2**20} MiB" in SPECIFICATION
