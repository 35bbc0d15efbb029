"""A direct route answers what an ordinary one does: the same handler behind both, the same requests, the same answers."""

import json

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from hypothesis import given
from hypothesis import strategies as st

from macrid.service.admission import Admission
from macrid.service.bodies import DirectRoute, JsonRoute
from macrid.service.metrics import Metrics
from macrid.service.problems import UnforeseenErrors, install_error_handlers
from macrid.service.schemas import RecommendRequest
from macrid.service.settings import Settings
from tests.service.conftest import Client

JSON = {"content-type": "application/json"}
GOOD = {"history": ["item-9"], "n": 3}


async def echo(request: RecommendRequest, http: Request) -> Response:
    if request.n == 99:
        raise KeyError(request.history[0])
    return Response(request.model_dump_json(), media_type="application/json")


def app_with_both():
    app = FastAPI()
    app.add_middleware(UnforeseenErrors)
    app.state.settings = Settings(max_body_bytes=2000)
    app.state.admission = Admission(1, 0, 10.0, Metrics())
    install_error_handlers(app)
    for path, kind in (("/direct", DirectRoute), ("/ordinary", JsonRoute)):
        router = APIRouter(route_class=kind)
        router.post(path, response_model=RecommendRequest)(echo)
        app.include_router(router)
    return app


@pytest.fixture(scope="module")
def both():
    with Client(app_with_both()) as client:

        def ask(content, headers=JSON, method="POST"):
            direct, ordinary = (
                client.request(method, path, content=content, headers=headers) for path in ("/direct", "/ordinary")
            )
            assert (direct.status_code, direct.headers, direct.content) == (
                ordinary.status_code,
                ordinary.headers,
                ordinary.content,
            )
            return direct

        yield ask


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"5",
        b"true",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"history": [NaN]}',
        b'{"history": [], "min_score": 1e400}',
        b"[" * 1999,
        b'{"history": ["' + b"x" * 2000 + b'"]}',
        b'{"history": [], "history": 5}',
        b'{"history": ["\\ud800"]}',
        b"{}",
        b'{"history": null}',
        b'{"history": "item-9"}',
        b'{"history": {"a": 1}}',
        b'{"history": [1, "", null, ["a"], "b"]}',
        b'{"history": ["%b"]}' % (b"x" * 513),
        b'{"history": [], "n": "5"}',
        b'{"history": [], "n": 5.5}',
        b'{"history": [], "n": true}',
        b'{"history": [], "n": 0, "offset": -1, "per_concept": 0, "diversity": 2, "explain": 1}',
        b'{"history": [], "nobody": 1, "knows": 2}',
        b'{"history": [], "concepts": [{"concept": 0}, {"weight": 1}, 5]}',
        b'{"history": [], "adjust": [{"concept": 0, "dim": 1, "value": 0.1, "shift": 0.1}]}',
        b'{"history": [], "critiques": [{"item": "a", "dim": 1, "direction": "up"}]}',
        b'{"history": [], "filter": {"column": "price"}}',
        b'{"history": [], "filter": {"and": [{"column": "price", "equals": []}, 7]}}',
        b'{"history": [], "model_version": "%b"}' % (b"x" * 201),
    ],
)
def test_a_wrong_body_is_refused_by_the_same_document(both, content):
    assert both(content).status_code in (413, 422)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(GOOD).encode(),
        b'{"history": [], "n": 5.0, "min_score": 1, "diversity": 1}',
        b'{"history": ["a", "a"], "filter": {"column": "price", "gte": 1}, "explain": true}',
        b'{"history": ["\xc3\xa4 \\u00e4 \\/"]}',
        b' \n{"history": []}\t',
    ],
)
def test_a_right_body_reaches_the_handler_as_the_same_model(both, content):
    assert both(content).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "Application/JSON", "application/problem+json", "text/plain", "", "json",
     "application/a/b+json", "application/json, text/plain", None],
)  # fmt: skip
def test_what_a_body_is_declared_as_counts_the_same(both, content_type):
    both(json.dumps(GOOD).encode(), headers={"content-type": content_type} if content_type is not None else {})


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_alike(both, method):
    assert both(json.dumps(GOOD).encode(), method=method).status_code == 405


def test_a_defect_of_the_handler_is_answered_alike_and_leaves_no_place_taken(both):
    assert both(json.dumps({**GOOD, "n": 99}).encode()).status_code == 500
    assert both(json.dumps(GOOD).encode()).status_code == 200


NAMES = ["concept", "dim", "value", "weight", "item", "direction", "and", "not", "x"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.floats(-2, 2) | st.sampled_from(["", "item-9", "more", "price"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip
BODIES = st.dictionaries(st.sampled_from([*RecommendRequest.model_fields, "nobody"]), VALUES, max_size=5)


@given(body=BODIES, has_history=st.booleans())
def test_whatever_is_sent_both_say_the_same(both, body, has_history):
    both(json.dumps({**body, **({"history": ["item-9"]} if has_history else {})}).encode())


def test_the_document_of_both_is_the_same():
    paths = app_with_both().openapi()["paths"]
    without_ids = [{**paths[path]["post"], "operationId": ""} for path in ("/direct", "/ordinary")]
    assert without_ids[0]["requestBody"] == without_ids[1]["requestBody"]
    assert without_ids[0]["responses"] == without_ids[1]["responses"]
