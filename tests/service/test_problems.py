"""Errors that no route of ours raises: unknown paths, wrong methods, defects."""

import pytest
import structlog.testing

from tests.service.conftest import serving


class TestUnknownPaths:
    def test_nothing_there_is_a_problem_too(self, client):
        answer = client.get("/nothing/here")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "about:blank"
        assert answer.json()["title"] == "Not Found"

    def test_a_wrong_method_is_405_and_lists_the_right_ones(self, client):
        answer = client.request("DELETE", "/items")
        assert answer.status_code == 405
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["allow"] == "GET, HEAD"

    def test_the_right_ones_are_those_of_all_handlers_at_the_path(self, client):
        assert client.request("OPTIONS", "/map").headers["allow"] == "GET, HEAD, POST"
        assert client.request("PUT", "/recommend").headers["allow"] == "POST"
        assert client.post("/web/js/main.js").headers["allow"] == "GET, HEAD"


class TestInvalid:
    @pytest.mark.parametrize(
        ("method", "path", "body", "says"),
        [
            ("POST", "/recommend", {"history": [], "n": 0}, "n: input should be greater than or equal to 1, got 0"),
            (
                "POST",
                "/recommend",
                {"history": [], "n": 2.5},
                "n: input should be a valid integer, got 2.5",
            ),
            (
                "POST",
                "/recommend",
                {"history": [], "diversity": 2},
                "diversity: input should be less than or equal to 1, got 2",
            ),
            (
                "GET",
                "/items?limit=many",
                None,
                "limit: input should be a valid integer, unable to parse string as an integer, got 'many'",
            ),
            ("GET", "/items?limit=0", None, "limit: input should be greater than or equal to 1, got '0'"),
        ],
    )
    def test_a_number_that_cannot_be_is_named(self, client, method, path, body, says):
        answer = client.request(method, path, json=body)
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(says)

    @pytest.mark.parametrize("secret", ["my-history", 734501])
    def test_what_may_be_a_history_is_not(self, client, secret):
        for body in ({"history": secret}, {"history": [secret], "n": 0}, {"history": [], "n": str(secret)}):
            answer = client.post("/recommend", json=body)
            assert answer.status_code == 422
            assert str(secret) not in answer.text


class TestDefects:
    def test_an_unforeseen_error_is_logged_with_its_trace_and_answered_without(self, store_folder, monkeypatch):
        with serving(store_folder) as client:
            recommender = client.app.state.reloader.current()
            monkeypatch.setattr(recommender, "concepts", lambda: 1 / 0)
            with structlog.testing.capture_logs() as logs:
                answer = client.get("/concepts")
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.json()["detail"] == "something went wrong on the server; its log says what"
        assert "ZeroDivisionError" not in answer.text
        [log] = [log for log in logs if log["event"] == "unforeseen error"]
        assert log["log_level"] == "error"
        assert log["kind"] == "ZeroDivisionError"
        assert log["places"][-1].split()[0].startswith(__file__)  # down to the line that divides


class TestHeadersOfEveryAnswer:
    def test_good_answers_and_errors_are_protected_alike(self, client):
        for path in ("/healthz", "/items", "/nothing/here", "/", "/openapi.json"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "cache-control" in headers

    def test_errors_are_never_stored(self, client):
        assert client.get("/items/nope").headers["cache-control"] == "no-store"
        assert client.get("/items?limit=0").headers["cache-control"] == "no-store"

    def test_long_answers_are_compressed_for_who_asks(self, client):
        assert client.get("/items", headers={"accept-encoding": "gzip"}).headers["content-encoding"] == "gzip"
        assert "content-encoding" not in client.get("/items", headers={"accept-encoding": "identity"}).headers
