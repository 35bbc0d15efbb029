"""The page's files: where they are, what may be done with them, what of it leaves the folder (nothing)."""

import pytest


class TestPage:
    def test_the_index_is_at_the_root_and_may_load_only_from_here(self, client):
        page = client.get("/")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers["content-security-policy"]
        assert "default-src 'self'; img-src 'self' https: data: blob:;" in policy
        assert "unsafe" not in policy

    def test_a_browser_asks_each_time_and_gets_304_while_nothing_changed(self, client):
        page = client.get("/")
        assert page.headers["cache-control"] == "no-cache"
        again = client.get("/", headers={"if-none-match": page.headers["etag"]})
        assert again.status_code == 304
        assert again.headers["cache-control"] == "no-cache"

    def test_its_licences_lie_beside_what_they_license(self, client):
        assert client.get("/web/vendor/LICENSES.md").status_code == 200

    @pytest.mark.parametrize(
        "path", ["/web/nothing.js", "/web/../settings.py", "/web/%2e%2e/settings.py", "/web/..%2fsettings.py", "/web/"]
    )
    def test_what_is_not_in_its_folder_is_404(self, client, path):
        assert client.get(path).status_code == 404
