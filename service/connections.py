"""What a connection is, below the app: closed when the head of a request takes too long, answered at once when there is no room.

uvicorn closes a connection that says nothing *after* an answer, and waits for ever for the first request, or the rest of one
that has begun; whoever opens many such connections takes all file handles of the server. Bodies have a bound in `bodies.py`.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from macrid.service.turnstile import Turnstile

HEAD_SECONDS = 10.0  # from the connection, or the first byte of a later request, to the end of its head
TURNSTILE = "turnstile"  # its place in the state that the app's lifespan hands out


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, with a bound on the time in which the head of a request arrives, and the app's turnstile before it."""

    head_seconds = HEAD_SECONDS
    _waiting: asyncio.TimerHandle | None = None
    _unfinished = True  # whether the head of a request is still to come
    _between = True  # whether no request has begun that is not read to its end

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._turnstile: Turnstile | None = self.app_state.get(TURNSTILE)
        self._wait_if_unfinished()

    def data_received(self, data: bytes) -> None:
        """Read, or refuse unread; most requests come whole, and then there is nothing to wait for."""
        if not (self._turnstile is not None and self._turnstile.full and self._refused(self._turnstile, data)):
            super().data_received(data)
        self._wait_if_unfinished()

    def on_message_begin(self) -> None:
        """Wait for the rest of the head."""
        super().on_message_begin()
        self._unfinished, self._between = True, False

    def on_headers_complete(self) -> None:
        """Start the app."""
        super().on_headers_complete()
        self._unfinished = False
        if self._turnstile is not None:
            self._turnstile.let_in(self.scope["raw_path"])

    def on_message_complete(self) -> None:
        """Pass it on."""
        super().on_message_complete()
        self._between = True

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

    def _refused(self, turnstile: Turnstile, data: bytes) -> bool:
        """Answer at once, if this is a whole request on a connection that waits for one."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if not self._between or answering or self.flow.write_paused or self.transport.is_closing():
            return False
        answer = turnstile.refusal(data, self.server_state.default_headers)
        if answer is None:
            return False
        self._unfinished = False
        self.transport.write(answer)
        self.on_response_complete()
        return True
