"""Concepts are held to what the schema says of them, and to the items that belong to them."""

import re
from dataclasses import replace

import pytest

from macrid.artifacts.bundle import Bundle, write_bundle
from macrid.artifacts.errors import BundleError
from tests.support.tampering import edit_json, restate


def refusal_of(folder, change):
    """What is said of a bundle whose concept 1 was changed, with checksums that fit."""
    edit_json(folder / "concepts.json", lambda file: change(file["concepts"][1]))
    restate(folder)
    with pytest.raises(BundleError) as refusal:
        Bundle.open(folder)
    return str(refusal.value).removeprefix(f"{folder / 'concepts.json'}: ")


@pytest.mark.parametrize("field", ["importance", "strength"])
@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_shares_lie_between_nothing_and_all(folder, field, share):
    complaint = refusal_of(folder, lambda concept: concept["dimensions"][0].update({field: share}))
    assert re.fullmatch(rf"concept 1, dimension \d: {field} is {share}, expected 0 to 1", complaint)


def test_importances_are_shares_of_one_whole(folder):
    def change(concept):
        for dimension, share in zip(concept["dimensions"], (0.4, 0.3, 0.2, 0.05), strict=True):
            dimension["importance"] = share

    assert refusal_of(folder, change) == "concept 1: importances sum to 0.95, expected 1"


def test_the_most_important_dimension_comes_first(folder):
    complaint = refusal_of(folder, lambda concept: concept["dimensions"].reverse())
    assert complaint.startswith("concept 1 does not list the most important dimension first: importances are [")


def test_no_two_dimensions_of_a_bundle_have_the_same_id(folder):
    complaint = refusal_of(folder, lambda concept: concept["dimensions"][0].update(id="c0d2"))
    assert complaint.startswith("two dimensions have the same id; they are [")


def test_a_size_is_the_number_of_items_whose_largest_weight_is_the_concepts(folder, pristine):
    bundle = Bundle.open(pristine)
    members = int((bundle.concept_weights.argmax(axis=1) == 1).sum())
    bundle.close()
    complaint = refusal_of(folder, lambda concept: concept.update(size=members + 1))
    assert complaint == f"concept 1: size is {members + 1}, expected {members}"


def test_a_writer_is_told_of_the_folder_it_named(tmp_path, contents):
    wrong = (replace(contents.concepts[0], size=-1), contents.concepts[1])
    with pytest.raises(BundleError) as refusal:
        write_bundle(tmp_path / "bundle", replace(contents, concepts=wrong))
    assert str(refusal.value).startswith(f"{tmp_path / 'bundle' / 'concepts.json'}: concept 0: size is -1, expected ")


@pytest.mark.parametrize(
    "change",
    [
        lambda concept: concept["exemplars"].append("a stranger"),
        lambda concept: concept["dimensions"][2]["low"]["exemplars"].insert(0, "a stranger"),
        lambda concept: concept["dimensions"][0]["high"].update(exemplars=["a stranger"]),
    ],
)
def test_exemplars_are_items(folder, change):
    assert refusal_of(folder, change) == "'a stranger' is an exemplar, but no item of catalogue.sqlite"
