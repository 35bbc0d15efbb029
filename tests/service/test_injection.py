"""What attackers and broken clients send, in every place that takes text or numbers: it is data, or it is refused."""

import json
import threading
from urllib.parse import quote

import pytest

SQL = (
    "' OR '1'='1",
    "'; DROP TABLE items; --",
    '") UNION SELECT sql, 1 FROM sqlite_master --',
    "x' AND randomblob(1e9)--",
)
FTS = ('"', '""', "NEAR(a b, 5)", "title:bags", "a AND OR NOT", "^item", "it*",
       "{title words}: item", "-item", "(((", "a\"b")  # fmt: skip
PATHS = (
    "../../../../etc/passwd",
    "..\\..\\boot.ini",
    "/etc/passwd",
    "%2e%2e%2f",
    "file:///etc/passwd",
    "....//",
    ".",
    "..",
)
HEADERS = ("a\r\nSet-Cookie: x=1", "a\nLocation: http://evil.example", "a\r\n\r\n<script>alert(1)</script>")
ODD = (
    "\0",
    "item-9\0",
    "\x1b[2J",
    "\u202eitem",
    "\ufeff",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "𝕏" * 200,
)
TEXTS = (*SQL, *FTS, *PATHS, *HEADERS, *ODD)
BODY = {"history": ["item-9"], "n": 1}


def assert_no_defect(answer):
    """No 5xx, no header of the attacker's, nothing of the machine's files."""
    assert answer.status_code < 500, answer.text
    assert "set-cookie" not in answer.headers
    assert "location" not in answer.headers
    assert "root:" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def post(client, path, body):
    return client.post(path, content=body, headers={"content-type": "application/json"})


@pytest.mark.parametrize("text", TEXTS)
class TestText:
    def test_as_an_id_in_a_path_it_is_an_item_nobody_has(self, client, text):
        for suffix in ("", "/similar", "/walk?dim=0", "/picture"):
            answer = client.get(f"/items/{quote(text, safe='').replace('.', '%2E')}{suffix}")
            assert_no_defect(answer)
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"

    def test_as_an_id_in_a_body_it_is_an_item_nobody_has(self, client, text):
        body = {"history": [text, "item-9"], "exclude": [text], "liked": [text], "disliked": [f"{text}!"], "n": 1}
        answer = client.post("/recommend", json=body)
        assert_no_defect(answer)
        assert answer.status_code == 200
        assert set(answer.json()["unknown_items"]) == {text, f"{text}!"}

    def test_as_a_search_it_finds_what_its_words_say_and_no_more(self, client, text):
        answer = client.get("/items", params={"q": text})
        assert_no_defect(answer)
        if len(text) <= 200:
            assert answer.status_code == 200
            words = {word for item in answer.json()["items"] for word in json.dumps(item).lower().split()}
            assert not words & {"sqlite_master", "create", "root:"}

    def test_as_a_value_of_a_filter_it_equals_nothing(self, client, text):
        condition = {"column": "department", "equals": text}
        answer = client.post("/recommend", json={**BODY, "filter": condition})
        assert_no_defect(answer)
        assert answer.json()["items"] == []
        assert client.post("/recommend", json={**BODY, "filter": {"not": condition}}).json()["items"] != []

    def test_as_a_column_or_a_version_it_is_refused_by_name(self, client, text):
        answer = client.post("/recommend", json={**BODY, "filter": {"column": text, "gt": 1}})
        assert_no_defect(answer)
        assert answer.json()["errors"][0]["field"] == "filter.column"
        answer = client.post("/recommend", json={**BODY, "model_version": text})
        assert_no_defect(answer)
        assert answer.status_code in (409, 422)


def test_the_catalogue_is_as_it_was(client):
    assert client.get("/items").json()["total"] == 60


HUGE = (
    "9" * 400,
    "1e400",
    "-1e400",
    "9" * 5000,
    "NaN",
    "Infinity",
    "-Infinity",
    "1e308",
    "18446744073709551616",
    "0x10",
    "٣",
)


@pytest.mark.parametrize("number", HUGE, ids=lambda text: text[:12])
class TestNumbers:
    @pytest.mark.parametrize("field", ["n", "offset", "diversity", "min_score", "per_concept"])
    def test_in_a_body_it_is_refused_or_means_what_it_says(self, client, number, field):
        answer = post(client, "/recommend", f'{{"history": ["item-9"], "{field}": {number}}}')
        assert_no_defect(answer)
        assert answer.status_code == 422 or field in ("min_score", "per_concept")  # which have no upper bound

    @pytest.mark.parametrize("field", ["value", "shift", "quantile"])
    def test_in_an_adjustment_nothing_comes_back_that_is_no_number(self, client, number, field):
        answer = post(
            client,
            "/recommend",
            f'{{"history": ["item-9"], "adjust": [{{"concept": 0, "dim": 0, "{field}": {number}}}]}}',
        )
        assert_no_defect(answer)
        json.loads(answer.text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    @pytest.mark.parametrize("place", ["concept", "dim"])
    def test_as_the_number_of_a_concept_or_dimension_there_is_none(self, client, number, place):
        entry = {"concept": "0", "dim": "0", place: number}
        answer = post(
            client, "/recommend",
            f'{{"history": ["item-9"], "adjust": [{{"concept": {entry["concept"]}, "dim": {entry["dim"]}, "shift": 1}}]}}',
        )  # fmt: skip
        assert_no_defect(answer)
        assert answer.status_code == 422

    def test_in_a_filter_it_is_refused_or_compared(self, client, number):
        assert_no_defect(
            post(client, "/recommend", f'{{"history": [], "filter": {{"column": "price", "gt": {number}}}}}')
        )

    def test_in_a_path_or_query_it_is_refused(self, client, number):
        for path in (
            f"/concepts/{number}",
            f"/items?limit={number}",
            f"/items?offset={number}",
            f"/items/a/walk?dim={number}",
        ):
            answer = client.get(path)
            assert_no_defect(answer)
            assert answer.status_code in (404, 422)


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 100_000, b'{"history":' * 50_000, b"[" * 5000 + b"]" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000,
            b'{"history": ["\xff\xfe"]}', b'{"history": ["\xed\xa0\x80"]}', b'{"history": ["\xc0\xaf"]}',
            '{"history": []}'.encode("utf-16"), b'\xef\xbb\xbf{"history": []}', b'{"history": ["\\ud800"]}',
            b'{"history": ["\\udfff\\ud800"]}',
            b'{"history": ["item-9\\u0000"]}', b'{"history": ["a\x00b"]}', b'{"history": [],}', b"{'history': []}",
            b'{"history": [] /* none */}', b'{"history": [], "history": 5}', b'{"__proto__": {}, "history": []}', b"null", b"5",
            b'"x"', b"",
        ],
        ids=lambda body: repr(body[:24]),
    )  # fmt: skip
    @pytest.mark.parametrize("path", ["/recommend", "/encode", "/controls", "/map"])
    def test_what_is_no_json_of_ours_is_refused_or_means_unknown_items(self, client, path, body):
        answer = post(client, path, body)
        assert_no_defect(answer)
        assert answer.status_code in (200, 422)
        assert answer.content.decode("utf-8")

    def test_a_filter_as_deep_as_a_well_is_refused(self, client):
        for depth in (9, 100, 400):
            deep = '{"not":' * depth + '{"column":"price","gt":1}' + "}" * depth
            answer = post(client, "/recommend", f'{{"history": [], "filter": {deep}}}')
            assert_no_defect(answer)
            assert answer.status_code == 422
            assert client.get("/items/a/walk", params={"dim": 0, "filter": deep}).status_code == 422

    def test_whole_numbers_may_be_written_with_a_point(self, client):
        """As JSON Schema, and so our own document, has it."""
        plain = post(client, "/recommend", b'{"history": ["item-9"], "n": 5}').json()
        assert post(client, "/recommend", b'{"history": ["item-9"], "n": 5.0}').json() == plain
        assert post(client, "/recommend", b'{"history": ["item-9"], "n": 0.5e1}').json() == plain
        assert post(client, "/recommend", b'{"history": ["item-9"], "n": 5.5}').status_code == 422

    def test_a_number_beyond_all_numbers_is_named(self, client):
        answer = post(client, "/recommend", b'{"history": [], "min_score": 1e400}')
        assert answer.status_code == 422
        assert "1e400 is larger than any number this server computes with" in answer.json()["detail"]


class TestHeaders:
    @pytest.mark.parametrize("text", ["x" * 10_000, "a b", "é", "<script>", "%0d%0aSet-Cookie: x"])
    @pytest.mark.parametrize(
        "name", ["x-request-id", "if-none-match", "accept", "accept-encoding", "x-api-key", "authorization"]
    )
    def test_odd_headers_change_nothing(self, client, name, text):
        answer = client.get("/concepts", headers={name: text.encode("utf-8")})
        assert_no_defect(answer)
        assert answer.status_code == 200


def test_the_server_is_as_well_as_before(client):
    assert client.get("/readyz").status_code == 200
    assert client.post("/recommend", json=BODY).status_code == 200
    assert threading.active_count() < 100
