"""Item ids in paths: anything may stand in them, and each is one segment."""

import pytest

from macrid.service.addresses import canonical_path, picture_address, quote_item_id
from tests.support.bundles import AWKWARD_IDS


class TestQuoteItemId:
    @pytest.mark.parametrize(
        ("item_id", "segment"),
        [
            ("bag-0001", "bag-0001"),
            ("a/walk", "a%2Fwalk"),
            ("50%25", "50%2525"),
            ("x?y#z", "x%3Fy%23z"),
            ("naïve ☃", "na%C3%AFve%20%E2%98%83"),
            ("a:b@c", "a:b@c"),
        ],
    )
    def test_what_would_not_survive_in_a_segment_is_encoded(self, item_id, segment):
        assert quote_item_id(item_id) == segment

    def test_a_picture_lies_below_its_item(self):
        assert picture_address("a/walk") == "/items/a%2Fwalk/picture"


class TestCanonicalPath:
    @pytest.mark.parametrize(
        ("raw", "canonical"),
        [
            (b"/items/a%2fwalk", "/items/a%2Fwalk"),
            (b"/%69tems/a/wal%6B", "/items/a/walk"),
            (b"/items/50%2525", "/items/50%2525"),
            (b"/items/a%3Ab", "/items/a:b"),
            (b"/items/a?q=/x", "/items/a"),
            (b"/items/\xff", "/items/%FF"),
            (b"/", "/"),
            (b"/items/A.b_c~d-9//walk/", "/items/A.b_c~d-9//walk/"),
        ],
    )
    def test_equal_ids_make_equal_paths_and_slashes_stay_what_they_are(self, raw, canonical):
        assert canonical_path(raw) == canonical


class TestAwkwardIds:
    @pytest.mark.parametrize("item_id", AWKWARD_IDS)
    def test_an_item_is_found_under_its_own_path(self, client, item_id):
        answer = client.get(f"/items/{quote_item_id(item_id)}")
        assert answer.status_code == 200
        assert answer.json()["item_id"] == item_id

    @pytest.mark.parametrize("item_id", AWKWARD_IDS)
    def test_its_picture_is_found_where_it_says(self, client, item_id):
        image = client.get(f"/items/{quote_item_id(item_id)}").json()["image"]
        if image and image.startswith("/"):
            assert client.get(image).status_code == 200

    def test_an_encoded_slash_is_part_of_the_id_and_a_plain_one_is_not(self, client):
        item, walk = client.get("/items/a%2Fwalk"), client.get("/items/a/walk?dim=0")
        assert item.json()["item_id"] == "a/walk"
        assert "steps" not in item.json()
        assert walk.json()["item"]["item_id"] == "a"
        assert "steps" in walk.json()

    def test_the_walk_of_an_item_with_a_slash_works_too(self, client):
        assert client.get("/items/a%2Fwalk/walk?dim=0").json()["item"]["item_id"] == "a/walk"

    def test_an_id_is_decoded_once(self, client):
        assert client.get("/items/50%2525").json()["item_id"] == "50%25"
        assert client.get("/items/50%25").status_code == 404

    def test_bytes_that_are_not_utf_8_name_nothing(self, client):
        answer = client.get("/items/%FF")
        assert answer.status_code == 422
        assert answer.json()["errors"] == [
            {"place": "path", "field": "item_id", "message": "its percent-encoded bytes are not UTF-8"}
        ]

    @pytest.mark.parametrize("path", ["/items/", "/items//walk?dim=0", "/items/a/", "/items/a/walk/", "/items/nope%00"])
    def test_an_empty_or_impossible_id_is_not_found(self, client, path):
        assert client.get(path).status_code == 404
