"""Records go to JSON and back, and what does not fit their types is refused by its place."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal

import pytest

from macrid.artifacts.errors import BundleError
from macrid.artifacts.records import from_json, to_json
from macrid.artifacts.schema import Concept, Dimension, DimensionEnd


@dataclass(frozen=True)
class Wheel:
    """A part."""

    size: int


@dataclass(frozen=True)
class Bicycle:
    """One field of every kind that records may have."""

    owner: str
    weight: float
    colour: str | None
    kind: Literal["road", "city"]
    wheels: tuple[Wheel, ...]
    parts: dict[str, Wheel]
    notes: dict[str, object]


BICYCLE = Bicycle("Ada", 9.5, None, "city", (Wheel(28), Wheel(26)), {"spare": Wheel(20)}, {"lock": [1, "two", None]})
AS_JSON = {
    "owner": "Ada",
    "weight": 9.5,
    "colour": None,
    "kind": "city",
    "wheels": [{"size": 28}, {"size": 26}],
    "parts": {"spare": {"size": 20}},
    "notes": {"lock": [1, "two", None]},
}


def test_a_record_becomes_json_and_json_the_record():
    assert json.loads(json.dumps(to_json(BICYCLE))) == AS_JSON
    assert from_json(Bicycle, AS_JSON, "here") == BICYCLE


def test_a_concept_survives_the_way_there_and_back():
    end = DimensionEnd("small", ("a/walk", "naïve ☃"))
    dimension = Dimension("c0d0", 0, 1.0, 0.5, end, DimensionEnd(None, ()))
    concept = Concept("c0", 0, "Bags", 3, ("a",), (dimension,))
    assert from_json(Concept, json.loads(json.dumps(to_json(concept))), "here") == concept


def test_a_whole_number_may_stand_for_a_float_and_is_one_then():
    weight = from_json(Bicycle, {**AS_JSON, "weight": 9}, "here").weight
    assert (weight, type(weight)) == (9.0, float)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Bicycle)])
def test_a_missing_field_is_named(name):
    value = {key: entry for key, entry in AS_JSON.items() if key != name}
    with pytest.raises(BundleError, match=f"here: misses {name}; expected exactly owner, weight"):
        from_json(Bicycle, value, "here")


def test_a_surplus_field_is_named():
    with pytest.raises(BundleError, match="here: has unknown bell; expected exactly owner, weight"):
        from_json(Bicycle, {**AS_JSON, "bell": True}, "here")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("owner", 3, "here: owner: is 3, expected str"),
        ("owner", None, "here: owner: is None, expected str"),
        ("weight", "9", "here: weight: is '9', expected float"),
        ("weight", True, "here: weight: is True, expected float"),
        ("weight", float("inf"), "here: weight: is inf, expected a finite number"),
        ("weight", float("nan"), "here: weight: is nan, expected a finite number"),
        ("weight", 10**400, "expected a finite number"),
        ("colour", 3, "here: colour: is 3, expected str"),
        ("kind", "boat", "here: kind: is 'boat', expected 'road' or 'city'"),
        ("kind", ["road"], "here: kind: is ['road'], expected 'road' or 'city'"),
        ("wheels", {"size": 28}, "here: wheels: is {'size': 28}, expected a list"),
        ("wheels", [{"size": 28}, 26], "here: wheels[1]: is 26, expected an object"),
        ("wheels", [{"size": 28}, {"size": 26.0}], "here: wheels[1]: size: is 26.0, expected int"),
        ("wheels", [{"size": True}], "here: wheels[0]: size: is True, expected int"),
        ("parts", [], "here: parts: is [], expected an object"),
        ("parts", {"spare": {}}, "here: parts.spare: misses size"),
        ("notes", "none", "here: notes: is 'none', expected an object"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_place(name, value, message):
    with pytest.raises(BundleError) as refusal:
        from_json(Bicycle, {**AS_JSON, name: value}, "here")
    assert message in str(refusal.value)


@pytest.mark.parametrize("value", [None, 3, "Bicycle", [AS_JSON]])
def test_what_is_no_object_is_no_record(value):
    with pytest.raises(BundleError, match=r"here: is .*, expected an object"):
        from_json(Bicycle, value, "here")


def test_a_long_value_is_shown_in_part():
    with pytest.raises(BundleError) as refusal:
        from_json(Wheel, {"size": "x" * 100_000}, "here")
    assert len(str(refusal.value)) < 200
