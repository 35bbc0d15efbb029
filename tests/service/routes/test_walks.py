"""`POST /walk` over HTTP."""

import pytest

STEP_FIELDS = {"step", "low", "high", "value", "similarity", "item"}


class TestWalkFromComponent:
    BODY = {"history": ["item-9", "nope"], "concept": 1, "dim": 2}  # noqa: RUF012 - never changed

    def test_it_answers_as_a_walk_from_an_item_does_with_a_component_in_its_place(self, client):
        answer = client.post("/walk", json={**self.BODY, "steps": 3})
        assert answer.status_code == 200
        from_item = client.get("/items/item-9/walk?dim=2").json()
        assert set(answer.json()) ^ set(from_item) == {"item", "component"}
        assert answer.json()["component"]["concept"] == 1
        assert [set(step) for step in answer.json()["steps"]] == [STEP_FIELDS] * 3

    def test_it_is_never_stored(self, client):
        assert client.post("/walk", json=self.BODY).headers["cache-control"] == "no-store"

    @pytest.mark.parametrize(
        ("change", "kind"), [({"concept": 3}, "unknown-concept"), ({"dim": 8}, "unknown-dimension")]
    )
    def test_what_the_model_does_not_have_is_404(self, client, change, kind):
        answer = client.post("/walk", json={**self.BODY, **change})
        assert answer.status_code == 404
        assert answer.json()["type"] == f"urn:macrid:problem:{kind}"
        assert answer.json()["model_version"].startswith("test-shop-")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"history": ["nope"]}, "history"),
            ({"history": None}, "history"),
            ({"dim": "2"}, "dim"),
            ({"concept": True}, "concept"),
            ({"steps": 0}, "steps"),
            ({"steps": 51}, "steps"),
            ({"beam": 513}, "beam"),
            ({"gamma": -0.1}, "gamma"),
            ({"surprise": 1}, "surprise"),
        ],
    )
    def test_a_wrong_field_is_422_and_named(self, client, change, field):
        answer = client.post("/walk", json={**self.BODY, **change})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
