"""Where there is no room: refused on the connection itself, by a whole and proper answer, and the connection goes on."""

import asyncio
import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from macrid.service import turnstile
from macrid.service.admission import Admission
from macrid.service.app import create_app
from macrid.service.connections import Connection
from macrid.service.metrics import Metrics
from macrid.service.recommender import Recommender
from macrid.service.settings import Settings
from tests.service.test_admission import held, until
from tests.support.listening import listening

__all__ = ["held"]
BODY = json.dumps({"history": ["item-9"], "n": 1}).encode()
JSON = {"content-type": "application/json"}


@contextmanager
def full(store_folder, held, **settings):
    """A server on a socket with one place, which is taken: gives its port, and what says how the one request ended."""
    options = {"threads": 1, "max_waiting": 0, **settings}
    app = create_app(Settings(store=store_folder, **options))
    with listening(app, Connection) as port, ThreadPoolExecutor(1) as callers:
        held.hold()
        first = callers.submit(ask, port, "POST", "/recommend", BODY, JSON)
        until(lambda: held.running == 1)
        try:
            yield port, first
        finally:
            held.set()


class InOnePiece(http.client.HTTPConnection):
    """Sends head and body together; apart, the head may be let in before it can be seen that the body is there."""

    def request(self, *arguments):
        self._pieces = []
        super().request(*arguments)
        super().send(b"".join(self._pieces))

    def send(self, piece):
        self._pieces.append(piece)


def ask(port, method, path, body=None, headers=None):
    connection = InOnePiece("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    said = response.read()
    connection.close()
    return response.status, response.headers, said


def metric(port, name):
    lines = ask(port, "GET", "/metrics")[2].decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def answers(connection, count):
    """That many answers of a connection, as (status, headers, body)."""
    stream, found = connection.makefile("rb"), []
    for _ in range(count):
        status = int(stream.readline().split()[1])
        headers = {}
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        found.append((status, headers, stream.read(int(headers["content-length"]))))
    return found


def test_the_rest_are_refused_whatever_they_ask_and_it_is_counted(store_folder, held):
    with full(store_folder, held) as (port, first):
        for method, path in (("POST", "/recommend"), ("POST", "/encode"), ("GET", "/concepts?x=%2F"), ("GET", "/no")):
            status, headers, said = ask(port, method, path, b"no json" if method == "POST" else None)
            assert status == 503
            assert headers["retry-after"] == "1"
            assert headers["content-type"] == "application/problem+json"
            assert json.loads(said)["type"] == "urn:macrid:problem:busy"
        assert metric(port, 'macrid_rejected_requests_total{reason="line_full"}') == 4
        assert metric(port, 'macrid_requests_total{method="POST",route="(refused)",status="503"}') == 2
        held.set()
        assert first.result()[0] == 200
        assert ask(port, "POST", "/recommend", BODY, JSON)[0] == 200


def test_the_answer_is_the_one_that_the_app_would_have_given(store_folder, held, monkeypatch):
    with full(store_folder, held) as (port, _):
        sent = {"x-request-id": "abc.1", **JSON}
        quick = ask(port, "POST", "/recommend", BODY, sent)
        monkeypatch.setattr(turnstile.Turnstile, "refusal", lambda *_: None)
        slow = ask(port, "POST", "/recommend", BODY, sent)
    assert quick[0] == slow[0] == 503
    assert quick[2] == slow[2]
    without_time = [
        {name.lower(): value for name, value in headers.items() if name != "date"} for headers in (quick[1], slow[1])
    ]
    assert without_time[0] == without_time[1]
    assert without_time[0]["x-request-id"] == "abc.1"


def test_an_id_that_is_not_fit_for_a_log_is_not_sent_back(store_folder, held):
    with full(store_folder, held) as (port, _):
        assert ask(port, "GET", "/concepts", headers={"x-request-id": "a b\tc"})[1]["x-request-id"].isalnum()


def test_what_computes_nothing_is_answered(store_folder, held):
    with full(store_folder, held) as (port, _):
        for path in ("/healthz", "/readyz", "/version", "/metrics?x=1", "/openapi.json", "/", "/web/sign.svg"):
            assert ask(port, "GET", path)[0] == 200, path


@pytest.mark.parametrize("at_once", [True, False], ids=["in one packet", "byte by byte"])
def test_a_connection_goes_on_after_a_refusal(store_folder, held, at_once):
    post = b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(
        BODY
    )
    health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    said = (post + BODY) * 2 + health + post + BODY
    with full(store_folder, held) as (port, first), socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
        for part in [said] if at_once else [said[at : at + 1] for at in range(len(said))]:
            caller.sendall(part)
        found = answers(caller, 4)
        assert [status for status, _, _ in found] == [503, 503, 200, 503]
        assert all(json.loads(body)["status"] == 503 for status, _, body in found if status == 503)
        held.set()
        assert first.result()[0] == 200
        until(lambda: ask(port, "GET", "/concepts")[0] == 200)
        caller.sendall(post + BODY)
        ((status, _, body),) = answers(caller, 1)
        assert status == 200
        assert len(json.loads(body)["items"]) == 1


@pytest.mark.parametrize(
    "odd",
    [
        b"GET /concepts HTTP/1.0\r\n\r\n",
        b"GET /concepts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST /encode HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["HTTP/1.0", "close", "100-continue"],
)  # fmt: skip
def test_who_speaks_otherwise_is_refused_by_the_app(store_folder, held, odd):
    with full(store_folder, held) as (port, _), socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
        caller.sendall(odd)
        said = b""
        while part := caller.recv(65536):
            said += part
    assert b" 503 " in said.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"").splitlines()[0]
    assert b"urn:macrid:problem:busy" in said


def test_a_head_is_refused_without_a_body(store_folder, held):
    with full(store_folder, held) as (port, _):
        status, headers, said = ask(port, "HEAD", "/concepts")
    assert (status, said) == (503, b"")
    assert int(headers["content-length"]) > 0


def test_a_page_of_another_origin_can_read_its_refusal(store_folder, held):
    with full(store_folder, held, cors_origins=["https://shop.example"]) as (port, _):
        headers = ask(port, "POST", "/recommend", BODY, {**JSON, "origin": "https://shop.example"})[1]
        assert headers["access-control-allow-origin"] == "https://shop.example"
        assert ask(port, "GET", "/concepts")[0] == 503


def test_a_body_that_never_comes_costs_a_connection_for_a_bounded_time(store_folder, held):
    with (
        full(store_folder, held, time_limit=0.5) as (port, _),
        socket.create_connection(("127.0.0.1", port), timeout=20) as caller,
    ):
        caller.sendall(b"POST /encode HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        assert caller.recv(100).startswith(b"HTTP/1.1 408 ")


def test_those_on_their_way_take_room_too_until_the_loop_turns():
    async def one_turn():
        metrics = Metrics()
        door = turnstile.Turnstile(Admission(1, 1, 10.0, metrics), metrics, cross_origin=False)
        for path, full in ((b"/healthz", False), (b"/items", False), (b"/web/page.js", False), (b"/recommend", True)):
            door.let_in(path)
            assert door.full is full
        await asyncio.sleep(0)
        assert not door.full

    asyncio.run(one_turn())


WHOLE = b"POST /encode?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    "arrived",
    [
        WHOLE[:-1],
        WHOLE + b"G",
        WHOLE * 2,
        WHOLE.replace(b"Length: 2", b"Length: 2\r\nContent-Length: 2"),
        WHOLE.replace(b"Length: 2", b"Length: +2"),
        WHOLE.replace(b"Length: 2", b"Length: "),
        WHOLE.replace(b"Host: x", b"Transfer-Encoding: chunked"),
        WHOLE.replace(b"Host: x", b"Host: x\r\n folded"),
        WHOLE.replace(b"Host: x", b"Host : x"),
        WHOLE.replace(b"Host: x", b"no colon"),
        WHOLE.replace(b"Host: x", b"Host: \0"),
        WHOLE.replace(b"Host: x", b"Connection: close"),
        WHOLE.replace(b"Host: x", b"Connection: Upgrade\r\nUpgrade: h2c"),
        WHOLE.replace(b"Host: x", b"Expect: 100-continue"),
        WHOLE.replace(b"Host: x", b"Origin: https://shop.example"),
        WHOLE.replace(b"1.1", b"1.0"),
        WHOLE.replace(b"1.1", b"1.1\r"),
        WHOLE.replace(b"\r\n", b"\n"),
        WHOLE.replace(b"POST", b"PUT"),
        WHOLE.replace(b"/encode", b"http://x/encode"),
        WHOLE.replace(b"/encode", b"/en code"),
        WHOLE.replace(b"/encode", b"/healthz"),
        b"",
    ],
)
def test_what_is_not_one_whole_and_plain_request_is_left_to_the_parser(arrived):
    async def look():
        metrics = Metrics()
        door = turnstile.Turnstile(Admission(1, 0, 10.0, metrics), metrics, cross_origin=True)
        assert door.refusal(WHOLE, []).startswith(b"HTTP/1.1 503 ")
        assert door.refusal(arrived, []) is None

    asyncio.run(look())


def test_the_log_has_one_line_for_many_and_says_how_many(store_folder, held, monkeypatch):
    monkeypatch.setattr(turnstile, "SECONDS_BETWEEN_LINES", 0.3)
    with capture_logs() as lines, full(store_folder, held) as (port, _):
        for _ in range(5):
            ask(port, "GET", "/concepts")
        until(lambda: sum(line["requests"] for line in lines if line["event"] == "refused") == 5)
        time.sleep(0.4)
        refused = [line for line in lines if line["event"] == "refused"]
    assert sum(line["requests"] for line in refused) == 5
    assert len(refused) < 5
    assert not [line for line in lines if line.get("route") == "(refused)"]


def test_nothing_is_asked_of_the_recommender_for_a_refusal(store_folder, held, monkeypatch):
    with full(store_folder, held) as (port, _):
        monkeypatch.setattr(Recommender, "encode", lambda *_: 1 / 0)
        assert ask(port, "POST", "/encode", BODY, JSON)[0] == 503
