"""What a connection is, below the app: closed when the head of a request takes too long, answered at once when there is no room.

uvicorn closes a connection that says nothing *after* an answer, and waits for ever for the first request, or the rest of one
that has begun; whoever opens many such connections takes all file handles of the server. Bodies have a bound in `bodies.py`.
"""

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from macrid.service.turnstile import Turnstile

HEAD_SECONDS = 10.0  # from the connection, or the first byte of a later request, to the end of its head
TURNSTILE = "turnstile"  # its place in the state that the app's lifespan hands out


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, with a bound on the time in which the head of a request arrives, and the app's turnstile before it."""

    head_seconds = HEAD_SECONDS
    _waiting: asyncio.TimerHandle | None = None
    _unfinished = True  # whether the head of a request is still to come, or what is dropped of its body
    _refusal: bytes | None = None  # what to answer the present request once it has arrived

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait_if_unfinished()

    def data_received(self, data: bytes) -> None:
        """Read; most requests come whole, and then there is nothing to wait for."""
        super().data_received(data)
        self._wait_if_unfinished()

    def on_message_begin(self) -> None:
        """Wait for the rest of the head."""
        super().on_message_begin()
        self._unfinished = True

    def on_headers_complete(self) -> None:
        """Start the app, or do not: then the body has to arrive in the same time as the head."""
        self._refusal = self._refused()
        if self._refusal is None:
            self._unfinished = False
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass it on, or drop it."""
        if self._refusal is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Pass it on, or answer."""
        if self._refusal is None:
            super().on_message_complete()
            return
        self._unfinished = False
        self.transport.write(self._refusal)
        self._refusal = None
        self.on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._unfinished = False
        self._wait_if_unfinished()
        super().connection_lost(exc)

    def _wait_if_unfinished(self) -> None:
        if self._unfinished and self._waiting is None:
            self._waiting = self.loop.call_later(self.head_seconds, self.transport.close)
        elif self._waiting is not None and not self._unfinished:
            self._waiting.cancel()
            self._waiting = None

    def _refused(self) -> bytes | None:
        turnstile: Turnstile | None = self.app_state.get(TURNSTILE)
        answering = self.cycle is not None and not self.cycle.response_complete
        if turnstile is None or answering or self.flow.write_paused or not self._goes_on():
            return None
        path = httptools.parse_url(self.url).path or b""
        return turnstile.refusal(self.parser.get_method(), path, self.headers, self.server_state.default_headers)

    def _goes_on(self) -> bool:
        """Say whether the connection stays one for plain requests."""
        is_current: bool = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()
        return is_current and not self.parser.should_upgrade()
