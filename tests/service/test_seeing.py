"""What an operator sees: request ids, log lines, metrics, spans; and what nobody ever sees there."""

import json
import re
from pathlib import Path

import pytest
import structlog.testing
from prometheus_client.parser import text_string_to_metric_families

from macrid.service.keys import create_key
from macrid.service.recommender import Recommender
from tests.service.conftest import serving

ROOT = Path(__file__).parents[2]
SECRET_ITEM = "bought-in-confidence"


def metrics(client):
    """{(name, *label values in the order of their names): value} of all that /metrics says."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


@pytest.fixture
def fresh(store_folder):
    with serving(store_folder) as client:
        yield client


class TestRequestIds:
    def test_every_answer_has_one_of_its_own(self, client):
        ids = {client.get("/healthz").headers["x-request-id"] for _ in range(3)}
        assert len(ids) == 3

    def test_one_that_was_sent_is_kept(self, client):
        assert client.get("/nowhere", headers={"X-Request-ID": "abc-123"}).headers["x-request-id"] == "abc-123"

    @pytest.mark.parametrize("sent", ["a b", "x" * 65, 'a"b', "a\tb"])
    def test_one_that_could_forge_a_log_line_is_replaced(self, client, sent):
        assert re.fullmatch(
            "[0-9a-f]{32}", client.get("/healthz", headers={"X-Request-ID": sent}).headers["x-request-id"]
        )


class TestLogLines:
    def test_an_answer_is_one_line_with_route_status_time_and_id(self, client):
        with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            answer = client.get("/items/a", headers={"X-Request-ID": "abc"})
        (line,) = [line for line in lines if line["event"] == "answered"]
        assert (line["route"], line["method"], line["status"]) == ("/items/{item_id}", "GET", 200)
        assert line["request_id"] == "abc"
        assert line["milliseconds"] > 0
        assert line["model_version"] == answer.json()["model_version"]

    def test_health_checks_are_no_lines(self, client):
        with structlog.testing.capture_logs() as lines:
            for path in ("/healthz", "/readyz", "/metrics"):
                client.get(path)
        assert lines == []

    def test_no_key_and_no_history_is_ever_in_a_log(self, store_folder, tmp_path, monkeypatch):
        key = create_key(tmp_path / "keys.json", "shop", "use")
        with serving(store_folder, keys_file=tmp_path / "keys.json") as client:
            sent = {"headers": {"X-API-Key": key}}
            body = {"history": [SECRET_ITEM, "item-9"], "disliked": [SECRET_ITEM]}
            with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
                assert client.post("/recommend", json=body, **sent).status_code == 200
                assert client.post("/recommend", json={**body, "n": SECRET_ITEM}, **sent).status_code == 422
                assert client.post("/encode", json={"history": [SECRET_ITEM]}, **sent).status_code == 200
                assert client.get(f"/items/{SECRET_ITEM}?q={SECRET_ITEM}", **sent).status_code == 404
                assert client.get(f"/items?q={SECRET_ITEM}", headers={"X-API-Key": key + "x"}).status_code == 401

                def defect(self, requests):
                    raise KeyError(requests[0].history[0])

                monkeypatch.setattr(Recommender, "answer_each", defect)
                assert client.post("/recommend", json=body, **sent).status_code == 500
            written = json.dumps(lines, default=str)
            assert SECRET_ITEM not in written
            assert key not in written
            assert '"key": "shop"' in written
            assert '"kind": "KeyError"' in written
            assert "test_seeing.py" in written
            assert SECRET_ITEM not in client.get("/metrics", **sent).text


class TestMetrics:
    def test_requests_are_counted_by_route_and_not_by_path(self, fresh):
        fresh.get("/items/a")
        fresh.get("/items/x%3Fy%23z")
        fresh.get("/nowhere/at/all")
        fresh.request("BREW", "/items")
        seen = metrics(fresh)
        assert seen["macrid_requests_total", "GET", "/items/{item_id}", "200"] == 2
        assert seen["macrid_requests_total", "GET", "(none)", "404"] == 1
        assert seen["macrid_requests_total", "other", "/items", "405"] == 1
        assert seen["macrid_request_seconds_count", "/items/{item_id}"] == 2

    def test_fallbacks_unknown_ids_and_certificates_are_counted(self, fresh):
        fresh.post("/recommend", json={"history": ["item-9", "item-10", "stranger"]})
        fresh.post("/recommend", json={"history": ["stranger"]})
        seen = metrics(fresh)
        assert seen["macrid_recommendations_total", "history"] == 1
        assert seen["macrid_recommendations_total", "popular"] == 1
        assert seen["macrid_history_items_total", "yes"] == 2
        assert seen["macrid_history_items_total", "no"] == 2
        assert sum(value for (name, *_), value in seen.items() if name == "macrid_rankings_total") == 2

    def test_a_batch_counts_as_its_users_would_one_by_one(self, store_folder):
        histories = [["item-9", "item-10", "stranger"], ["stranger", "stranger"], [], ["item-9"]]
        counted = ("macrid_recommendations_total", "macrid_history_items_total", "macrid_rankings_total")
        seen = []
        for at_once in (True, False):
            with serving(store_folder) as client:
                if at_once:
                    assert client.post("/recommend/batch", json={"histories": histories}).status_code == 200
                else:
                    for history in histories:
                        client.post("/recommend", json={"history": history})
                seen.append({key: value for key, value in metrics(client).items() if key[0] in counted})
        assert seen[0] == seen[1]
        assert seen[0]["macrid_recommendations_total", "popular"] == 2

    def test_the_model_its_version_and_its_age_are_there(self, fresh):
        version = fresh.get("/version").json()
        seen = metrics(fresh)
        assert seen["macrid_model_workers", version["model_version"]] == 1
        assert 0 < seen["macrid_model_created_timestamp_seconds",] <= seen["macrid_model_loaded_timestamp_seconds",]
        assert seen["macrid_reloads_total", "served"] == 1
        assert seen["macrid_model_refused",] == 0

    def test_every_metric_stands_in_the_documents_and_on_the_dashboard_only_what_there_is(self, fresh):
        fresh.post("/recommend", json={"history": ["item-9"]})
        there = {
            name for (name, *_) in metrics(fresh)
            if name.startswith("macrid_") and not name.endswith(("_created", "_bucket", "_sum"))
        }  # fmt: skip
        text = (ROOT / "docs" / "operations.md").read_text()
        assert [name for name in sorted(there) if f"`{name.removesuffix('_count')}" not in text] == []
        dashboard = (ROOT / "deploy" / "grafana-dashboard.json").read_text()
        asked = {name.removesuffix("_bucket") + ("_count" if name.endswith("_bucket") else "")
                 for name in re.findall(r"macrid_\w+", " ".join(expressions(json.loads(dashboard))))}  # fmt: skip
        assert asked <= there | {"macrid_rejected_requests_total"}
        assert len(asked) >= 12


def expressions(node):
    """All queries of a dashboard."""
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        for child in node.values():
            yield from expressions(child)
    elif isinstance(node, list):
        for child in node:
            yield from expressions(child)


class TestTracing:
    def test_a_request_is_a_span_that_names_the_route_and_not_what_was_looked_at(self, store_folder):
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        from macrid.service.app import create_app
        from macrid.service.settings import Settings
        from macrid.service.tracing import install_tracing
        from tests.service.conftest import Client

        exporter, app = InMemorySpanExporter(), create_app(Settings(store=store_folder))
        provider = install_tracing(app, exporter)
        with Client(app) as client:
            assert client.get("/items/item-9?q=looked-at").status_code in (200, 422)
        provider.shutdown()
        spans = exporter.get_finished_spans()
        assert any("/items/{item_id}" in span.name for span in spans)
        assert "item-9" not in str([(span.name, dict(span.attributes)) for span in spans])
