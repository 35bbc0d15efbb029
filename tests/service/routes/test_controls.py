"""`POST /controls` over HTTP."""

import pytest


class TestControls:
    def test_it_answers_components_with_dimensions_to_turn(self, client):
        answer = client.post("/controls", json={"history": ["item-9", "nope"], "n": 5, "dimensions": 2})
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert set(body) == {"model_version", "unknown_items", "components"}
        assert body["unknown_items"] == ["nope"]
        assert [len(component["dimensions"]) for component in body["components"]] == [2]
        assert set(body["components"][0]["dimensions"][0]) == {
            "dim", "id", "low_label", "high_label", "strength", "value", "quantile", "range", "range_source", "effect",
            "low_item", "high_item",
        }  # fmt: skip

    def test_five_dimensions_are_the_default(self, client):
        body = client.post("/controls", json={"history": ["item-9"]}).json()
        assert [len(component["dimensions"]) for component in body["components"]] == [5]

    def test_another_model_version_is_409(self, client):
        answer = client.post("/controls", json={"history": ["item-9"], "model_version": "other-1"})
        assert answer.status_code == 409

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"history": "item-9"}, "history"),
            ({"n": 0}, "n"),
            ({"n": 1001}, "n"),
            ({"n": "5"}, "n"),
            ({"dimensions": 0}, "dimensions"),
            ({"dimensions": 51}, "dimensions"),
            ({"surprise": 1}, "surprise"),
        ],
    )
    def test_a_wrong_field_is_422_and_named(self, client, change, field):
        answer = client.post("/controls", json={"history": [], **change})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
