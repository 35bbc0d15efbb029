"""The server on a real socket, where paths and bodies are what a client really sends; and its logs."""

import http.client
import json
import logging

import pytest
import structlog

from macrid.service.app import create_app
from macrid.service.server import configure_logs
from macrid.service.settings import Settings
from tests.support.bundles import AWKWARD_IDS
from tests.support.listening import listening


@pytest.fixture(scope="module", params=["h11", "httptools"])
def ask(request, store_folder):
    with listening(create_app(Settings(store=store_folder)), request.param) as port:

        def ask(method, target, body=None, headers=None):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request(method, target, body, headers or {})
                answer = connection.getresponse()
                return answer.status, answer.headers, answer.read()
            finally:
                connection.close()

        yield ask


def segment(item_id):
    """Percent-encode every byte, as nobody does and everybody may."""
    return "".join(f"%{byte:02x}" for byte in item_id.encode())


class TestOnASocket:
    @pytest.mark.parametrize("item_id", AWKWARD_IDS)
    def test_an_awkward_id_names_its_item(self, ask, item_id):
        status, _, body = ask("GET", f"/items/{segment(item_id)}")
        assert status == 200
        assert json.loads(body)["item_id"] == item_id

    def test_an_encoded_slash_is_part_of_the_id(self, ask):
        assert json.loads(ask("GET", "/items/a%2Fwalk")[2])["item_id"] == "a/walk"
        assert json.loads(ask("GET", "/items/a/walk?dim=0")[2])["item"]["item_id"] == "a"

    def test_head_has_no_body(self, ask):
        status, headers, body = ask("HEAD", "/items/a")
        assert (status, body) == (200, b"")
        assert int(headers["content-length"]) > 0

    def test_a_body_that_is_announced_too_long_is_refused_before_it_is_sent(self, ask):
        headers = {"content-type": "application/json", "content-length": "99999999"}
        status, _, body = ask("POST", "/recommend", body=b"", headers=headers)
        assert status == 413
        assert json.loads(body)["title"] == "Too large"

    def test_a_recommendation_comes_back(self, ask):
        body = json.dumps({"history": ["item-9"], "n": 2})
        status, headers, answer = ask("POST", "/recommend", body, {"content-type": "application/json"})
        assert status == 200
        assert headers["cache-control"] == "no-store"
        assert len(json.loads(answer)["items"]) == 2


class TestLogs:
    @pytest.fixture(autouse=True)
    def restore(self):
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        root.handlers.clear()  # pytest's own, which configuring would close
        yield
        structlog.reset_defaults()
        root.handlers[:], root.level = handlers, level

    def test_json_lines_can_be_read_by_programs(self, capsys):
        configure_logs(Settings(log_format="json"))
        structlog.get_logger().info("serving", model_version="x-1")
        line = json.loads(capsys.readouterr().err)
        assert (line["event"], line["level"], line["model_version"]) == ("serving", "info", "x-1")
        assert line["timestamp"].endswith("Z")

    @pytest.mark.parametrize("log_format", ["json", "text"])
    def test_an_error_carries_its_trace_but_no_variables_which_may_be_histories(self, capsys, log_format):
        configure_logs(Settings(log_format=log_format))

        def defect(history):
            raise ZeroDivisionError("a defect")

        history = ["".join(("bought-", "in-confidence"))]  # the trace shows this line, not what it makes
        try:
            defect(history)
        except ZeroDivisionError:
            structlog.get_logger().exception("unforeseen error")
        written = capsys.readouterr().err
        assert "ZeroDivisionError" in written
        assert "bought-in-confidence" not in written

    def test_lines_of_libraries_look_like_ours(self, capsys):
        configure_logs(Settings(log_format="json"))
        logging.getLogger("a.library").info("listening on %s", "http://127.0.0.1:8000")
        line = json.loads(capsys.readouterr().err)
        assert (line["event"], line["level"]) == ("listening on http://127.0.0.1:8000", "info")

    def test_text_is_for_people(self, capsys):
        configure_logs(Settings(log_format="text"))
        structlog.get_logger().info("serving", model_version="x-1")
        assert "serving" in capsys.readouterr().err
