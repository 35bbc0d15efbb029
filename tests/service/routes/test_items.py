"""The routes below `/items` and `/concepts`: queries, 404s, and what clients may keep."""

import pytest

ADDRESSES = [
    "/items",
    "/items?q=item&limit=3&offset=1",
    "/items/item-9",
    "/items/item-9/similar?n=3",
    "/items/item-9/walk?dim=2",
    "/items/item-10/picture",
    "/concepts",
    "/concepts/1",
]


class TestItems:
    def test_each_item_is_shown_with_picture_concept_and_metadata(self, client):
        body = client.get("/items?limit=3").json()
        assert body["total"] == 60
        assert len(body["items"]) == 3
        assert set(body["items"][0]) == {"item_id", "title", "image", "concept", "metadata"}

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=x", "limit"),
            ("limit=true", "limit"),
            ("offset=-1", "offset"),
            ("offset=99999999999999999999", "offset"),
            ("q=" + "x" * 201, "q"),
            ("limt=3", "limt"),
        ],
    )
    def test_a_wrong_query_is_422_and_named(self, client, query, field):
        answer = client.get(f"/items?{query}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0] == {
            "place": "query",
            "field": field,
            "message": answer.json()["errors"][0]["message"],
        }


class TestItem:
    @pytest.mark.parametrize(
        "path", ["/items/nope", "/items/nope/similar", "/items/nope/walk?dim=0", "/items/nope/picture"]
    )
    def test_an_unknown_item_is_404_everywhere(self, client, path):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:macrid:problem:unknown-item"
        assert answer.json()["detail"] == "no item has the id 'nope'"
        assert answer.json()["model_version"].startswith("test-shop-")


class TestPicture:
    def test_it_is_served_as_what_it_is_and_can_run_nothing(self, client):
        answer = client.get("/items/item-10/picture")
        assert answer.headers["content-type"] == "image/svg+xml"
        assert answer.content.startswith(b"<svg")
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["macrid-model-version"].startswith("test-shop-")

    def test_an_item_without_one_is_404(self, client):
        assert client.get("/items/item-9/picture").json()["type"] == "urn:macrid:problem:no-picture"


class TestWalk:
    def test_it_answers_the_strip_and_all_it_rests_on(self, client):
        body = client.get("/items/item-9/walk?dim=2&steps=4&beam=8&gamma=0.5").json()
        assert set(body) == {
            "model_version", "item", "concept", "dim", "range", "range_source", "prototype_range", "items_range", "start",
            "low_label", "high_label", "gamma", "objective", "steps",
        }  # fmt: skip
        assert body["gamma"] == 0.5
        assert [step["step"] for step in body["steps"]] == [0, 1, 2, 3]
        assert set(body["steps"][0]) == {"step", "low", "high", "value", "similarity", "item"}

    def test_a_dimension_out_of_range_is_404_with_the_valid_range(self, client):
        answer = client.get("/items/item-9/walk?dim=8")
        assert answer.status_code == 404
        assert "0 to 7" in answer.json()["detail"]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("", "dim"),
            ("dim=x", "dim"),
            ("dim=1.5", "dim"),
            ("dim=0&steps=0", "steps"),
            ("dim=0&steps=51", "steps"),
            ("dim=0&beam=0", "beam"),
            ("dim=0&gamma=nan", "gamma"),
            ("dim=0&gamma=inf", "gamma"),
            ("dim=0&gamma=-1", "gamma"),
            ("dim=0&step=3", "step"),
        ],
    )
    def test_a_wrong_query_is_422_and_named(self, client, query, field):
        answer = client.get(f"/items/item-9/walk?{query}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == field


class TestConcepts:
    def test_one_out_of_range_is_404_with_the_valid_range(self, client):
        answer = client.get("/concepts/3")
        assert answer.status_code == 404
        assert "0 to 2" in answer.json()["detail"]

    @pytest.mark.parametrize("query", ["exemplars=-1", "exemplars=4", "exemplars=x", "exemplar=1"])
    def test_a_wrong_query_is_422_and_named(self, client, query):
        answer = client.get(f"/concepts/1?{query}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == query.split("=")[0]

    def test_exemplars_says_how_many_items_an_end_has_at_most(self, client):
        dimensions = client.get("/concepts/1?exemplars=1").json()["dimensions"]
        assert {len(dimension[end]) for dimension in dimensions for end in ("low_exemplars", "high_exemplars")} == {1}

    @pytest.mark.parametrize("concept", ["x", "1.5"])
    def test_one_that_is_no_number_is_422(self, client, concept):
        assert client.get(f"/concepts/{concept}").json()["errors"][0]["field"] == "concept"


@pytest.mark.parametrize("address", ADDRESSES)
class TestWhatClientsMayKeep:
    def test_an_answer_carries_a_tag_and_is_not_sent_twice(self, client, address):
        first = client.get(address)
        assert first.status_code == 200
        again = client.get(address, headers={"if-none-match": first.headers["etag"]})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["cache-control"] == first.headers["cache-control"]

    def test_a_strong_tag_of_the_same_name_in_a_list_counts_too(self, client, address):
        strong = client.get(address).headers["etag"].removeprefix("W/")
        assert client.get(address, headers={"if-none-match": f'"other", {strong}'}).status_code == 304

    def test_a_tag_of_something_else_does_not(self, client, address):
        other = client.get("/items/item-11").headers["etag"]
        assert client.get(address, headers={"if-none-match": other}).status_code == 200

    def test_head_answers_the_same_headers_without_the_body(self, client, address):
        full, head = client.get(address), client.request("HEAD", address)
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["etag"] == full.headers["etag"]
        assert head.headers["content-length"] == full.headers["content-length"]


class TestATagOfAnotherAddress:
    def test_an_error_is_never_answered_with_304(self, client):
        tag = client.get("/items/item-9").headers["etag"]
        assert client.get("/items/nope", headers={"if-none-match": tag}).status_code == 404
