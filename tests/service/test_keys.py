"""Keys: made, kept as digests, revoked; and who may ask what with them."""

import hmac
import json
import stat
from types import SimpleNamespace

import pytest

from macrid.service import keys as keys_module
from macrid.service.errors import SettingError
from macrid.service.keys import KeyRing, create_key, read_keys, revoke_key
from tests.service.conftest import serving


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.json"


class TestTheFile:
    def test_it_holds_a_digest_and_never_the_key(self, path):
        key = create_key(path, "shop", "use")
        assert key not in path.read_text()
        assert [(stored.name, stored.scope) for stored in read_keys(path)] == [("shop", "use")]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_two_keys_differ_and_each_is_found_by_its_name(self, path):
        first, second = create_key(path, "shop", "use"), create_key(path, "ann", "admin")
        ring = KeyRing(path)
        assert first != second
        assert (ring.find(first).name, ring.find(second).scope) == ("shop", "admin")
        assert ring.find(first[:-1]) is None
        assert ring.find("") is None

    def test_a_revoked_key_stops_working_without_a_restart(self, path):
        key, other = create_key(path, "shop", "use"), create_key(path, "other", "use")
        ring = KeyRing(path)
        assert ring.find(key)
        revoke_key(path, "shop")
        assert ring.find(key) is None
        assert ring.find(other)

    def test_a_file_that_is_broken_later_leaves_the_keys_as_they_were(self, path):
        key = create_key(path, "shop", "use")
        ring = KeyRing(path)
        path.write_text("{")
        assert ring.find(key)

    @pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65])
    def test_a_name_that_cannot_stand_in_a_log_is_refused(self, path, name):
        with pytest.raises(SettingError, match="the key's name is"):
            create_key(path, name, "use")

    def test_a_name_is_taken_once(self, path):
        create_key(path, "shop", "use")
        with pytest.raises(SettingError, match="has a key 'shop' already"):
            create_key(path, "shop", "admin")

    @pytest.mark.parametrize("content", ["", "{", "{}", '[{"name": "x"}]', '["secret"]'])
    def test_what_is_no_file_of_keys_is_named_without_its_content(self, path, content):
        path.write_text(content)
        with pytest.raises(SettingError, match=r"keys\.json is not as `macrid key` writes it") as error:
            read_keys(path)
        assert "secret" not in str(error.value)

    def test_every_key_is_compared_in_constant_time(self, path, monkeypatch):
        keys = [create_key(path, f"key-{at}", "use") for at in range(4)]
        compared = []

        def compare(one, other):
            compared.append(one)
            return hmac.compare_digest(one, other)

        ring = KeyRing(path)
        monkeypatch.setattr(keys_module, "hmac", SimpleNamespace(compare_digest=compare))
        assert ring.find(keys[0]).name == "key-0"
        assert len(compared) == 4


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    return path, create_key(path, "shop", "use"), create_key(path, "ops", "admin")


@pytest.fixture(scope="module")
def guarded(store_folder, keys):
    with serving(store_folder, keys_file=keys[0], cors_origins=("https://shop.example",)) as client:
        yield client


class TestAsking:
    @pytest.fixture
    def client(self, guarded):
        return guarded

    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/web/js/main.js"])
    def test_health_and_page_are_for_everybody(self, client, path):
        assert client.get(path).status_code == 200

    @pytest.mark.parametrize(
        "path", ["/items", "/items/a", "/metrics", "/version", "/openapi.json", "/nowhere", "/web"]
    )
    def test_all_else_needs_a_key(self, client, path):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize("path", ["/%69tems", "/web/../items", "/web/%2e%2e/items", "/healthz/../items"])
    def test_no_way_of_writing_a_path_leads_around_it(self, client, path):
        answer = client.get(path)
        assert answer.status_code in (401, 404)
        assert "items" not in answer.json()

    @pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
    def test_a_key_may_stand_in_either_header(self, client, keys, header):
        value = f"Bearer {keys[1]}" if header == "Authorization" else keys[1]
        assert client.get("/items", headers={header: value}).status_code == 200
        assert client.get("/items", headers={header: value + "x"}).status_code == 401

    def test_a_cache_in_front_keeps_no_picture_for_callers_without_a_key(self, client, keys):
        answer = client.get("/items/item-10/picture", headers={"X-API-Key": keys[1]})
        assert answer.headers["cache-control"] == "private, max-age=3600"

    def test_admin_takes_a_key_of_its_own(self, client, keys):
        assert client.post("/admin/reload").status_code == 401
        refused = client.post("/admin/reload", headers={"X-API-Key": keys[1]})
        assert refused.status_code == 403
        assert refused.json()["type"] == "urn:macrid:problem:forbidden"
        assert client.post("/admin/reload", headers={"X-API-Key": keys[2]}).status_code == 200

    def test_a_browser_may_ask_beforehand_without_a_key_from_the_named_origin_only(self, client):
        ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key,content-type"}
        allowed = client.request("OPTIONS", "/recommend", headers={"Origin": "https://shop.example", **ask})
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
        other = client.request("OPTIONS", "/recommend", headers={"Origin": "https://evil.example", **ask})
        assert other.status_code == 400
        assert "access-control-allow-origin" not in other.headers

    def test_the_document_says_how_keys_are_sent(self, client, keys):
        document = client.get("/openapi.json", headers={"X-API-Key": keys[1]}).json()
        assert set(document["components"]["securitySchemes"]) == {"Bearer", "ApiKey"}
        assert "security" not in document["paths"]["/healthz"]["get"]
        assert json.dumps(document["paths"]["/recommend"]["post"]["security"]).count("ApiKey") == 1


class TestWithoutKeys:
    def test_admin_is_open_on_this_machine_and_closed_to_others(self, store_folder):
        with serving(store_folder) as client:
            assert client.post("/admin/reload").status_code == 200
        with serving(store_folder, host="0.0.0.0", allow_without_keys=True) as client:
            assert client.post("/admin/reload").status_code == 403
            assert client.get("/items").status_code == 200

    def test_no_origin_is_let_in(self, client):
        answer = client.get("/items", headers={"Origin": "https://shop.example"})
        assert "access-control-allow-origin" not in answer.headers

    def test_the_document_can_be_switched_off(self, store_folder):
        with serving(store_folder, documentation=False) as client:
            assert client.get("/openapi.json").status_code == 404
            assert client.get("/docs").status_code == 404
