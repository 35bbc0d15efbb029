"""Finding, verifying and downloading a data set, without a network: the archive is served from this machine."""

import hashlib
import http.server
import threading
import zipfile
from dataclasses import replace

import httpx
import pytest

from macrid.model import datasets
from macrid.model.datasets.dataset import DataSet, Source
from macrid.model.datasets.download import download_zip, fetch, nothing
from macrid.model.errors import DataError

CONTENT = b"user,item\nann,x\n"
FILES = {"clicks.csv": hashlib.sha256(CONTENT).hexdigest()}


@pytest.fixture
def dataset():
    def prepare(folder, on_bytes):
        folder.mkdir(parents=True)
        (folder / "clicks.csv").write_bytes(CONTENT)

    return DataSet("tiny", "", "", prepare, lambda folder: Source(str(folder), "tiny", None, None, {}), 1, FILES)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MACRID_DATA", raising=False)


class TestFinding:
    def test_it_is_prepared_in_the_data_folder_when_it_is_nowhere(self, dataset):
        assert dataset.load().name == "data/tiny"

    def test_a_folder_named_in_the_environment_is_found(self, dataset, tmp_path, monkeypatch):
        dataset.prepare(tmp_path / "sets" / "tiny", nothing)
        monkeypatch.setenv("MACRID_DATA", str(tmp_path / "sets"))
        assert dataset.load().name == str(tmp_path / "sets" / "tiny")

    def test_the_files_may_lie_in_the_folder_that_its_makers_named(self, dataset, tmp_path):
        dataset.prepare(tmp_path / "given" / "inner", nothing)
        assert replace(dataset, inside="inner").load(tmp_path / "given").name == str(tmp_path / "given" / "inner")

    def test_a_given_folder_without_the_files_names_them(self, dataset, tmp_path):
        with pytest.raises(DataError, match=r"clicks\.csv not found"):
            dataset.load(tmp_path)

    def test_a_file_with_another_content_is_refused_with_both_checksums(self, dataset, tmp_path):
        (tmp_path / "clicks.csv").write_bytes(b"other")
        with pytest.raises(DataError, match=f"expected {FILES['clicks.csv']}"):
            dataset.load(tmp_path)

    def test_the_licence_is_told_before_anything_is_fetched(self, dataset):
        said = []

        class Watcher:
            def begins(self, dataset, folder):
                said.append((dataset.name, folder.exists()))

            def received(self, received, total):
                said.append(received)

        replace(dataset, prepare=lambda folder, on_bytes: (on_bytes(7, None), dataset.prepare(folder, on_bytes))).load(
            watcher=Watcher()
        )
        assert said == [("tiny", False), 7]
        dataset.load(watcher=Watcher())
        assert len(said) == 2  # what is there already is not fetched


class TestDownload:
    @pytest.fixture
    def server(self, tmp_path):
        """A server on this machine whose folder is `home/`, with an ETag and ranges; it can break off after `limit` bytes."""
        (tmp_path / "home").mkdir()

        class Home(http.server.BaseHTTPRequestHandler):
            limit, tag, ranges, asked = None, '"1"', True, []

            def log_message(self, *_):
                pass

            def do_GET(self):
                path = tmp_path / "home" / self.path.lstrip("/")
                Home.asked.append(self.headers.get("Range"))
                if not path.is_file():
                    return self.send_error(404)
                content, start = path.read_bytes(), 0
                if Home.ranges and self.headers.get("Range") and self.headers.get("If-Range") == Home.tag:
                    start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
                    if start >= len(content):
                        self.send_response(416)
                        self.send_header("Content-Range", f"bytes */{len(content)}")
                        self.send_header("Content-Length", "0")
                        return self.end_headers()
                self.send_response(206 if start else 200)
                self.send_header("ETag", Home.tag)
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                self.wfile.write(content[start : start + Home.limit] if Home.limit else content[start:])
                return None

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Home)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        Home.address = f"http://127.0.0.1:{server.server_port}"
        yield Home
        server.shutdown()
        server.server_close()

    @pytest.fixture
    def home(self, server):
        return server.address

    def archive(self, tmp_path, content):
        with zipfile.ZipFile(tmp_path / "home" / "tiny.zip", "w") as opened:
            opened.writestr("tiny/clicks.csv", content)

    def test_the_files_are_taken_out_of_the_archive(self, home, tmp_path):
        self.archive(tmp_path, CONTENT)
        download_zip(f"{home}/tiny.zip", tmp_path / "data", FILES)
        assert (tmp_path / "data" / "clicks.csv").read_bytes() == CONTENT

    def test_a_wrong_content_is_refused_and_nothing_is_left(self, home, tmp_path):
        self.archive(tmp_path, b"other")
        with pytest.raises(DataError, match="SHA-256"):
            download_zip(f"{home}/tiny.zip", tmp_path / "data", FILES)
        assert not (tmp_path / "data").exists()

    def test_a_download_that_broke_off_goes_on_where_it_was(self, server, tmp_path):
        content, seen = bytes(range(256)) * 40, []
        (tmp_path / "home" / "big").write_bytes(content)
        server.limit = 3_000
        for _ in range(2):
            with pytest.raises(httpx.HTTPError):
                fetch(f"{server.address}/big", tmp_path / "part")
        server.limit = None
        fetch(f"{server.address}/big", tmp_path / "part", lambda received, total: seen.append((received, total)))
        assert (tmp_path / "part").read_bytes() == content
        assert server.asked[-3:] == [None, "bytes=3000-", "bytes=6000-"]
        assert (seen[0], seen[-1]) == ((6_000, 10_240), (10_240, 10_240))
        fetch(f"{server.address}/big", tmp_path / "part")  # whole: nothing is sent again
        assert (tmp_path / "part").read_bytes() == content

    @pytest.mark.parametrize("change", [{"tag": '"2"'}, {"ranges": False}])
    def test_the_beginning_of_another_file_is_thrown_away(self, server, tmp_path, monkeypatch, change):
        (tmp_path / "home" / "big").write_bytes(b"old" * 1_000)
        server.limit = 100
        with pytest.raises(httpx.HTTPError):
            fetch(f"{server.address}/big", tmp_path / "part")
        (tmp_path / "home" / "big").write_bytes(b"new" * 900)
        server.limit = None
        for name, value in change.items():
            monkeypatch.setattr(server, name, value)
        fetch(f"{server.address}/big", tmp_path / "part")
        assert (tmp_path / "part").read_bytes() == b"new" * 900

    def test_an_archive_is_compared_with_its_published_checksum(self, home, tmp_path):
        self.archive(tmp_path, CONTENT)
        md5 = hashlib.md5((tmp_path / "home" / "tiny.zip").read_bytes()).hexdigest()
        download_zip(f"{home}/tiny.zip", tmp_path / "data", FILES, md5=md5)
        with pytest.raises(DataError, match=f"its MD5 is {md5}, expected the published 00ff"):
            download_zip(f"{home}/tiny.zip", tmp_path / "other", FILES, md5="00ff")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "home"]

    @pytest.mark.parametrize("name", ["absent.zip", "broken.zip"])
    def test_an_archive_that_cannot_be_had_tells_the_way_around(self, home, tmp_path, name):
        (tmp_path / "home" / "broken.zip").write_bytes(b"no archive")
        with pytest.raises(DataError, match="--from FOLDER"):
            download_zip(f"{home}/{name}", tmp_path / "data", FILES)


def test_every_known_data_set_tells_its_licence():
    assert all(dataset.licence and dataset.summary for dataset in datasets.ALL.values())
