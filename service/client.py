"""A typed Python client: `pip install 'macrid[client]'`. The methods are the API's calls, the types its schemas.

    with Client("http://127.0.0.1:8000") as macrid:            async with AsyncClient("http://127.0.0.1:8000") as macrid:
        answer = macrid.recommend(history=["bag-0001"], n=5)       answer = await macrid.recommend(history=["bag-0001"])

Each operation is described once, as a `Call`; `Client` and `AsyncClient` only carry it there and back, and mypy gives
the one `Recommendations` and the other an awaitable of it. What the server refuses is raised as the error of
`macrid.service.errors` that the server raised, so `except UnknownItemError` reads the same on both sides. Must not import
the server: neither fastapi nor faiss nor numpy.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload
from urllib.parse import quote

import anyio
import httpx
from pydantic import BaseModel, ValidationError

from macrid.service.errors import NotReadyError, ServiceError
from macrid.service.schemas import (
    BatchRecommendations,
    BatchRequest,
    Choices,
    ComponentWalk,
    ConceptDetail,
    ConceptQuery,
    Concepts,
    Controls,
    ControlsRequest,
    Encoded,
    EncodeRequest,
    ItemDetail,
    ItemsFound,
    ItemsOnMap,
    ItemsQuery,
    MapQuery,
    MapRequest,
    Problem,
    Recommendations,
    RecommendRequest,
    SimilarItems,
    SimilarQuery,
    UserOnMap,
    Version,
    WalkAnswer,
    WalkQuery,
    WalkRequest,
)

__all__ = ["AsyncClient", "Client", "RefusedError", "Retries"]

TYPE_PREFIX = "urn:macrid:problem:"  # of `problems.py`, which brings the server with it; a test keeps them equal

A = TypeVar("A", bound=BaseModel)
P = ParamSpec("P")
Subject = TypeVar("Subject")


# --- What is asked -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call(Generic[A]):
    """One request, and the schema of its answer."""

    method: str
    path: str
    answer: type[A]
    query: dict[str, Any] = field(default_factory=dict)
    body: str | None = None

    def to_request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """Write the request as httpx sends it."""
        headers = {} if self.body is None else {"Content-Type": "application/json"}
        return http.build_request(self.method, self.path, params=self.query, content=self.body, headers=headers)

    def read(self, response: httpx.Response) -> A:
        """Return the answer.

        Raises:
            RefusedError: the server answered with a problem; which one, see `refusal`.
        """
        if not response.is_success:
            raise refusal(problem_in(response))
        return self.answer.model_validate_json(response.content)


def item_path(item_id: str) -> str:
    """Return where an item is: its id, whatever it contains, written as one segment of a path."""
    segment = quote(item_id, safe="")
    return "/items/" + (segment.replace(".", "%2E") if segment in (".", "..") else segment)  # or it would climb


def similar_path(item_id: str) -> str:
    """Return where an item's neighbours are."""
    return item_path(item_id) + "/similar"


def walk_path(item_id: str) -> str:
    """Return where the walks from an item are."""
    return item_path(item_id) + "/walk"


def concept_path(concept: int) -> str:
    """Return where a concept is."""
    return f"/concepts/{concept}"


def asked(request: BaseModel) -> dict[str, Any]:
    """Return what a caller filled in; the server knows its own defaults."""
    return request.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Operation(Generic[P, A]):
    """A method of both clients: asks at once with the one, gives something to await with the other."""

    def __init__(self, describe: Callable[P, Call[A]], doc: str) -> None:
        self.describe = describe
        self.__doc__ = doc

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: "Client", owner: type) -> Callable[P, A]: ...
    @overload
    def __get__(self, client: "AsyncClient", owner: type) -> Callable[P, Awaitable[A]]: ...
    def __get__(self, client: "Client | AsyncClient | None", owner: type) -> Any:
        """Return the method of a client."""
        if client is None:
            return self

        def ask(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.send(self.describe(*args, **kwargs))

        ask.__doc__ = self.__doc__
        return ask


def post(path: str, request: Callable[P, BaseModel], answer: type[A], doc: str) -> Operation[P, A]:
    """Describe a POST whose arguments are the fields of its request."""

    def describe(*args: P.args, **kwargs: P.kwargs) -> Call[A]:
        body = request(*args, **kwargs).model_dump_json(by_alias=True, exclude_unset=True)
        return Call("POST", path, answer, body=body)

    return Operation(describe, doc)


def get(path: str, query: Callable[P, BaseModel], answer: type[A], doc: str) -> Operation[P, A]:
    """Describe a GET whose arguments are the fields of its query."""

    def describe(*args: P.args, **kwargs: P.kwargs) -> Call[A]:
        return Call("GET", path, answer, query=asked(query(*args, **kwargs)))

    return Operation(describe, doc)


def get_of(
    path_of: Callable[[Subject], str], query: Callable[P, BaseModel], answer: type[A], doc: str
) -> Operation[Concatenate[Subject, P], A]:
    """Describe a GET below something, whose other arguments are the fields of its query."""

    def describe(subject: Subject, /, *args: P.args, **kwargs: P.kwargs) -> Call[A]:
        return Call("GET", path_of(subject), answer, query=asked(query(*args, **kwargs)))

    return Operation(describe, doc)


class Nothing(BaseModel):
    """A query without fields."""


class Operations:
    """Everything that can be asked; arguments are named as in the API.

    An argument that does not fit its schema is a pydantic.ValidationError here already, and nothing is sent.
    """

    recommend = post("/recommend", RecommendRequest, Recommendations, "Rank items for a history, steered or not.")
    recommend_batch = post(
        "/recommend/batch", BatchRequest, BatchRecommendations, "Rank items for many histories at once."
    )
    encode = post("/encode", EncodeRequest, Encoded, "Return the components of a history.")
    walk_from_history = post("/walk", WalkRequest, ComponentWalk, "Walk from a user's component along one dimension.")
    controls = post("/controls", ControlsRequest, Controls, "Return what the user can turn, and what it would change.")
    search = get("/items", ItemsQuery, ItemsFound, "Find items by words, or list them by popularity.")
    item = get_of(item_path, Nothing, ItemDetail, "Return an item with its concept weights and top dimensions.")
    similar = get_of(similar_path, SimilarQuery, SimilarItems, "Return the items nearest to an item.")
    walk = get_of(walk_path, WalkQuery, WalkAnswer, "Walk from an item along one dimension.")
    concepts = get("/concepts", Nothing, Concepts, "Return all concepts.")
    concept = get_of(concept_path, ConceptQuery, ConceptDetail, "Return a concept with its dimensions.")
    choices = get("/choices", Nothing, Choices, "Return questions to start a history with: this set or that set.")
    map = get("/map", MapQuery, ItemsOnMap, "Return where items lie on the map; `points()` of the answer unpacks it.")
    place_on_map = post("/map", MapRequest, UserOnMap, "Return where a user's components are drawn on the map.")
    version = get("/version", Nothing, Version, "Return what runs there and which model it serves.")


# --- What goes wrong ---------------------------------------------------------------------------------------------


class RefusedError(ServiceError):
    """The server refused. Those of a kind that `errors.py` knows are also instances of its class.

    Attributes:
        problem: what the server said; of an answer that is no problem document, what can be said of it.
    """

    kind = "refused"
    title = "Refused"

    def __init__(self, problem: Problem) -> None:
        Exception.__init__(self, problem.detail)  # the classes of `errors.py` build their message from other arguments
        self.problem = problem
        self.status = problem.status  # type: ignore[misc]  # of the class for the server, of the answer here
        if problem.errors:  # the attributes of an InvalidError
            self.place, self.field, self.message = (
                getattr(problem.errors[0], name) for name in ("place", "field", "message")
            )


def refusal(problem: Problem) -> RefusedError:
    """Return the error that a problem stands for: RefusedError, and the class of its kind where there is one."""
    return REFUSALS.get(problem.type.removeprefix(TYPE_PREFIX), RefusedError)(problem)


def refusals_below(base: type[ServiceError]) -> dict[str, type[RefusedError]]:
    """Return, for every kind of error, a class that is both a RefusedError and the server's own."""
    found: dict[str, type[RefusedError]] = {}
    for known in base.__subclasses__():
        if not issubclass(known, RefusedError):
            found[known.kind] = type(known.__name__, (RefusedError, known), {"__doc__": known.__doc__})
            found |= refusals_below(known)
    return found


REFUSALS = refusals_below(ServiceError)


def problem_in(response: httpx.Response) -> Problem:
    """Read the problem in an answer; a proxy or another server may answer without one."""
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        detail = f"{response.request.url.path} was answered with {response.status_code} and without a problem document"
        return Problem(type="about:blank", title=response.reason_phrase, status=response.status_code, detail=detail)


@dataclass(frozen=True)
class Retries:
    """When to ask again: after a 503 only, which a server answers while it has no model; every call may be repeated.

    Attributes:
        attempts: how often to ask in all, ≥ 1.
        first_pause: seconds before the second attempt where the answer has no Retry-After; then twice as long each time.
        longest_pause: seconds that no pause exceeds, whatever the answer says.
    """

    attempts: int = 4
    first_pause: float = 0.5
    longest_pause: float = 8.0

    def pause(self, response: httpx.Response, attempt: int) -> float | None:
        """Return how long to wait before asking again, None not to: attempts are counted from 1."""
        if response.status_code != NotReadyError.status or attempt >= self.attempts:
            return None
        told = retry_after(response.headers.get("Retry-After", ""))
        wanted = self.first_pause * 2 ** (attempt - 1) if told is None else told
        return min(max(wanted, 0.0), self.longest_pause)


def retry_after(value: str) -> float | None:
    """Read a Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3); None when it holds neither."""
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


# --- There and back ----------------------------------------------------------------------------------------------


class Client(Operations):
    """Asks a server and waits for the answer. Safe to use from several threads; use it in a `with`, or close it."""

    def __init__(
        self,
        base_url: str,
        *,
        retries: Retries | None = None,
        timeout: float = 10.0,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Take the server's address, which may have a path; nothing is sent yet.

        Args:
            base_url: for example http://127.0.0.1:8000.
            retries: when to ask again; by default four times within at most 24 seconds of pauses.
            timeout: seconds to wait for the server each time.
            headers: sent with every request, for whatever stands in front of the server.
            transport: how httpx reaches the server, for tests.
        """
        self._retries = retries or Retries()
        self._http = httpx.Client(base_url=base_url, timeout=timeout, headers=headers, transport=transport)

    def send(self, call: Call[A]) -> A:
        """Ask, and ask again as `Retries` says.

        Raises:
            RefusedError: the server refused.
            httpx.TransportError: it could not be reached.
        """
        attempt = 1
        while True:
            response = self._http.send(call.to_request(self._http))
            pause = self._retries.pause(response, attempt)
            if pause is None:
                return call.read(response)
            time.sleep(pause)
            attempt += 1

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Use it; it is closed at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()


class AsyncClient(Operations):
    """The same with `await`, on asyncio or trio. Use it in an `async with`, or await its `aclose`."""

    def __init__(
        self,
        base_url: str,
        *,
        retries: Retries | None = None,
        timeout: float = 10.0,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Take the server's address; see `Client`."""
        self._retries = retries or Retries()
        self._http = httpx.AsyncClient(base_url=base_url, timeout=timeout, headers=headers, transport=transport)

    async def send(self, call: Call[A]) -> A:
        """Ask, and ask again as `Retries` says; see `Client.send`."""
        attempt = 1
        while True:
            response = await self._http.send(call.to_request(self._http))
            pause = self._retries.pause(response, attempt)
            if pause is None:
                return call.read(response)
            await anyio.sleep(pause)
            attempt += 1

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Use it; it is closed at the end."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.aclose()
