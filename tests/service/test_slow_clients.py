"""Clients that are slow, go away or never finish: each costs a connection for a bounded time, and nobody else notices."""

import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from macrid.service.app import create_app
from macrid.service.connections import Connection
from macrid.service.server import how_to_serve
from macrid.service.settings import Settings
from tests.support.listening import listening

LIMIT = 0.5  # seconds, for heads and for bodies
BODY = json.dumps({"history": ["item-9"], "n": 60}).encode()
HEAD = b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(
    BODY
)
HALVES = {
    "says nothing": b"",
    "half a line": b"POST /recom",
    "half a head": HEAD[:60],
    "half a body": HEAD + BODY[:10],
    "a second request is half": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + HEAD[:60],
}


@pytest.fixture(scope="module")
def port(store_folder):
    protocol = type("Bounded", (Connection,), {"head_seconds": LIMIT})
    app = create_app(Settings(store=store_folder, time_limit=LIMIT, threads=1, max_waiting=2, log_requests=False))
    with listening(app, protocol) as port:
        yield port


def begun(port, data):
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(data)
    return connection


def said_before_it_closed(connection):
    """Everything that comes until the server closes; an error when it does not within 20 s."""
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def ask(port, path="/healthz", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST" if body else "GET", path, body, {"content-type": "application/json"} if body else {})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_who_does_not_finish_a_request_is_cut_off_in_time(port, half):
    began = time.monotonic()
    with begun(port, half) as connection:
        said = said_before_it_closed(connection)
    assert (
        LIMIT * 0.9 <= time.monotonic() - began < LIMIT + 25
    )  # five seconds of them uvicorn waits for another request
    if half.endswith(BODY[:10]):
        assert said.startswith(b"HTTP/1.1 408 ")


def test_byte_by_byte_a_head_takes_too_long_all_the_same(port):
    with begun(port, b"") as connection, pytest.raises(OSError, match=r"pipe|reset"):  # noqa: PT012
        for at in range(len(HEAD)):
            connection.sendall(HEAD[at : at + 1])
            time.sleep(LIMIT / 20)


def test_a_hundred_half_requests_keep_nobody_from_being_answered(port):
    connections = [begun(port, half) for half in list(HALVES.values()) * 20]
    try:
        for _ in range(5):
            assert ask(port) == 200
            assert ask(port, "/recommend", BODY) == 200
    finally:
        for connection in connections:
            connection.close()


def test_clients_that_go_away_before_their_answer_leave_no_place_taken(port):
    for _ in range(30):
        begun(port, HEAD + BODY).close()
    deadline = time.monotonic() + 20
    while ask(port, "/recommend", BODY) != 200:
        assert time.monotonic() < deadline


def test_a_client_that_goes_away_within_its_body_is_a_line_and_not_an_error(store_folder):
    with capture_logs() as lines, listening(create_app(Settings(store=store_folder)), Connection) as port:
        begun(port, HEAD + BODY[:10]).close()
        deadline = time.monotonic() + 20
        while not (answered := [line for line in lines if line["event"] == "answered"]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert [(line["route"], line["status"]) for line in answered] == [("/recommend", 499)]
    assert not [line for line in lines if line["log_level"] == "error"]


def test_clients_that_do_not_read_their_answers_hold_up_nobody(port):
    connections = [begun(port, (HEAD + BODY) * 50) for _ in range(8)]  # fifty answers each, and nobody takes them
    try:
        with ThreadPoolExecutor(4) as callers:
            statuses = list(callers.map(lambda _: ask(port, "/healthz"), range(20)))
        assert statuses == [200] * 20
    finally:
        for connection in connections:
            connection.close()
    deadline = time.monotonic() + 20
    while ask(port, "/recommend", BODY) != 200:
        assert time.monotonic() < deadline


def test_who_takes_time_between_two_requests_is_not_cut_off_by_it(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for _ in range(2):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read()
        time.sleep(LIMIT * 1.5)  # below the five seconds that uvicorn keeps a connection for
    connection.close()
    assert threading.active_count() < 100


def test_the_server_is_really_started_like_this():
    assert how_to_serve(Settings())["http"] is Connection
