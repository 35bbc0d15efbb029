"""Finding, verifying and downloading a data set, without a network: the archive is served from this machine."""

import hashlib
import http.server
import threading
import zipfile
from dataclasses import replace
from functools import partial

import pytest

from macrid.model import datasets
from macrid.model.datasets.dataset import DataSet, Source, download_zip
from macrid.model.errors import DataError

CONTENT = b"user,item\nann,x\n"
FILES = {"clicks.csv": hashlib.sha256(CONTENT).hexdigest()}


@pytest.fixture
def dataset():
    def prepare(folder):
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
        dataset.prepare(tmp_path / "sets" / "tiny")
        monkeypatch.setenv("MACRID_DATA", str(tmp_path / "sets"))
        assert dataset.load().name == str(tmp_path / "sets" / "tiny")

    def test_the_files_may_lie_in_the_folder_that_its_makers_named(self, dataset, tmp_path):
        dataset.prepare(tmp_path / "given" / "inner")
        assert replace(dataset, inside="inner").load(tmp_path / "given").name == str(tmp_path / "given" / "inner")

    def test_a_given_folder_without_the_files_names_them(self, dataset, tmp_path):
        with pytest.raises(DataError, match=r"clicks\.csv not found"):
            dataset.load(tmp_path)

    def test_a_file_with_another_content_is_refused_with_both_checksums(self, dataset, tmp_path):
        (tmp_path / "clicks.csv").write_bytes(b"other")
        with pytest.raises(DataError, match=f"expected {FILES['clicks.csv']}"):
            dataset.load(tmp_path)


class TestDownload:
    @pytest.fixture
    def home(self, tmp_path):
        """A server on this machine whose folder is `home/`; gives its address."""
        (tmp_path / "home").mkdir()

        class Silent(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=tmp_path / "home"))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()

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

    @pytest.mark.parametrize("name", ["absent.zip", "broken.zip"])
    def test_an_archive_that_cannot_be_had_tells_the_way_around(self, home, tmp_path, name):
        (tmp_path / "home" / "broken.zip").write_bytes(b"no archive")
        with pytest.raises(DataError, match="--from FOLDER"):
            download_zip(f"{home}/{name}", tmp_path / "data", FILES)


def test_every_known_data_set_tells_its_licence():
    assert all(dataset.licence and dataset.summary for dataset in datasets.ALL.values())
