"""Each request gets an id, each answer a line in the log and a place in the metrics.

The line says which route, never which path or query: an item id says what somebody looked at, and a history never is in a log.
"""

import os
import re
import time
from dataclasses import dataclass

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from macrid.service.headers import add, header_of
from macrid.service.metrics import Metrics

REQUEST_ID = b"x-request-id"
SOUND_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
SEEN = "macrid.seen"
NO_ROUTE = "(none)"
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})


@dataclass
class Seen:
    """What middlewares and handlers further in learn about a request."""

    route: str = NO_ROUTE
    model_version: str | None = None
    key: str | None = None  # the name of the key, never the key


class RequestLog:
    """ASGI middleware, the outermost: number, time, count and log requests."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log_requests: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._log_requests = log_requests
        self._log = structlog.get_logger("macrid.service.requests")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen, began, status = Seen(), time.perf_counter(), 499  # no answer: the client went away first
        scope[SEEN] = seen
        request_id = request_id_for(header_of(scope, REQUEST_ID))

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                add(message, [(REQUEST_ID, request_id.encode())])
            await send(message)

        bound = bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._note(seen, scope["method"], status, time.perf_counter() - began)
            reset_contextvars(**bound)

    def _note(self, seen: Seen, method: str, status: int, seconds: float) -> None:
        self._metrics.answered(seen.route, method, status, seconds)
        if self._log_requests and (status >= 500 or seen.route not in QUIET_ROUTES):
            known = {"model_version": seen.model_version, "key": seen.key}
            self._log.info(
                "answered", method=method[:16], route=seen.route, status=status, milliseconds=round(seconds * 1000, 2),
                **{name: value for name, value in known.items() if value is not None},
            )  # fmt: skip


class NoteRoute:
    """ASGI middleware, the innermost: note which route answered; further out the path has not been looked up yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        try:
            await self._app(scope, receive, send)
        finally:
            seen = scope.get(SEEN)
            if seen is not None:
                seen.route = getattr(scope.get("route"), "path", None) or mounted(scope) or NO_ROUTE
                seen.model_version = scope.get("state", {}).get("model_version")


def mounted(scope: Scope) -> str | None:
    """Return the place of the page's files, which are no route of their own."""
    return "/web" if scope.get("path", "").startswith("/web/") else None


def request_id_for(sent: str | None) -> str:
    """Keep an id that something in front has given, if it is fit for a log; make one otherwise."""
    return sent if sent and SOUND_ID.fullmatch(sent) else os.urandom(16).hex()
