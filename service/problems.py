"""Every error as `application/problem+json` (RFC 9457): ours, FastAPI's, and those nobody foresaw."""

import traceback
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from macrid.service.errors import BusyError, InvalidError, NotReadyError, Place, ServiceError, UnauthorizedError
from macrid.service.schemas import FieldError, Problem

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:macrid:problem:"


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Render a problem; members that say nothing are left out."""
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def install_error_handlers(app: FastAPI) -> None:
    """Make an app answer every foreseen error with a problem; `UnforeseenErrors` takes the rest."""
    app.add_exception_handler(ServiceError, on_service_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_exception)


async def on_service_error(request: Request, error: Exception) -> Response:
    """Answer one of our own errors."""
    return answer_service_error(cast(ServiceError, error), getattr(request.state, "model_version", None))


RETRY_AFTER = {BusyError.kind: "1", NotReadyError.kind: "2"}  # seconds


def answer_service_error(error: ServiceError, model_version: str | None = None) -> Response:
    """Return the answer to one of our own errors."""
    errors = None
    if isinstance(error, InvalidError):
        errors = [FieldError(place=error.place, field=error.field, message=error.message)]
    problem = Problem(
        type=TYPE_PREFIX + error.kind,
        title=error.title,
        status=error.status,
        detail=str(error),
        errors=errors,
        model_version=model_version,
    )
    headers = {"Retry-After": RETRY_AFTER[error.kind]} if error.kind in RETRY_AFTER else {}
    if error.status == UnauthorizedError.status:
        headers["WWW-Authenticate"] = 'Bearer realm="macrid"'
    return problem_response(problem, headers=headers)


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Answer a request that does not fit its schema: which field, and why; with the value of a number, never of a history."""
    errors = [field_error(entry) for entry in cast(RequestValidationError, error).errors()]
    first = f"{errors[0].field}: {errors[0].message}" if errors[0].field else errors[0].message
    more = f" (and {len(errors) - 1} more, see errors)" if len(errors) > 1 else ""
    problem = Problem(
        type=TYPE_PREFIX + InvalidError.kind,
        title=InvalidError.title,
        status=InvalidError.status,
        detail=first + more,
        errors=errors,
    )
    return problem_response(problem)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses: unknown paths and methods."""
    error = cast(HTTPException, error)
    phrase = HTTPStatus(error.status_code).phrase
    details = {
        404: f"there is nothing at this path; {ID_HINT}",
        405: f"{request.method} is not possible here; the Allow header lists what is",
    }
    problem = Problem(
        type="about:blank",
        title=phrase,
        status=error.status_code,
        detail=details.get(error.status_code, error.detail),
    )
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(methods_at(request))
    return problem_response(problem, headers=headers)


def methods_at(request: Request) -> list[str]:
    """Return what is possible at a path: the framework names the methods of one handler, and a path may have several."""
    routes = [route for route in request.app.routes if not isinstance(route, Mount)]
    posted = any(route.matches({**request.scope, "method": "POST"})[0] is Match.FULL for route in routes)
    got = any(route.matches({**request.scope, "method": "GET"})[0] is Match.FULL for route in routes) or not posted
    return [*(["GET", "HEAD"] if got else []), *(["POST"] if posted else [])]


OF_NUMBERS = ("greater_than", "less_than", "finite_number", "int_", "float_")
ID_HINT = "openapi.json lists all paths, and a slash inside an item id is written %2F"


def field_error(entry: dict[str, Any]) -> FieldError:
    """Turn an entry of pydantic's list of errors into ours."""
    place, *location = entry["loc"]
    message = str(entry["msg"])
    if place == "body" and not location:  # pydantic speaks of dictionaries and attributes
        message = "the body must be a JSON object"
    if entry["type"].startswith(OF_NUMBERS) and (place != "body" or not isinstance(entry["input"], str)):
        message += f", got {entry['input']!r:.40}"
    return FieldError(place=cast(Place, place), field=field_name(location), message=message[:1].lower() + message[1:])


def field_name(location: Sequence[str | int]) -> str:
    """Write a location the way one would in code: ("history", 3) → "history[3]".

    Pydantic puts the tags of a union's members in between; those of `schemas/filters.py` stand in brackets.
    """
    named = [part for part in location if not str(part).startswith("(")]
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in named]
    return "".join(parts).removeprefix(".")


class UnforeseenErrors:
    """ASGI middleware: an exception nobody foresaw is logged with the places it came by, and answered without.

    Its message is not logged: `KeyError('bag-0001')` is a piece of somebody's history.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = structlog.get_logger("macrid.service")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer for what goes wrong."""
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:  # before the body was there: nobody to answer, and nothing went wrong here
            return
        except Exception as error:
            if scope["type"] != "http":
                raise
            self._log.error("unforeseen error", kind=type(error).__qualname__, places=places(error))
            if started:  # the connection ends here; the server below would log the message
                raise ConnectionAbortedError("the answer broke off") from None
            problem = Problem(
                type="about:blank",
                title=HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
                status=500,
                detail="something went wrong on the server; its log says what",
            )
            await problem_response(problem)(scope, receive, send)


def places(error: BaseException) -> list[str]:
    """Return where an exception came by, outermost first, as file:line function; its causes' places behind its own."""
    found = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    cause = error.__cause__ or error.__context__
    return found if cause is None else [*found, f"from {type(cause).__qualname__}", *places(cause)]
