"""An operator's names: read strictly, applied by id, written into a copy that differs in nothing else."""

import dataclasses
import tomllib

import pytest

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.errors import BundleError
from macrid.artifacts.names import as_toml, read_names, renamed, write_renamed
from macrid.artifacts.schema import CONCEPTS_FILE, MANIFEST_FILE


@pytest.fixture
def write(tmp_path):
    """A function that writes a file of names and reads it."""

    def written(text):
        path = tmp_path / "names.toml"
        path.write_text(text, encoding="utf-8")
        return read_names(path)

    return written


@pytest.fixture
def concepts(pristine):
    """Of the pristine bundle."""
    return Bundle.open(pristine).concepts


def test_names_go_to_the_ids_and_the_rest_stays(write, concepts):
    first, second = concepts[0], concepts[1].dimensions[2]
    found = renamed(
        concepts, write(f'[concepts]\n{first.id} = "Möbel"\n[dimensions]\n{second.id} = {{ high = "rund" }}\n')
    )
    assert found[0].label == "Möbel"
    assert found[1].label == concepts[1].label
    dimension = found[1].dimensions[2]
    assert (dimension.low, dimension.high.label) == (second.low, "rund")
    assert dimension.high.exemplars == second.high.exemplars
    assert dimension.strength == 1
    assert found[0].dimensions == concepts[0].dimensions


def test_an_empty_name_takes_a_name_away(write, concepts):
    dimension = concepts[0].dimensions[0]
    found = renamed(concepts, write(f'[dimensions]\n{dimension.id} = {{ low = "", high = "" }}\n'))[0].dimensions[0]
    assert (found.low.label, found.high.label, found.strength) == (None, None, 0)


def test_what_is_printed_is_read_and_changes_nothing(write, concepts):
    text = as_toml(concepts, dimensions=4)
    assert set(tomllib.loads(text)["dimensions"]) == {each.id for concept in concepts for each in concept.dimensions}
    assert renamed(concepts, write(text)) == concepts


@pytest.mark.parametrize("label", ['quote " and \\ slash', "tab\there", "snow ☃ and 𝔘", "bell \x07"])
def test_any_label_survives_printing(write, concepts, label):
    odd = (dataclasses.replace(concepts[0], label=label), *concepts[1:])
    assert tomllib.loads(as_toml(odd, dimensions=0))["concepts"][odd[0].id] == label


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[concepts\n", "is not TOML"),
        ("[labels]\n", "has 'labels'; expected the tables 'concepts' and 'dimensions'"),
        ("concepts = 3\n", "concepts is 3, expected a table"),
        ("[concepts]\nc0 = 7\n", "concepts.c0 is 7, expected 1 to 200 characters"),
        ('[concepts]\nc0 = ""\n', "concepts.c0 is '', expected 1 to 200 characters"),
        ('[concepts]\nc0 = " bags"\n', "no space at either end"),
        ('[dimensions]\nc0d1 = "round"\n', "dimensions.c0d1 is 'round', expected { low"),
        ('[dimensions]\nc0d1 = { left = "round" }\n', "expected { low"),
        (f'[dimensions]\nc0d1 = {{ low = "{"x" * 201}" }}\n', "dimensions.c0d1.low is"),
    ],
)
def test_what_is_no_file_of_names_is_refused(write, text, message):
    with pytest.raises(BundleError, match=r"names\.toml") as caught:
        write(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[concepts]\nc9 = "x"\n', "there is no concept 'c9' in this bundle"),
        ('[dimensions]\nc0d99 = { low = "x" }\n', "there is no dimension 'c0d99' in this bundle"),
    ],
)
def test_an_id_that_is_not_there_is_named(write, concepts, text, message):
    with pytest.raises(BundleError, match=message):
        renamed(concepts, write(text))


class TestCopy:
    def test_the_copy_has_a_version_of_its_own_and_the_same_bytes_elsewhere(self, write, pristine, concepts, tmp_path):
        manifest = write_renamed(pristine, write(f'[concepts]\n{concepts[0].id} = "Mine"\n'), tmp_path / "copy")
        copy, source = Bundle.open(tmp_path / "copy"), Bundle.open(pristine)
        assert copy.manifest == manifest
        assert copy.manifest.model_version != source.manifest.model_version
        assert copy.concepts[0].label == "Mine"
        for name in source.manifest.files:
            same = (tmp_path / "copy" / name).read_bytes() == (pristine / name).read_bytes()
            assert same == (name != CONCEPTS_FILE)

    def test_nothing_is_left_of_a_copy_that_fails(self, write, folder, tmp_path):
        (folder / CONCEPTS_FILE).write_text("{}")
        with pytest.raises(BundleError, match=CONCEPTS_FILE):
            write_renamed(folder, write('[concepts]\nc0 = "x"\n'), tmp_path / "copy")
        assert not (tmp_path / "copy").exists()

    def test_a_folder_that_is_there_is_not_touched(self, write, pristine, tmp_path):
        (tmp_path / "copy").mkdir()
        with pytest.raises(BundleError, match="exists already"):
            write_renamed(pristine, write('[concepts]\nc0 = "x"\n'), tmp_path / "copy")
        assert not (tmp_path / "copy" / MANIFEST_FILE).exists()
