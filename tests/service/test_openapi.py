"""`openapi.yaml` is the API reference: equal to the app, and complete."""

from pathlib import Path

import pytest
import yaml

from macrid.service.app import create_app
from macrid.service.openapi import openapi_yaml
from macrid.service.settings import Settings

FILE = Path(__file__).parents[2] / "openapi.yaml"
DOCUMENT = create_app(Settings()).openapi()
OPERATIONS = [
    pytest.param(path, method, id=f"{method} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
]


class TestOpenapiFile:
    def test_it_is_equal_to_the_app(self):
        assert yaml.safe_load(FILE.read_text(encoding="utf-8")) == DOCUMENT, (
            "openapi.yaml is out of date: python -m macrid.service.openapi > openapi.yaml"
        )

    def test_it_is_what_the_command_writes(self):
        assert FILE.read_text(encoding="utf-8") == openapi_yaml()

    def test_the_server_answers_the_same(self, client):
        assert client.get("/openapi.json").json() == DOCUMENT

    def test_every_route_is_in_it(self):
        assert sorted(DOCUMENT["paths"]) == [
            "/admin/reload", "/choices", "/concepts", "/concepts/{concept}", "/controls", "/encode", "/healthz", "/items",
            "/items/{item_id}", "/items/{item_id}/picture", "/items/{item_id}/similar", "/items/{item_id}/walk", "/map",
            "/metrics", "/readyz", "/recommend", "/recommend/batch", "/version", "/walk",
        ]  # fmt: skip


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
class TestEveryOperation:
    def test_says_what_it_does(self, path, method):
        operation = DOCUMENT["paths"][path][method]
        assert operation["summary"]
        assert operation["description"]
        assert operation["operationId"].isidentifier()

    def test_documents_its_errors_as_problems(self, path, method):
        responses = DOCUMENT["paths"][path][method]["responses"]
        has_body = "requestBody" in DOCUMENT["paths"][path][method]
        expected = {"503"} if path not in ("/healthz", "/metrics", "/version") else set()
        expected |= {"401"} if path not in ("/healthz", "/readyz") else set()
        expected |= {"422"} if "parameters" in DOCUMENT["paths"][path][method] or has_body else set()
        expected |= {"404"} if "{" in path or path in ("/walk", "/map") else set()
        expected |= {"408", "409", "413", "415"} if has_body else set()
        expected |= {"403"} if path.startswith("/admin") else set()
        assert {status for status in responses if status >= "400"} == expected
        for status in expected:
            name = responses[status]["$ref"].removeprefix("#/components/responses/")
            assert list(DOCUMENT["components"]["responses"][name]["content"]) == ["application/problem+json"]


class TestEverySchema:
    @pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
    def test_describes_all_its_fields(self, name):
        schema = DOCUMENT["components"]["schemas"][name]
        assert schema["description"]
        fields = schema.get("properties", {})  # a choice between schemas has none of its own
        assert [field for field, entry in fields.items() if "description" not in entry] == []

    @pytest.mark.parametrize("name", ["RecommendRequest", "EncodeRequest", "WalkRequest", "ControlsRequest"])
    def test_a_request_has_an_example_and_refuses_what_it_does_not_know(self, name):
        schema = DOCUMENT["components"]["schemas"][name]
        assert schema["examples"]
        assert schema["additionalProperties"] is False
