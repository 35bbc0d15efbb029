"""The client against the real application, sync and async, and against servers that refuse."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest
from pydantic import ValidationError

from macrid.service import client as client_module
from macrid.service import errors, problems
from macrid.service.client import (
    REFUSALS,
    TYPE_PREFIX,
    AsyncClient,
    Client,
    Operation,
    Operations,
    RefusedError,
    Retries,
    refusal,
)
from macrid.service.schemas import And, In, Not, Problem, Within
from tests.support.bundles import AWKWARD_IDS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://macrid.test"
BAGS = In(column="department", in_=["bags", "hats"])
VERSION = {"version": "1.2.3", "model_version": None, "model": None}


class InLoop(httpx.BaseTransport):
    """Lets the synchronous client ask an ASGI application, whose event loop runs in another thread."""

    def __init__(self, client):
        self._portal = client._portal
        self._asgi = httpx.ASGITransport(client.app, raise_app_exceptions=False)

    def handle_request(self, request):
        async def exchange():
            response = await self._asgi.handle_async_request(request)
            return httpx.Response(
                response.status_code,
                headers=response.headers,
                stream=httpx.ByteStream(b"".join([chunk async for chunk in response.aiter_raw()])),
            )

        return self._portal.call(exchange)


@pytest.fixture(params=["sync", "async"])
def ask(request, client):
    """Call a method of one of the two clients on the real application."""

    async def awaited(operation, *args, **kwargs):
        async with AsyncClient(ADDRESS, transport=httpx.ASGITransport(client.app)) as macrid:
            return await getattr(macrid, operation)(*args, **kwargs)

    def waited(operation, *args, **kwargs):
        with Client(ADDRESS, transport=InLoop(client)) as macrid:
            return getattr(macrid, operation)(*args, **kwargs)

    if request.param == "sync":
        return waited
    return lambda *args, **kwargs: client._portal.call(partial(awaited, *args, **kwargs))


@pytest.fixture(params=["sync", "async"])
def exchange(request, monkeypatch):
    """Ask `version` of a server that gives the answers of a list; returns the result and the pauses that were made."""

    def run(answers, **options):
        pauses, left = [], list(answers)
        transport = httpx.MockTransport(lambda _: left.pop(0))

        async def sleep(seconds):
            pauses.append(seconds)

        async def awaited():
            async with AsyncClient(ADDRESS, transport=transport, **options) as macrid:
                return await macrid.version()

        monkeypatch.setattr(client_module.time, "sleep", pauses.append)
        monkeypatch.setattr(client_module.anyio, "sleep", sleep)
        try:
            if request.param == "async":
                answer = anyio.run(awaited)
            else:
                with Client(ADDRESS, transport=transport, **options) as macrid:
                    answer = macrid.version()
        except RefusedError as error:
            answer = error
        return answer, pauses, len(left)

    return run


def not_ready(**headers):
    document = {"type": TYPE_PREFIX + "not-ready", "title": "Not ready", "status": 503, "detail": "no model is loaded"}
    return httpx.Response(
        503, json=document, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def ready():
    return httpx.Response(200, json=VERSION)


def path_asked(operation, arguments):
    """The path of an operation, given what it takes of some arguments, and 1 where it takes a subject."""
    for subject in ((), ("1",)):
        for taken in ({}, {"dim": 1}, {"history": []}, {"histories": [[]]}, arguments):
            try:
                return operation.describe(*subject, **taken).path
            except (TypeError, ValidationError):
                continue
    raise AssertionError("no arguments fit")


class TestOperations:
    @pytest.mark.parametrize(
        ("operation", "args", "kwargs", "method", "path", "body"),
        [
            ("recommend", (), {"history": ["item-9"], "n": 3}, "POST", "/recommend", {"history": ["item-9"], "n": 3}),
            ("encode", (), {"history": ["item-9", "nope"]}, "POST", "/encode", {"history": ["item-9", "nope"]}),
            (
                "walk_from_history",
                (),
                {"history": ["item-9"], "concept": 0, "dim": 1},
                "POST",
                "/walk",
                {"history": ["item-9"], "concept": 0, "dim": 1},
            ),
            (
                "controls",
                (),
                {"history": ["item-9"], "n": 5, "dimensions": 2},
                "POST",
                "/controls",
                {"history": ["item-9"], "n": 5, "dimensions": 2},
            ),
            ("search", (), {"q": "shoes bags", "limit": 3}, "GET", "/items?q=shoes+bags&limit=3", None),
            ("search", (), {"q": "item 1", "offset": 2}, "GET", "/items?q=item%201&offset=2", None),
            ("item", ("item-9",), {}, "GET", "/items/item-9", None),
            ("similar", ("item-9",), {"n": 2}, "GET", "/items/item-9/similar?n=2", None),
            ("walk", ("item-9",), {"dim": 2, "steps": 3}, "GET", "/items/item-9/walk?dim=2&steps=3", None),
            (
                "recommend",
                (),
                {"history": ["item-9"], "filter": And(and_=[Within(column="year", gte=2000), Not(not_=BAGS)])},
                "POST",
                "/recommend",
                {
                    "history": ["item-9"],
                    "filter": {
                        "and": [
                            {"column": "year", "gte": 2000},
                            {"not": {"column": "department", "in": ["bags", "hats"]}},
                        ]
                    },
                },
            ),
            (
                "walk",
                ("item-9",),
                {"dim": 2, "filter": BAGS},
                "GET",
                "/items/item-9/walk?dim=2&filter=%7B%22column%22%3A%22department%22%2C%22in%22%3A%5B%22bags%22%2C%22hats%22%5D%7D",
                None,
            ),
            ("choices", (), {}, "GET", "/choices", None),
            ("map", (), {"limit": 9}, "GET", "/map?limit=9", None),
            ("place_on_map", (), {"history": ["item-9"]}, "POST", "/map", {"history": ["item-9"]}),
            ("concepts", (), {}, "GET", "/concepts", None),
            ("concept", (1,), {}, "GET", "/concepts/1", None),
            ("concept", (1,), {"exemplars": 1}, "GET", "/concepts/1?exemplars=1", None),
            ("version", (), {}, "GET", "/version", None),
        ],
    )
    def test_the_answer_is_what_http_says_in_its_schema(self, ask, client, operation, args, kwargs, method, path, body):
        answer = ask(operation, *args, **kwargs)
        raw = client.request(method, path, json=body) if body else client.request(method, path)
        assert raw.status_code == 200
        assert answer.model_dump(mode="json") == raw.json()

    @pytest.mark.parametrize("item_id", AWKWARD_IDS)
    def test_an_id_may_hold_any_character(self, ask, item_id):
        assert ask("item", item_id).item_id == item_id
        assert ask("walk", item_id, dim=0).item.item_id == item_id
        assert ask("similar", item_id, n=1).item.item_id == item_id
        assert ask("recommend", history=[item_id]).unknown_items == []

    @pytest.mark.parametrize("item_id", [".", "..", "../concepts", "%", "a/../b", "\u2028", "\U0001f45c", "a\nb"])
    def test_an_id_that_no_item_has_is_unknown_and_leads_nowhere_else(self, ask, item_id):
        with pytest.raises(errors.UnknownItemError):
            ask("item", item_id)

    def test_what_does_not_fit_the_schema_is_not_sent(self, ask):
        with pytest.raises(ValidationError, match="n\n"):
            ask("recommend", history=[], n=0)
        with pytest.raises(ValidationError, match="surprise"):
            ask("recommend", history=[], surprise=1)


class TestErrors:
    @pytest.mark.parametrize(
        ("expected", "operation", "args", "kwargs", "says"),
        [
            (errors.UnknownItemError, "item", ("nope",), {}, "no item has the id 'nope'"),
            (errors.UnknownConceptError, "concept", (99,), {}, "there is no concept 99"),
            (errors.UnknownDimensionError, "walk", ("item-9",), {"dim": 99}, "there is no dimension 99"),
            (errors.TooLargeError, "encode", (), {"history": ["item-9"] * 2001}, "2001 item ids"),
            (errors.InvalidError, "similar", ("item-9",), {"n": 5000}, "at most 1000"),
        ],
    )
    def test_a_refusal_is_the_error_that_the_server_raised(self, ask, expected, operation, args, kwargs, says):
        with pytest.raises(expected, match=says) as caught:
            ask(operation, *args, **kwargs)
        assert isinstance(caught.value, RefusedError)
        assert caught.value.problem.detail == str(caught.value)
        assert caught.value.status == expected.status

    def test_an_invalid_field_is_named(self, ask):
        with pytest.raises(errors.InvalidError) as caught:
            ask("recommend", history=["item-9"], n=1001)
        assert (caught.value.place, caught.value.field) == ("body", "n")
        assert "at most 1000" in caught.value.message

    def test_every_kind_of_error_has_its_class(self):
        def below(base):
            return {known for child in base.__subclasses__() for known in {child, *below(child)}}

        for known in below(errors.ServiceError):
            if issubclass(known, RefusedError) or known.__module__ != errors.__name__:
                continue
            document = Problem(type=problems.TYPE_PREFIX + known.kind, title="", status=known.status, detail="why")
            assert type(refusal(document)) is REFUSALS[known.kind]
            assert isinstance(refusal(document), known)
            assert str(refusal(document)) == "why"

    def test_a_kind_that_this_client_does_not_know_is_still_a_refusal(self):
        error = refusal(Problem(type="urn:macrid:problem:of-tomorrow", title="New", status=418, detail="why"))
        assert type(error) is RefusedError
        assert (error.status, error.problem.title) == (418, "New")

    @pytest.mark.parametrize("status", [302, 404, 502])
    def test_an_answer_without_a_problem_document_is_a_refusal_with_its_status(self, exchange, status):
        error, _, _ = exchange([httpx.Response(status, html="<h1>Bad gateway</h1>")])
        assert type(error) is RefusedError
        assert error.status == status
        assert str(status) in str(error)


class TestRetries:
    def test_after_a_503_it_asks_again_when_the_server_said(self, exchange):
        answer, pauses, left = exchange([not_ready(Retry_After="2"), not_ready(Retry_After="3"), ready()])
        assert answer.version == "1.2.3"
        assert pauses == [2.0, 3.0]
        assert left == 0

    def test_without_a_word_it_waits_twice_as_long_each_time(self, exchange):
        _, pauses, _ = exchange([not_ready(), not_ready(), not_ready(), ready()])
        assert pauses == [0.5, 1.0, 2.0]

    def test_no_pause_exceeds_the_longest(self, exchange):
        retries = Retries(attempts=6, first_pause=1.0, longest_pause=3.0)
        _, pauses, _ = exchange([not_ready(Retry_After="3600"), *[not_ready()] * 4, ready()], retries=retries)
        assert pauses == [3.0, 2.0, 3.0, 3.0, 3.0]

    def test_it_gives_up_and_says_why(self, exchange):
        error, pauses, left = exchange([not_ready()] * 9, retries=Retries(attempts=3))
        assert isinstance(error, errors.NotReadyError)
        assert str(error) == "no model is loaded"
        assert (len(pauses), left) == (2, 6)

    @pytest.mark.parametrize("status", [400, 404, 429, 500, 502, 504])
    def test_nothing_else_is_asked_again(self, exchange, status):
        error, pauses, _ = exchange([httpx.Response(status), ready()])
        assert (error.status, pauses) == (status, [])

    def test_a_request_is_sent_whole_each_time(self):
        bodies = []

        def answer(request):
            bodies.append(request.read())
            return not_ready(Retry_After="0")

        with (
            pytest.raises(errors.NotReadyError),
            Client(ADDRESS, transport=httpx.MockTransport(answer), retries=Retries(attempts=2)) as macrid,
        ):
            macrid.encode(history=["item-9"])
        assert bodies == [b'{"history":["item-9"]}'] * 2

    def test_a_date_is_a_time_to_wait_for(self):
        soon = format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True)
        pause = Retries().pause(httpx.Response(503, headers={"Retry-After": soon}), 1)
        assert 3.0 < pause <= 5.0

    @pytest.mark.parametrize(
        ("value", "pause"), [("Mon, 01 Jan 2001 00:00:00 GMT", 0.0), ("soon", 0.5), ("-1", 0.5), ("", 0.5), ("²", 0.5)]
    )
    def test_what_is_past_or_no_time_does_no_harm(self, value, pause):
        headers = [(b"Retry-After", value.encode())]
        assert Retries().pause(httpx.Response(503, headers=headers), 1) == pause


class TestWhereItStands:
    def test_every_call_of_the_api_has_a_method(self, client):
        paths = {
            re.sub("{.*?}", "1", path)
            for path in client.get("/openapi.json").json()["paths"]
            if path
            not in ("/healthz", "/readyz", "/metrics", "/admin/reload", "/items/{item_id}/picture")  # for machines
        }
        arguments = {"history": [], "concept": 1, "dim": 1}
        asked = set()
        for operation in vars(Operations).values():
            if isinstance(operation, Operation):
                asked.add(path_asked(operation, arguments))
        assert asked == paths

    def test_it_loads_nothing_of_the_server(self):
        code = "import sys, macrid.service.client; print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        loaded = set(done.stdout.split())
        assert "macrid.service.schemas" in loaded
        assert loaded.isdisjoint({"faiss", "numpy", "fastapi", "starlette", "uvicorn", "macrid.service.app"})

    def test_it_calls_problems_what_the_server_calls_them(self):
        assert TYPE_PREFIX == problems.TYPE_PREFIX

    def test_a_path_in_the_servers_address_is_kept(self):
        seen = []

        def answer(request):
            seen.append(request.url.raw_path)
            return ready()

        with Client("http://shop.test/api/", transport=httpx.MockTransport(answer)) as macrid:
            macrid.version()
        assert seen == [b"/api/version"]

    def test_the_readmes_example_works(self, client, monkeypatch, capsys):
        (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
        example = example.replace("bag-0001", "item-9").replace("lamp-0042", "item-20")
        monkeypatch.setattr(client_module, "Client", partial(Client, transport=InLoop(client)))
        exec(compile(example, "README.md", "exec"), {})
        expected = client.post("/recommend", json={"history": ["item-9", "item-20"], "n": 5}).json()
        assert f"{[item['title'] for item in expected['items']]}\n" in capsys.readouterr().out
