"""`macrid push` and `pull` by way of S3 (moto's server), of memory and of a folder: whole, verified, or not at all."""

import contextlib
import io
import sys
from pathlib import Path

import fsspec
import pytest

from macrid.artifacts.errors import BundleError, StoreError
from macrid.artifacts.remote import RemoteStore
from macrid.artifacts.store import Store
from macrid.cli import main
from macrid.cli.remote_files import FsspecFiles
from tests.support.bundles import make_bundle

SMALL = {"items": 20, "concepts": 2, "dimensions": 4}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return [make_bundle(folder / f"run-{seed}", seed=seed, **SMALL) for seed in range(3)]


@pytest.fixture(scope="module")
def s3():
    """The address of an S3 on this machine."""
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "moto")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "moto")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.filesystem("s3").mkdir("models")
        yield "s3://models"
    server.stop()


@pytest.fixture(params=["s3", "memory", "folder"])
def address(request, tmp_path):
    if request.param == "s3":
        return f"{request.getfixturevalue('s3')}/{tmp_path.name}"
    return f"memory://{tmp_path.name}" if request.param == "memory" else str(tmp_path / "a share" / "shop")


@pytest.fixture
def remote(address):
    return RemoteStore(FsspecFiles(address))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def in_memory(tmp_path):
    return RemoteStore(FsspecFiles(f"memory://{tmp_path.name}"))


class Breaking(FsspecFiles):
    """Files whose line breaks off after so many writings, the last of them half done."""

    def __init__(self, address, writings):
        super().__init__(address)
        self.left = writings

    def put(self, source, name):
        self.write(Path(source).read_bytes(), name)

    def write(self, data, name):
        if self.left == 0:
            super().write(data[: len(data) // 2], name)
            raise StoreError("the line broke off")
        self.left -= 1
        super().write(data, name)


class TestThereAndBack:
    def test_what_was_pushed_is_pulled_byte_by_byte_and_current(self, remote, store, bundles):
        version = remote.push(bundles[0])
        assert remote.pointer().model_version == version
        assert remote.pull(store) == version == store.current()
        store.open_current().close()
        for path in bundles[0].rglob("*.*"):
            assert (store.folder(version) / path.relative_to(bundles[0])).read_bytes() == path.read_bytes()
        assert remote.pull(store) is None
        assert store.leftovers() == []

    def test_the_next_version_follows_and_the_way_back_too(self, remote, store, bundles):
        first, second = remote.push(bundles[0]), remote.push(bundles[1])
        assert remote.pull(store) == second
        assert remote.roll_back() == first
        assert remote.pull(store) == first == store.current()
        assert remote.push(bundles[1]) == second
        assert [one.model_version for one in remote.pointer().previous] == [first]
        assert remote.pull(store) == second
        assert set(store.versions()) == {first, second}

    def test_a_version_made_again_at_another_time_is_the_same(self, in_memory, store, bundles, tmp_path, monkeypatch):
        version = in_memory.push(bundles[0])
        pointer = in_memory.pointer()
        monkeypatch.setattr("macrid.artifacts.manifest.datetime", type("Later", (), {"now": _later}))
        again = make_bundle(tmp_path / "again", seed=0, **SMALL)
        assert (again / "manifest.json").read_bytes() != (bundles[0] / "manifest.json").read_bytes()
        store.publish(again)
        assert in_memory.push(again) == version
        assert in_memory.pointer().manifest_sha256 == pointer.manifest_sha256
        assert in_memory.pull(store) is None
        assert in_memory.pull(Store(tmp_path / "other")) == version


def _later(zone):
    from datetime import datetime

    return datetime(2030, 1, 1, tzinfo=zone)


class TestBrokenOff:
    @pytest.mark.parametrize("writings", range(5))
    def test_a_push_that_breaks_off_changes_nothing_and_the_next_one_completes_it(
        self, in_memory, store, bundles, tmp_path, writings
    ):
        first = in_memory.push(bundles[0])
        with pytest.raises(StoreError, match="broke off"):
            RemoteStore(Breaking(in_memory.files.address, writings)).push(bundles[1])
        if writings < 4:  # three files and the manifest; the fifth writing is the pointer, which is half there then
            assert in_memory.pull(store) == first
        else:
            with pytest.raises(StoreError, match=r"current\.json"):
                in_memory.pull(store)
            assert store.current() is None
        second = in_memory.push(bundles[1])
        assert in_memory.pull(store) == second

    def test_what_is_there_whole_is_not_sent_again(self, in_memory, bundles):
        with pytest.raises(StoreError, match="broke off"):
            RemoteStore(Breaking(in_memory.files.address, 2)).push(bundles[0])
        counting = Breaking(in_memory.files.address, 100)
        RemoteStore(counting).push(bundles[0])
        assert 100 - counting.left == 3  # the third file, the manifest, the pointer

    def test_a_pull_that_breaks_off_leaves_the_old_version_current_and_nothing_half(self, in_memory, store, bundles):
        in_memory.push(bundles[0])
        first = in_memory.pull(store)
        in_memory.push(bundles[1])

        class Cut(FsspecFiles):
            def blocks(self, name):
                blocks = super().blocks(name)
                return self._cut(blocks) if name.endswith("catalogue.sqlite") else blocks

            def _cut(self, blocks):
                yield next(blocks)[:100]
                raise StoreError("the line broke off")

        with pytest.raises(StoreError, match="broke off"):
            RemoteStore(Cut(in_memory.files.address)).pull(store)
        assert (store.current(), store.versions(), store.leftovers()) == (first, [first], [])


class TestDamaged:
    @pytest.mark.parametrize("name", ["embeddings.safetensors", "catalogue.sqlite", "concepts.json", "manifest.json"])
    def test_a_wrong_byte_there_is_not_taken_in_and_the_file_is_named(self, in_memory, store, bundles, name):
        in_memory.push(bundles[0])
        first = in_memory.pull(store)
        version = in_memory.push(bundles[1])
        path = f"versions/{version}/{name}"
        data = bytearray(b"".join(in_memory.files.blocks(path)))
        data[len(data) // 2] ^= 1
        in_memory.files.write(bytes(data), path)
        with pytest.raises(BundleError, match=name):
            in_memory.pull(store)
        assert (store.current(), store.versions(), store.leftovers()) == (first, [first], [])
        assert in_memory.push(bundles[1]) == version  # mends it
        assert in_memory.pull(store) == version

    def test_an_earlier_version_that_is_damaged_is_not_rolled_back_to(self, in_memory, bundles):
        first, second = in_memory.push(bundles[0]), in_memory.push(bundles[1])
        in_memory.files.write(b"x", f"versions/{first}/concepts.json")
        with pytest.raises(StoreError, match=r"concepts\.json: has the SHA-256"):
            in_memory.roll_back()
        assert in_memory.pointer().model_version == second

    def test_a_pointer_that_leads_out_of_the_store_is_refused(self, in_memory, store, bundles):
        version = in_memory.push(bundles[0])
        pointer = b"".join(in_memory.files.blocks("current.json")).replace(version.encode(), b"../../etc")
        in_memory.files.write(pointer, "current.json")
        with pytest.raises(StoreError, match="expected a name, '-' and 12 hex digits"):
            in_memory.pull(store)

    def test_a_file_that_does_not_arrive_as_it_was_sent_is_not_made_current(self, in_memory, bundles):
        class Wrong(FsspecFiles):
            def put(self, source, name):
                self.write(Path(source).read_bytes()[:-1] + b"?", name)

        with pytest.raises(StoreError, match=r"when it is read back, expected"):
            RemoteStore(Wrong(in_memory.files.address)).push(bundles[0])
        assert in_memory.pointer() is None

    def test_a_damaged_bundle_is_not_pushed(self, in_memory, bundles, tmp_path):
        folder = make_bundle(tmp_path / "bundle", **SMALL)
        (folder / "concepts.json").write_text("[]")
        with pytest.raises(BundleError, match=r"concepts\.json"):
            in_memory.push(folder)
        assert in_memory.pointer() is None


class TestAddresses:
    def test_nothing_there(self, in_memory, store):
        with pytest.raises(StoreError, match="nothing has been pushed there"):
            in_memory.pull(store)
        with pytest.raises(StoreError, match="no earlier version"):
            in_memory.roll_back()

    def test_a_bucket_that_is_not_there_is_not_made(self, s3, bundles):
        with pytest.raises(StoreError, match=r"s3://typo/shop/versions/.* cannot be reached"):
            RemoteStore(FsspecFiles("s3://typo/shop")).push(bundles[0])
        assert not fsspec.filesystem("s3").exists("typo")

    @pytest.mark.parametrize(
        ("address", "words"),
        [
            ("nonsense://x", "Protocol not known"),
            ("sftp://ann:secret@host/x", "has a password in it"),
            ("gs://bucket", "pip install"),
        ],
    )
    def test_an_address_that_cannot_be_is_refused_without_its_secret(self, address, words):
        with pytest.raises(StoreError, match=words) as refused:
            FsspecFiles(address)
        assert "secret" not in str(refused.value)


def macrid(*arguments, expect=0):
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["macrid", *map(str, arguments)])
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), pytest.raises(SystemExit) as ended:
            main()
    assert (ended.value.code or 0) == expect, said.getvalue()
    return " ".join(said.getvalue().split())


class TestCommands:
    def test_push_pull_roll_back(self, s3, bundles, store):
        address = f"{s3}/commands"
        assert "it is current there" in macrid("push", bundles[0], address)
        assert "it is current there" in macrid("push", bundles[1], address)
        assert "it is current now" in macrid("pull", address, "--store", store.root)
        assert "is current already" in macrid("pull", address, "--store", store.root)
        assert f"is current now at {address}" in macrid("roll-back", "--at", address)
        assert "removed" in macrid("pull", address, "--store", store.root, "--keep", 0)
        assert store.versions() == [store.current()]
        assert "cannot be reached" in macrid("push", bundles[0], "s3://typo/shop", expect=2)

    def test_pull_goes_on_looking_and_says_once_what_is_wrong(self, in_memory, bundles, store, monkeypatch, capsys):
        naps = []

        def nap(seconds):
            naps.append(seconds)
            if len(naps) == 3:
                in_memory.push(bundles[0])
            if len(naps) == 5:
                raise KeyboardInterrupt

        monkeypatch.setattr("time.sleep", nap)
        monkeypatch.setattr(
            sys, "argv", ["macrid", "pull", in_memory.files.address, "--store", str(store.root), "--every", "7"]
        )
        with pytest.raises((SystemExit, KeyboardInterrupt)):
            main()
        said = capsys.readouterr().out
        assert naps == [7.0] * 5
        assert said.count("nothing has been pushed there") == 1
        assert said.count("it is current now") == 1
        assert store.current() is not None
