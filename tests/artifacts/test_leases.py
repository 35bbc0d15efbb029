"""Old versions are removed, but never one that somebody has open, in this process or another."""

import os
import signal
import subprocess
import sys

import pytest

from macrid.artifacts.errors import BundleError, StoreError
from macrid.artifacts.leases import Lease
from macrid.artifacts.store import Garbage, Store
from tests.support.bundles import make_bundle

SMALL = {"items": 12, "concepts": 2, "dimensions": 4}
HOLD = (
    "import sys, time; from pathlib import Path; from macrid.artifacts.store import Store; "
    "bundle = Store(Path(sys.argv[1])).open_current(); print('open', flush=True); time.sleep(600)"
)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return [make_bundle(folder / f"run-{seed}", seed=seed, **SMALL) for seed in range(4)]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def versions(store, bundles):
    """Four published versions, the current one last."""
    return [store.publish(bundle) for bundle in bundles]


class TestCollecting:
    def test_the_current_version_and_as_many_before_it_as_asked_are_kept(self, store, versions):
        assert set(store.collect_garbage(keep=1).removed) == set(versions[:2])
        assert set(store.versions()) == set(versions[2:])
        assert store.roll_back() == versions[2]

    def test_a_version_that_was_rolled_back_from_is_old(self, store, versions):
        store.roll_back()
        assert store.collect_garbage(keep=3) == Garbage((versions[3],), ())

    def test_a_dry_run_removes_nothing(self, store, versions):
        assert len(store.collect_garbage(keep=0, dry_run=True).removed) == 3
        assert set(store.versions()) == set(versions)

    def test_with_a_broken_pointer_nothing_is_removed(self, store, versions):
        (store.root / "current.json").write_text("{")
        with pytest.raises(StoreError, match=r"current\.json"):
            store.collect_garbage(keep=0)
        assert set(store.versions()) == set(versions)

    def test_what_a_crash_left_of_a_removal_is_swept_up(self, store, versions):
        store.folder(versions[0]).rename(store.root / "versions" / f".{versions[0]}.removed.partial")
        store.collect_garbage(keep=3)
        assert not list((store.root / "versions").glob(".*"))


class TestLeases:
    def test_what_this_process_has_open_stays_until_it_is_closed(self, store, bundles):
        first = store.publish(bundles[0])
        held = store.open_current()
        store.publish(bundles[1])
        assert store.collect_garbage(keep=0) == Garbage((), (first,))
        assert held.item_embeddings.shape == (12, 4)
        held.close()
        held.close()
        assert store.collect_garbage(keep=0) == Garbage((first,), ())

    def test_what_another_process_has_open_stays_until_it_is_killed(self, store, bundles):
        first = store.publish(bundles[0])
        holder = subprocess.Popen([sys.executable, "-c", HOLD, store.root], stdout=subprocess.PIPE, text=True)
        try:
            assert holder.stdout.readline() == "open\n"
            store.publish(bundles[1])
            assert store.collect_garbage(keep=0) == Garbage((), (first,))
        finally:
            os.kill(holder.pid, signal.SIGKILL)
            holder.communicate()
        assert store.collect_garbage(keep=0) == Garbage((first,), ())

    def test_a_bundle_that_is_refused_keeps_no_lease(self, store, bundles):
        first = store.publish(bundles[0])
        (store.folder(first) / "concepts.json").write_text("{}")
        with pytest.raises(BundleError):
            store.open_current()
        store.publish(bundles[1])
        assert store.collect_garbage(keep=0).removed == (first,)

    def test_a_version_that_goes_while_it_is_opened_is_not_leased(self, store, bundles, monkeypatch):
        first = store.publish(bundles[0])
        folder = store.folder(first)
        monkeypatch.setattr("macrid.artifacts.leases.fcntl.flock", lambda *_: folder.rename(folder.with_name("gone")))
        with pytest.raises(BundleError, match="was removed while it was opened"):
            Lease(folder)

    def test_a_store_that_may_only_be_read_can_be_leased(self, store, bundles):
        first = store.publish(bundles[0])
        (store.folder(first) / "manifest.json").chmod(0o400)
        store.open_current().close()
