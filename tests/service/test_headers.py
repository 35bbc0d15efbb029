"""What is added to every answer: once, and never over what a route has said."""

import asyncio

import pytest
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from macrid.service.compression import Compression
from macrid.service.headers import add_unless_there, as_pairs, header_of


def test_a_header_is_found_by_its_name_and_the_first_one_counts():
    scope = {"headers": [(b"host", b"x"), (b"x-key", b"\xe4"), (b"x-key", b"other")]}
    assert header_of(scope, b"x-key") == "ä"
    assert header_of(scope, b"x-other") is None


def test_what_a_route_has_said_stays():
    message = {"headers": [(b"cache-control", b"no-cache")]}
    add_unless_there(message, as_pairs({"Cache-Control": "no-store", "X-Frame-Options": "DENY"}))
    assert message["headers"] == [(b"cache-control", b"no-cache"), (b"x-frame-options", b"DENY")]


def answer_of(middleware, method, accepted, response):
    """Status, sorted headers and body of an answer that went through a middleware."""
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    headers = [(b"accept-encoding", accepted)] if accepted is not None else []
    scope = {"type": "http", "method": method, "headers": headers}
    asyncio.run(middleware(response, minimum_size=1000)(scope, receive, send))
    return sent[0]["status"], sorted(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize("accepted", [None, b"identity", b"gzip, br", b"br"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("size", [0, 999, 1000, 50_000])
def test_an_answer_is_compressed_or_not_as_starlette_does_it(accepted, method, size):
    ours, starlettes = (
        answer_of(kind, method, accepted, Response(b"x" * size, media_type="application/json"))
        for kind in (Compression, GZipMiddleware)
    )
    assert ours == starlettes
