"""Request bodies: bounded while they are read, then parsed as JSON and nothing but JSON (RFC 8259)."""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute

from macrid.service.admission import admitted, in_time
from macrid.service.errors import InvalidError, MediaTypeError, SlowBodyError, TooLargeError

LARGEST_EXACT = 2**53  # up to here a float of 64 bits holds every whole number


class JsonRoute(APIRoute):
    """A route whose body is read by the rules of this module, before FastAPI looks at it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler for a request whose body is already read and parsed."""
        handle = super().get_route_handler()

        async def read_then_handle(request: Request) -> Response:
            body, settings = JsonBody(request.scope, request.receive), request.app.state.settings
            if not await in_time(settings.time_limit, body.read(limit=settings.max_body_bytes)):
                raise SlowBodyError(settings.time_limit)
            return await admitted(body, handle)  # not before the body is there: a slow client must not hold a place

        return read_then_handle


class JsonBody(Request):
    """A request with a JSON body. FastAPI asks it for `body()` and `json()`; both were decided in `read`."""

    async def read(self, limit: int) -> None:
        """Read and parse the body.

        Raises:
            TooLargeError: it is longer than `limit` bytes; the rest is not read.
            MediaTypeError: it is not declared as JSON.
            InvalidError: it is not JSON.
        """
        chunks, size = [], int(self.headers.get("content-length", 0))
        if size <= limit:
            size = 0
            async for chunk in self.stream():
                chunks.append(chunk)
                size += len(chunk)
                if size > limit:
                    break
        if size > limit:
            raise TooLargeError(f"the body is larger than the {limit} bytes this server accepts")
        self._body = b"".join(chunks)
        if self._body:
            require_json(self.headers.get("content-type"))
            self._json = parse_json(self._body)


def require_json(content_type: str | None) -> None:
    """Refuse other media types: a browser sends those across sites without asking, JSON it does not."""
    essence = (content_type or "").partition(";")[0].strip().lower()
    if essence != "application/json" and not (essence.startswith("application/") and essence.endswith("+json")):
        raise MediaTypeError(content_type)


def parse_json(body: bytes) -> Any:
    """Parse UTF-8 JSON.

    Python's own parser also takes NaN and Infinity, UTF-16, and fails in five ways; here there is one.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=refuse_constant, parse_float=number)
    except UnicodeDecodeError as error:
        raise InvalidError("body", "", f"the body is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        reason = f"{error.msg[:1].lower()}{error.msg[1:]} at line {error.lineno}, column {error.colno}"
        raise InvalidError("body", "", f"the body is not JSON: {reason}") from None
    except RecursionError:
        raise InvalidError("body", "", "the body is nested too deeply") from None
    except ValueError as error:
        raise InvalidError("body", "", f"the body is not JSON: {error}") from None


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which JSON does not have."""
    raise ValueError(f"{name} is not a JSON value")


def number(digits: str) -> int | float:
    """Read a number with a point or an exponent: 5.0 is the whole number 5, as JSON Schema has it, and 1e400 is none at all."""
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits:.40} is larger than any number this server computes with")
    return int(value) if value.is_integer() and abs(value) <= LARGEST_EXACT else value
