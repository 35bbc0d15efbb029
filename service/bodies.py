"""Request bodies: bounded while they are read, then parsed as JSON and nothing but JSON (RFC 8259)."""

import json
import math
import re
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Any, NoReturn, TypeVar, cast, get_type_hints

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from macrid.service.admission import Place, admission_of, admitted, in_time
from macrid.service.errors import InvalidError, MediaTypeError, SlowBodyError, TooLargeError
from macrid.service.headers import header_of

Model = TypeVar("Model", bound=BaseModel)
PLACE = "macrid.place"
JSON_BY_NAME = re.compile(r"application/[^/]*\+json")
LARGEST_EXACT = 2**53  # up to here a float of 64 bits holds every whole number


class JsonRoute(APIRoute):
    """A route whose body is read by the rules of this module, before FastAPI looks at it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler for a request whose body is already read and parsed."""
        handle = super().get_route_handler()

        async def read_then_handle(request: Request) -> Response:
            body = await read(request)
            return await admitted(body, handle)  # not before the body is there: a slow client must not hold a place

        return read_then_handle


class DirectRoute(APIRoute):
    """A JSON route whose handler is called with its body and the request, by nobody in between.

    What FastAPI does for handlers in general takes a tenth of a millisecond, which counts where an answer takes one. The
    handler's first parameter is the body, the second the request. It runs at its place and on the event loop: what takes long
    it has its place wait for (`place_of`).
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; what goes wrong is answered by the app's error handlers."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        body = await read(Request(scope, receive))
        response = await admission_of(body).at_a_place(lambda place: self._call(place, body))
        await response(scope, receive, send)

    async def _call(self, place: Place, body: "JsonBody") -> Response:
        body.scope[PLACE] = place
        response: Response = await self.endpoint(body.checked(self._model), body)
        return response

    @cached_property
    def _model(self) -> type[BaseModel]:
        model, *_ = get_type_hints(self.endpoint).values()
        return cast(type[BaseModel], model)


def place_of(request: Request) -> Place:
    """Return the place of a request to a `DirectRoute`."""
    place: Place = request.scope[PLACE]
    return place


async def read(request: Request) -> "JsonBody":
    """Read the body of a request in time.

    Raises:
        SlowBodyError: it did not arrive.
        TooLargeError, MediaTypeError, InvalidError: see `JsonBody.read`.
    """
    body, settings = JsonBody(request.scope, request.receive), request.app.state.settings
    if not await in_time(settings.time_limit, body.read(limit=settings.max_body_bytes)):
        raise SlowBodyError(settings.time_limit)
    return body


class JsonBody(Request):
    """A request with a JSON body. FastAPI asks it for `body()` and `json()`; both were decided in `read`."""

    async def read(self, limit: int) -> None:
        """Read and parse the body.

        Raises:
            TooLargeError: it is longer than `limit` bytes; the rest is not read.
            MediaTypeError: it is not declared as JSON.
            InvalidError: it is not JSON.
        """
        parts, size, more = [], int(header_of(self.scope, b"content-length") or 0), True
        if size <= limit:
            size = 0
            while more and size <= limit:
                part, more = await self._next_part()
                parts.append(part)
                size += len(part)
        if size > limit:
            raise TooLargeError(f"the body is larger than the {limit} bytes this server accepts")
        self._body = b"".join(parts)
        if self._body:
            require_json(header_of(self.scope, b"content-type"))
            self._json = parse_json(self._body)

    async def _next_part(self) -> tuple[bytes, bool]:
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message.get("body", b""), message.get("more_body", False)

    def checked(self, model: type[Model]) -> Model:
        """Return the body as a model.

        Raises:
            RequestValidationError: it is none, or does not fit; as FastAPI raises it.
        """
        if not self._body:
            raise RequestValidationError(
                [{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}]
            )
        try:
            return model.model_validate(self._json, from_attributes=True)
        except ValidationError as error:
            errors = error.errors(include_url=False)
            raise RequestValidationError(
                [{**entry, "loc": ("body", *entry["loc"])} for entry in errors], body=self._json
            ) from None


def require_json(content_type: str | None) -> None:
    """Refuse other media types: a browser sends those across sites without asking, JSON it does not."""
    essence = (content_type or "").partition(";")[0].strip().lower()
    if essence != "application/json" and not JSON_BY_NAME.fullmatch(essence):
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
