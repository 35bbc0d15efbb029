"""A store has one current version, whole and unchanged since it was published, or says what is wrong and keeps the old one."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from macrid.artifacts import pointer as pointer_module
from macrid.artifacts.errors import BundleError, StoreError
from macrid.artifacts.pointer import MAX_HISTORY, Published
from macrid.artifacts.store import Store
from tests.support.bundles import make_bundle
from tests.support.tampering import described, edit_json, files_of, flip_a_byte, restate

SMALL = {"items": 12, "concepts": 2, "dimensions": 4}
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Three bundles of three versions, which no test changes."""
    folder = tmp_path_factory.mktemp("bundles")
    return [make_bundle(folder / f"run-{seed}", seed=seed, **SMALL) for seed in range(3)]


@pytest.fixture
def store(tmp_path):
    """A store in which nothing has been published."""
    return Store(tmp_path / "store")


def current_version(store):
    """The version that opens as the current one."""
    bundle = store.open_current()
    bundle.close()
    return bundle.manifest.model_version


class TestAnEmptyStore:
    def test_it_has_no_versions_and_no_folder(self, store):
        assert store.versions() == []
        assert store.current() is None
        assert store.pointer() is None
        assert not store.root.exists()

    def test_opening_says_what_to_do(self, store):
        with pytest.raises(StoreError, match="nothing has been published; train with `macrid train"):
            store.open_current()

    def test_there_is_nothing_to_roll_back_to(self, store):
        with pytest.raises(StoreError, match="there is no earlier version to roll back to"):
            store.roll_back()


class TestPublishing:
    def test_a_bundle_is_copied_and_made_current(self, store, bundles):
        version = store.publish(bundles[0])
        assert store.current() == version
        assert store.versions() == [version]
        assert files_of(store.folder(version)) == files_of(bundles[0])
        bundle = store.open_current()
        assert bundle.folder == store.folder(version)
        assert bundle.manifest.model_version == version
        bundle.close()

    def test_the_pointer_says_what_when_and_what_was_before(self, store, bundles):
        first, second = (store.publish(bundle) for bundle in bundles[:2])
        pointer = json.loads((store.root / "current.json").read_text())
        hashes = {version: described(store.folder(version) / "manifest.json")["sha256"] for version in (first, second)}
        assert pointer.pop("published_at").endswith("Z")
        assert pointer == {
            "model_version": second,
            "manifest_sha256": hashes[second],
            "previous": [{"model_version": first, "manifest_sha256": hashes[first]}],
        }

    def test_publishing_the_same_again_is_harmless(self, store, bundles):
        first, second = (store.publish(bundle) for bundle in bundles[:2])
        assert store.publish(bundles[1]) == second
        assert store.current() == second
        assert [published.model_version for published in store.pointer().previous] == [first]

    def test_a_version_of_the_store_may_be_published_from_the_store(self, store, bundles):
        first, second = (store.publish(bundle) for bundle in bundles[:2])
        store.publish(store.folder(first))
        assert current_version(store) == first
        assert [published.model_version for published in store.pointer().previous] == [second]

    def test_the_one_that_came_last_is_listed_first(self, store, bundles):
        versions = [store.publish(bundle) for bundle in (bundles[2], bundles[0], bundles[1])]
        assert store.versions() == versions[::-1]

    def test_the_pointer_remembers_so_many_and_no_more(self, store, bundles, monkeypatch):
        monkeypatch.setattr(pointer_module, "MAX_HISTORY", 1)
        first, second, third = (store.publish(bundle) for bundle in bundles)
        assert [published.model_version for published in store.pointer().previous] == [second]
        assert MAX_HISTORY == 50
        assert store.versions() == [third, second, first]

    def test_the_bundle_itself_may_be_removed_afterwards(self, store, bundles, tmp_path):
        folder = shutil.copytree(bundles[0], tmp_path / "run")
        version = store.publish(folder)
        shutil.rmtree(folder)
        assert current_version(store) == version

    def test_what_the_store_holds_may_be_read_by_whoever_may_read_its_folder(self, store, bundles, tmp_path):
        folder = shutil.copytree(bundles[0], tmp_path / "run")
        (folder / "embeddings.safetensors").chmod(0o600)
        held = store.folder(store.publish(folder))
        umask = os.umask(0)
        os.umask(umask)
        assert {path.stat().st_mode & 0o777 for path in held.iterdir()} == {0o666 & ~umask}


class TestRefusingToPublish:
    @pytest.mark.parametrize("name", ["embeddings.safetensors", "catalogue.sqlite", "concepts.json", "manifest.json"])
    def test_a_damaged_bundle_is_refused_by_its_own_file_and_the_current_version_stays(
        self, store, bundles, tmp_path, name
    ):
        before = store.publish(bundles[0])
        damaged = shutil.copytree(bundles[1], tmp_path / "damaged")
        flip_a_byte(damaged / name, at=100)
        with pytest.raises(BundleError, match=f"{damaged}/{name}: "):
            store.publish(damaged)
        assert current_version(store) == before
        assert store.versions() == [before]

    def test_a_copy_that_went_wrong_is_refused_and_leaves_nothing_behind(self, store, bundles, monkeypatch):
        before = store.publish(bundles[0])
        copyfile = shutil.copyfile

        def copy_badly(source, target):
            copyfile(source, target)
            if target.name == "concepts.json":
                flip_a_byte(target)

        monkeypatch.setattr(shutil, "copyfile", copy_badly)
        with pytest.raises(BundleError, match=r"store/versions/test-shop-\w+/concepts\.json: SHA-256 is"):
            store.publish(bundles[1])
        assert current_version(store) == before
        assert files_of(store.root / "versions") == files_of_versions(store, before)

    def test_a_version_damaged_in_the_store_is_refused_with_what_to_do(self, store, bundles):
        first, second = (store.publish(bundle) for bundle in bundles[:2])
        flip_a_byte(store.folder(first) / "concepts.json")
        with pytest.raises(BundleError) as refusal:
            store.publish(bundles[0])
        folder = store.folder(first)
        assert str(refusal.value).startswith(f"{folder}/concepts.json: SHA-256 is")
        assert str(refusal.value).endswith(f"damaged: remove {folder} and publish again")
        assert current_version(store) == second
        shutil.rmtree(folder)  # as it says
        assert store.publish(bundles[0]) == first
        assert current_version(store) == first

    def test_publishing_again_does_not_bless_a_manifest_that_was_changed(self, store, bundles):
        version = store.publish(bundles[0])
        edit_json(store.folder(version) / "manifest.json", lambda manifest: manifest.update(created_at="1999"))
        with pytest.raises(
            BundleError, match=r"manifest\.json: SHA-256 is .* as published; the store has this version"
        ):
            store.publish(bundles[0])

    def test_a_folder_that_holds_another_version_than_its_name_says_is_refused(self, store, bundles):
        version = store.publish(bundles[0])
        other = json.loads((bundles[1] / "manifest.json").read_text())["model_version"]
        shutil.copytree(store.folder(version), store.folder(other))
        with pytest.raises(BundleError, match=rf"manifest\.json: is of the version {version}, expected {other}"):
            store.publish(bundles[1])

    @pytest.mark.parametrize("place", ["nowhere", "."])
    def test_what_is_no_bundle_is_refused(self, store, tmp_path, place):
        with pytest.raises(BundleError, match=r"manifest\.json: is not there"):
            store.publish(tmp_path / place)
        assert not store.root.exists()

    def test_a_store_that_cannot_be_written_is_an_error_of_the_store(self, bundles, tmp_path):
        (tmp_path / "store").write_text("a file where a folder should be")
        with pytest.raises(StoreError, match="store: the store cannot be changed: "):
            Store(tmp_path / "store").publish(bundles[0])


class TestCrashes:
    def test_between_the_copy_and_the_pointer_the_old_version_stays_current(self, store, bundles, monkeypatch):
        before = store.publish(bundles[0])
        with monkeypatch.context() as patch:
            patch.setattr(Store, "_point_to", die)
            with pytest.raises(Killed):
                store.publish(bundles[1])
        assert current_version(store) == before
        assert len(store.versions()) == 2
        after = store.publish(bundles[1])
        assert current_version(store) == after
        assert [published.model_version for published in store.pointer().previous] == [before]

    def test_while_the_pointer_is_written_the_old_version_stays_current(self, store, bundles, monkeypatch):
        before = store.publish(bundles[0])
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", die)
            with pytest.raises(Killed):
                store.publish(bundles[1])
        assert current_version(store) == before

    def test_what_a_killed_publisher_left_is_swept_up_by_the_next(self, store, bundles):
        before = store.publish(bundles[0])
        (store.root / ".current.json.0123abcd.partial").touch()
        shutil.copytree(bundles[1], store.root / "versions" / ".test-shop-x.0123abcd.partial")
        assert store.versions() == [before]
        store.publish(bundles[0])
        assert files_of(store.root / "versions") == files_of_versions(store, before)
        assert sorted(path.name for path in store.root.iterdir()) == [".lock", "current.json", "versions"]


class TestTogether:
    def test_two_processes_publish_at_once_and_both_versions_are_whole(self, store, bundles):
        code = "import sys; from pathlib import Path; from macrid.artifacts.store import Store; sys.stdin.readline()\n"
        code += "print(Store(Path(sys.argv[1])).publish(Path(sys.argv[2])))"
        publishers = [
            subprocess.Popen(
                [sys.executable, "-c", code, store.root, bundle],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for bundle in (bundles[0], bundles[1], bundles[1])
        ]
        for publisher in publishers:
            publisher.stdin.write("go\n")
            publisher.stdin.flush()
        versions = {publisher.communicate(timeout=60)[0].strip() for publisher in publishers}
        assert [publisher.returncode for publisher in publishers] == [0, 0, 0]
        assert set(store.versions()) == versions
        history = [published.model_version for published in store.pointer().history()]
        assert sorted(history) == sorted(versions)
        assert current_version(store) == history[0]

    def test_readers_see_one_whole_version_or_the_other_while_publishers_alternate(self, store, bundles):
        versions = {store.publish(bundle) for bundle in bundles[:2]}
        seen, stop = set(), threading.Event()

        def read():
            while not stop.is_set():
                seen.add(current_version(store))

        reader = threading.Thread(target=read)
        reader.start()
        for at in range(12):
            store.publish(bundles[at % 2])
        stop.set()
        reader.join()
        assert seen <= versions
        assert seen


class TestRollingBack:
    def test_it_goes_back_one_by_one_to_the_first(self, store, bundles):
        first, second, third = (store.publish(bundle) for bundle in bundles)
        assert current_version(store) == third
        assert store.roll_back() == second
        assert current_version(store) == second
        assert store.roll_back() == first
        assert current_version(store) == first
        with pytest.raises(StoreError, match="there is no earlier version to roll back to"):
            store.roll_back()
        assert current_version(store) == first
        assert set(store.versions()) == {first, second, third}

    def test_publishing_goes_forward_again(self, store, bundles):
        first, second = (store.publish(bundle) for bundle in bundles[:2])
        store.roll_back()
        assert store.publish(bundles[1]) == second
        assert store.roll_back() == first

    def test_a_version_published_twice_is_gone_back_to_once(self, store, bundles):
        first, second = store.publish(bundles[0]), store.publish(bundles[1])
        store.publish(bundles[0])
        assert store.roll_back() == second
        with pytest.raises(StoreError, match="no earlier version"):
            store.roll_back()
        assert first in store.versions()

    def test_a_version_that_was_removed_is_passed_over(self, store, bundles):
        first, second, _ = (store.publish(bundle) for bundle in bundles)
        shutil.rmtree(store.folder(second))
        assert store.roll_back() == first

    @pytest.mark.parametrize("name", ["embeddings.safetensors", "manifest.json"])
    def test_a_damaged_version_is_refused_and_the_current_one_stays(self, store, bundles, name):
        first, second = (store.publish(bundle) for bundle in bundles[:2])
        flip_a_byte(store.folder(first) / name)
        with pytest.raises(BundleError, match=f"{store.folder(first)}/{name}: SHA-256 is"):
            store.roll_back()
        assert current_version(store) == second

    def test_a_manifest_that_was_changed_is_refused_even_where_it_fits_itself(self, store, bundles):
        first, second = (store.publish(bundle) for bundle in bundles[:2])
        edit_json(store.folder(first) / "manifest.json", lambda manifest: manifest.update(data={"file": "other.csv"}))
        with pytest.raises(BundleError, match=r"manifest\.json: SHA-256 is .* as published"):
            store.roll_back()
        assert current_version(store) == second


class TestOpeningTheCurrent:
    def test_a_manifest_changed_after_publishing_is_refused_even_where_it_fits_itself(self, store, bundles):
        version = store.publish(bundles[0])
        flip_a_byte(store.folder(version) / "concepts.json", at=-3)
        restate(store.folder(version))
        with pytest.raises(
            BundleError, match=r"manifest\.json: SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64} as published"
        ):
            store.open_current()

    def test_a_version_that_was_removed_is_missed_by_its_name(self, store, bundles):
        version = store.publish(bundles[0])
        shutil.rmtree(store.folder(version))
        with pytest.raises(BundleError, match=rf"{version}/manifest\.json: is not there, but {version} is a published"):
            store.open_current()


class TestABrokenPointer:
    @pytest.mark.parametrize(
        "data",
        [b"", b"{", b"[]", b"null", b"\xff", b"{}", b'{"model_version": NaN}', b"[" * 100_000],
        ids=lambda data: repr(data[:24]),
    )
    def test_it_is_named_with_the_versions_there_are(self, store, bundles, data):
        first, second = (store.publish(bundle) for bundle in bundles[:2])
        (store.root / "current.json").write_bytes(data)
        for ask in (store.pointer, store.current, store.open_current, store.roll_back):
            with pytest.raises(StoreError) as refusal:
                ask()
            assert str(refusal.value).startswith(f"{store.root}/current.json: ")
            assert "publish a version again to replace it" in str(refusal.value)
            assert str(refusal.value).endswith(f"{second}, {first})")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("model_version", "../../elsewhere-0123456789ab"),
            ("model_version", ""),
            ("model_version", None),
            ("manifest_sha256", 3),
            ("published_at", None),
            ("previous", ["shop-0123456789ab"]),
            ("previous", [{"model_version": "/etc", "manifest_sha256": ""}]),
            ("note", "surplus"),
        ],
    )
    def test_a_field_that_does_not_fit_breaks_it(self, store, bundles, field, value):
        store.publish(bundles[0])
        edit_json(store.root / "current.json", lambda pointer: pointer.update({field: value}))
        with pytest.raises(StoreError, match=r"current\.json: "):
            store.open_current()

    def test_a_link_to_nowhere_is_broken_and_not_an_empty_store(self, store, bundles):
        store.publish(bundles[0])
        (store.root / "current.json").unlink()
        (store.root / "current.json").symlink_to(store.root / "nowhere")
        with pytest.raises(StoreError, match=r"current\.json: is not there, or is no file"):
            store.current()

    def test_publishing_repairs_it(self, store, bundles):
        version = store.publish(bundles[0])
        (store.root / "current.json").write_text("{")
        assert store.publish(bundles[0]) == version
        assert current_version(store) == version
        assert store.pointer().history() == (
            Published(version, described(store.folder(version) / "manifest.json")["sha256"]),
        )


class Killed(BaseException):
    """A process that ends here and now."""


def die(*_):
    raise Killed


def files_of_versions(store, *versions):
    """What the folder of versions holds when there is nothing in it but these."""
    return sorted(
        name
        for version in versions
        for name in (version, *(f"{version}/{file}" for file in files_of(store.folder(version))))
    )


class TestRecallFloor:
    """An index that is not exact must have been measured, and find enough of the true answers."""

    @pytest.mark.parametrize("recall", [0.979, None, "high"])
    def test_a_bundle_below_it_is_refused_and_named(self, tmp_path, recall):
        index = {"kind": "ivf_sq8", "recall@20": 0.999, "recall@100": recall}
        folder = make_bundle(tmp_path / "bundle", index=index, index_bytes=b"an index")
        with pytest.raises(
            StoreError, match=rf"bundle: the recall@100 of its index is {recall!r}, expected at least 0.98"
        ):
            Store(tmp_path / "store").publish(folder)
        assert Store(tmp_path / "store").current() is None

    def test_the_floor_can_be_moved(self, tmp_path):
        index = {"kind": "ivf_sq8", "recall@20": 0.97, "recall@100": 0.96}
        folder = make_bundle(tmp_path / "bundle", index=index, index_bytes=b"an index")
        assert Store(tmp_path / "store").publish(folder, recall_floor=0.95).startswith("test-shop-")

    def test_exact_ones_need_none(self, tmp_path):
        folder = make_bundle(tmp_path / "bundle", index={"kind": "flat"}, index_bytes=b"an index")
        assert Store(tmp_path / "store").publish(folder).startswith("test-shop-")
