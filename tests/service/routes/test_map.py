"""`GET /map` and `POST /map` over HTTP."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from macrid.artifacts.store import Store
from macrid.service.schemas import ItemsOnMap
from tests.service.conftest import serving

OLD = Path(__file__).parents[2] / "golden" / "format-1"


@pytest.fixture(scope="module")
def old_client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    Store(folder).publish(shutil.copytree(OLD, folder / "bundle"))
    with serving(folder) as client:
        yield client


class TestGetMap:
    def test_it_places_every_item_as_the_bundle_does(self, client, recommender):
        answer = client.get("/map")
        assert answer.status_code == 200
        body = ItemsOnMap.model_validate(answer.json())
        points = list(body.points())
        assert body.total == len(points) == 60
        index = recommender.model.bundle.catalogue.indices([item_id for item_id, *_ in points])
        rows = [index[item_id] for item_id, *_ in points]
        np.testing.assert_array_equal(rows, recommender.model.by_popularity)
        assert [concept for _, concept, _, _ in points] == recommender.model.main_concepts[rows].tolist()
        raw = recommender.model.bundle.item_places[rows].astype(np.float64)
        extent = np.ptp(raw, axis=0).max()
        expected = 0.5 + (raw - (raw.min(axis=0) + raw.max(axis=0)) / 2) / extent
        np.testing.assert_allclose([(x, y) for *_, x, y in points], expected, atol=1 / 65535)
        assert [place.label for place in body.prototypes] == [
            concept.label for concept in recommender.model.bundle.concepts
        ]

    def test_a_limit_is_kept(self, client):
        body = ItemsOnMap.model_validate(client.get("/map?limit=7").json())
        assert (body.total, len(list(body.points()))) == (60, 7)

    def test_a_client_that_has_it_gets_304(self, client):
        tag = client.get("/map").headers["etag"]
        assert client.get("/map", headers={"if-none-match": tag}).status_code == 304
        assert client.get("/map?limit=7", headers={"if-none-match": tag}).status_code == 200

    @pytest.mark.parametrize("limit", ["0", "200001", "x"])
    def test_a_limit_out_of_bounds_is_422(self, client, limit):
        answer = client.get(f"/map?limit={limit}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "limit"

    def test_a_bundle_without_places_is_404_and_says_what_to_do(self, old_client):
        for answer in (old_client.get("/map"), old_client.post("/map", json={"history": ["item-9"]})):
            assert answer.status_code == 404
            assert answer.json()["type"].endswith(":no-map")
            assert "train it again to get a map" in answer.json()["detail"]


class TestPostMap:
    def test_it_places_components_and_clicks(self, client):
        answer = client.post("/map", json={"history": ["item-9", "nope", "item-20"]})
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert body["unknown_items"] == ["nope"]
        assert [component["concept"] for component in body["components"]] == [0, 1, 2]
        assert sum(component["share"] for component in body["components"]) == pytest.approx(1)
        points = {item_id: (x, y) for item_id, _, x, y in ItemsOnMap.model_validate(client.get("/map").json()).points()}
        for click in body["clicks"]:
            assert (click["x"], click["y"]) == pytest.approx(points[click["item_id"]], abs=1 / 65535)
        assert {click["item_id"] for click in body["clicks"]} == {"item-9", "item-20"}

    def test_turning_a_component_moves_that_one_only(self, client):
        concept = client.get("/items/item-9").json()["concept"]
        before = client.post("/map", json={"history": ["item-9"]}).json()["components"]
        turns = [{"concept": concept, "dim": dim, "quantile": 1.0} for dim in range(4)]
        after = client.post("/map", json={"history": ["item-9"], "adjust": turns}).json()["components"]
        moved = [one["concept"] for one, other in zip(before, after, strict=True) if one != other]
        assert moved == [concept]

    def test_what_is_liked_and_disliked_counts(self, client):
        body = client.post("/map", json={"history": ["item-9"], "liked": ["item-20"], "disliked": ["item-9"]}).json()
        assert [click["item_id"] for click in body["clicks"]] == ["item-20"]

    def test_nothing_known_is_nowhere(self, client):
        body = client.post("/map", json={"history": ["nope"]}).json()
        assert (body["components"], body["clicks"]) == ([], [])

    def test_another_model_version_is_409(self, client):
        assert client.post("/map", json={"history": [], "model_version": "other-1"}).status_code == 409

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"history": "item-9"}, "history"),
            ({"surprise": 1}, "surprise"),
            ({"adjust": [{"concept": 9, "dim": 0, "quantile": 1.0}]}, "adjust[0].concept"),
        ],
    )
    def test_a_wrong_field_is_422_and_named(self, client, change, field):
        answer = client.post("/map", json={"history": [], **change})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
