"""`POST /recommend` and `POST /encode` over HTTP: shapes, and everything that can be wrong with a body."""

import json

import pytest

from macrid.service.errors import InvalidError

JSON = {"content-type": "application/json"}


def problem(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["title"]
    assert document["detail"]
    return document


class TestRecommend:
    def test_it_answers_ranked_items_with_what_they_rest_on(self, client):
        answer = client.post("/recommend", json={"history": ["item-9", "nope"], "n": 3})
        assert answer.status_code == 200
        body = answer.json()
        assert body["model_version"].startswith("test-shop-")
        assert body["unknown_items"] == ["nope"]
        assert body["fallback"] is None
        assert body["ranking"] == {"ranker": "exact", "certified": True}
        assert [component["label"] for component in body["components"]] == ["Bags", "Shoes", "Lamps"]
        assert set(body["items"][0]) == {
            "item_id", "title", "image", "concept", "metadata", "rank", "score", "rank_before", "why",
        }  # fmt: skip
        assert body["steering"] is None
        assert [item["rank_before"] for item in body["items"]] == [None] * 3
        assert len(body["items"]) == 3

    def test_it_says_why_when_asked(self, client):
        body = client.post("/recommend", json={"history": ["item-9"], "n": 2, "explain": True}).json()
        assert set(body["items"][0]["why"]) == {"shares", "clicks", "dimensions"}
        assert body["items"][0]["why"]["clicks"][0]["item"]["item_id"] == "item-9"

    def test_it_is_never_stored(self, client):
        assert client.post("/recommend", json={"history": []}).headers["cache-control"] == "no-store"

    def test_twenty_items_are_the_default(self, client):
        assert len(client.post("/recommend", json={"history": ["item-9"]}).json()["items"]) == 20


BODY = {"history": ["item-9", "item-20"], "n": 5}


class TestSteering:
    def test_it_answers_what_was_applied_and_what_moved(self, client):
        wishes = {"concepts": [{"concept": 1, "weight": 0}], "adjust": [{"concept": 0, "dim": 2, "quantile": 0.9}]}
        answer = client.post("/recommend", json={**BODY, **wishes})
        assert answer.status_code == 200
        steering = answer.json()["steering"]
        assert set(steering) == {"components", "weights", "entered", "left"}
        assert steering["weights"] == [{"concept": 1, "weight": 0.0}]
        (component,) = steering["components"]
        assert set(component) == {"concept", "id", "scale", "edits"}
        assert set(component["edits"][0]) == {
            "dim", "id", "low_label", "high_label", "before", "requested", "applied", "quantile_before",
            "quantile_applied", "range", "range_source",
        }  # fmt: skip
        assert all(isinstance(item["rank_before"], int) for item in answer.json()["items"])

    @pytest.mark.parametrize(
        ("wishes", "field"),
        [
            ({"adjust": [{"concept": 0, "dim": 1}]}, "adjust[0]"),
            ({"adjust": [{"concept": 0, "dim": 1, "value": 0.1, "shift": 0.1}]}, "adjust[0]"),
            ({"adjust": [{"concept": 0, "dim": 1, "quantile": 1.01}]}, "adjust[0].quantile"),
            ({"adjust": [{"concept": 0, "dim": 1, "value": "0.1"}]}, "adjust[0].value"),
            ({"adjust": [{"concept": "0", "dim": 1, "value": 0.1}]}, "adjust[0].concept"),
            ({"adjust": [{"concept": 0, "dim": 9, "value": 0.1}]}, "adjust[0].dim"),
            ({"concepts": [{"concept": 0, "weight": -0.1}]}, "concepts[0].weight"),
            ({"concepts": [{"concept": 0, "weight": 101}]}, "concepts[0].weight"),
            ({"concepts": [{"concept": 7, "weight": 1}]}, "concepts[0].concept"),
            ({"critiques": [{"item": "item-9", "dim": 1, "direction": "up"}]}, "critiques[0].direction"),
            ({"critiques": [{"item": "nope", "dim": 1, "direction": "more"}]}, "critiques[0].item"),
            ({"liked": ["item-9"], "disliked": ["item-9"]}, "disliked[0]"),
        ],
    )
    def test_a_wish_that_cannot_be_understood_is_422_and_named(self, client, wishes, field):
        answer = client.post("/recommend", json={**BODY, **wishes})
        assert answer.status_code == 422
        assert [error["field"] for error in problem(answer)["errors"]] == [field]

    def test_a_weight_beyond_all_numbers_is_422(self, client):
        content = b'{"history": ["item-9"], "concepts": [{"concept": 0, "weight": 1e999}]}'
        assert client.post("/recommend", content=content, headers=JSON).status_code == 422


class TestEncode:
    def test_it_answers_one_vector_per_concept(self, client):
        body = client.post("/encode", json={"history": ["item-9"]}).json()
        assert [len(component["vector"]) for component in body["components"]] == [8, 8, 8]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/recommend", {"history": ["item-9"]}),
        ("/encode", {"history": ["item-9"]}),
        ("/walk", {"history": ["item-9"], "concept": 0, "dim": 0}),
    ],
)
class TestModelVersion:
    def test_a_request_made_for_another_model_is_409_and_names_both(self, client, path, body):
        answer = client.post(path, json={**body, "model_version": "test-shop-000000000000"})
        assert answer.status_code == 409
        document = problem(answer)
        serving = client.get("/version").json()["model_version"]
        assert document["type"] == "urn:macrid:problem:other-model"
        assert "test-shop-000000000000" in document["detail"]
        assert serving in document["detail"]
        assert document["model_version"] == serving

    def test_one_made_for_this_model_is_answered_as_one_that_names_none(self, client, path, body):
        plain = client.post(path, json=body)
        named = client.post(path, json={**body, "model_version": plain.json()["model_version"]})
        assert named.status_code == 200
        assert named.json() == plain.json()


@pytest.mark.parametrize("path", ["/recommend", "/encode"])
class TestMalformedBodies:
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "the body must be a JSON object"),
            (b"{", "the body is not JSON: expecting property name enclosed in double quotes at line 1, column 2"),
            (b'{"history": [NaN]}', "the body is not JSON: NaN is not a JSON value"),
            (b'{"history": [], "n": -Infinity}', "the body is not JSON: -Infinity is not a JSON value"),
            (b'\xff\xfe{"history": []}', "the body is not UTF-8 (byte 0)"),
            ('{"history": []}'.encode("utf-16"), "the body is not UTF-8 (byte 0)"),
            (b"[" * 100_000, "the body is nested too deeply"),
            (b'{"history": [], "n": ' + b"9" * 5000 + b"}", "the body is not JSON: exceeds the limit"),
            (b"[]", "the body must be a JSON object"),
            (b"null", "the body must be a JSON object"),
        ],
    )
    def test_what_is_not_a_json_object_is_422_and_says_why(self, client, path, content, says):
        answer = client.post(path, content=content, headers=JSON)
        assert answer.status_code == 422
        document = problem(answer)
        assert document["detail"].lower().startswith(says.lower())
        assert document["errors"][0]["place"] == "body"

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "history"),
            ({"history": None}, "history"),
            ({"history": "item-9"}, "history"),
            ({"history": ["item-9", 7]}, "history[1]"),
            ({"history": [""]}, "history[0]"),
            ({"history": ["x" * 513]}, "history[0]"),
            ({"history": ["item-9"], "surprise": 1}, "surprise"),
        ],
    )
    def test_a_wrong_field_is_422_and_named(self, client, path, body, field):
        answer = client.post(path, json=body)
        assert answer.status_code == 422
        assert [error["field"] for error in problem(answer)["errors"]] == [field]

    def test_a_lone_surrogate_is_no_text(self, client, path):
        answer = client.post(path, content=b'{"history": ["\\ud800"]}', headers=JSON)
        assert answer.status_code == 422
        assert problem(answer)["errors"][0]["field"] == "history[0]"

    def test_what_was_sent_is_not_repeated(self, client, path):
        answer = client.post(path, json={"history": ["secret-item", 7]})
        assert "secret-item" not in answer.text

    @pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "json"])
    def test_a_body_that_is_not_declared_as_json_is_415(self, client, path, content_type):
        headers = {"content-type": content_type} if content_type else {}
        answer = client.post(path, content=b'{"history": []}', headers=headers)
        assert answer.status_code == 415
        assert "application/json" in problem(answer)["detail"]

    @pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
    def test_json_may_be_declared_with_parameters(self, client, path, content_type):
        answer = client.post(path, content=b'{"history": []}', headers={"content-type": content_type})
        assert answer.status_code == 200

    def test_a_body_beyond_the_limit_is_413(self, client, path):
        body = {"history": ["x" * 500] * 4000}
        answer = client.post(path, json=body)
        assert answer.status_code == 413
        assert "1048576 bytes" in problem(answer)["detail"]

    def test_a_body_of_unknown_length_is_read_no_further_than_the_limit(self, client, path):
        sent = 0

        async def endless():
            nonlocal sent
            while sent < 100 * 1024 * 1024:
                sent += 64 * 1024
                yield b" " * 64 * 1024

        answer = client.post(path, content=endless(), headers=JSON)
        assert answer.status_code == 413
        assert sent <= 1024 * 1024 + 2 * 64 * 1024

    def test_a_history_beyond_the_limit_is_413_with_both_numbers(self, client, path):
        answer = client.post(path, json={"history": ["item-9"] * 5000})
        assert answer.status_code == 413
        assert "5000" in problem(answer)["detail"]
        assert "2000" in problem(answer)["detail"]


class TestStrictValues:
    @pytest.mark.parametrize("n", ["5", True, 5.5, 0, -1, None, [5], 10**30, 1001])
    def test_n_is_a_whole_number_from_1_to_the_limit_and_nothing_that_looks_like_one(self, client, n):
        answer = client.post("/recommend", json={"history": [], "n": n})
        assert answer.status_code == 422
        assert problem(answer)["errors"][0]["field"] == "n"

    @pytest.mark.parametrize("value", [1, "true", None])
    def test_exclude_history_is_true_or_false(self, client, value):
        answer = client.post("/recommend", json={"history": [], "exclude_history": value})
        assert problem(answer)["errors"][0]["field"] == "exclude_history"

    def test_all_wrong_fields_are_listed(self, client):
        answer = client.post("/recommend", content=json.dumps({"history": 1, "n": "2"}), headers=JSON)
        assert {error["field"] for error in problem(answer)["errors"]} == {"history", "n"}
        assert problem(answer)["detail"].endswith("(and 1 more, see errors)")
        assert problem(answer)["title"] == InvalidError.title
