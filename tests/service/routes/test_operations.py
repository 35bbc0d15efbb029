"""Health, readiness, version; and a server without a model."""

import pytest

from tests.service.conftest import serving


class TestWithAModel:
    def test_it_is_alive_and_ready(self, client):
        assert client.get("/healthz").json() == {"status": "ok"}
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["status"] == "ready"
        assert ready.json()["refused"] is None

    def test_it_says_what_it_serves(self, client):
        version = client.get("/version").json()
        assert version["model"]["name"] == "test-shop"
        assert (version["model"]["items"], version["model"]["concepts"], version["model"]["dimensions"]) == (60, 3, 8)
        assert version["model"]["ranker"] == "exact"
        assert version["model_version"] == client.get("/readyz").json()["model_version"]


class TestWithoutAModel:
    @pytest.fixture
    def client(self, tmp_path):
        with serving(tmp_path / "empty-store") as client:
            yield client

    def test_it_is_alive_but_not_ready_and_says_what_to_do(self, client):
        assert client.get("/healthz").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.headers["content-type"] == "application/problem+json"
        assert ready.headers["retry-after"] == "2"
        assert "macrid publish" in ready.json()["detail"]

    def test_it_still_says_which_software_it_is(self, client):
        assert client.get("/version").json()["model"] is None

    @pytest.mark.parametrize("path", ["/items", "/items/a", "/items/a/walk?dim=0", "/concepts", "/items/a/picture"])
    def test_every_question_is_503(self, client, path):
        assert client.get(path).status_code == 503

    @pytest.mark.parametrize("path", ["/recommend", "/encode"])
    def test_every_request_is_503_but_a_malformed_one_is_malformed(self, client, path):
        assert client.post(path, json={"history": []}).status_code == 503
        assert client.post(path, content=b"{", headers={"content-type": "application/json"}).status_code == 422

    def test_the_page_is_served_all_the_same(self, client):
        assert client.get("/").status_code == 200
