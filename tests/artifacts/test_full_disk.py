"""A disk that is full, or fails, at any moment of writing a bundle or publishing one: nothing is lost, and the error says where.

Every call by which files are written, synced or named may be the one that fails; each is let fail in turn.
"""

import errno
import os
import resource
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest

from macrid.artifacts.bundle import Bundle, write_bundle
from macrid.artifacts.errors import StoreError
from macrid.artifacts.store import Store
from tests.support.bundles import make_bundle, make_contents

CALLS = (
    (os, "fsync"),
    (Path, "mkdir"),
    (Path, "rename"),
    (Path, "replace"),
    (Path, "write_bytes"),
    (shutil, "copyfile"),
)


class FailingDisk:
    """Counts the calls that write, and lets one of them fail: half done, where it can be."""

    def __init__(self, failing=None):
        self.calls = 0
        self.failing = failing

    @contextmanager
    def inserted(self):
        with pytest.MonkeyPatch.context() as patch:
            for owner, name in CALLS:
                patch.setattr(owner, name, self.watched(name, getattr(owner, name)))
            yield self

    def watched(self, name, original):
        def call(*arguments, **options):
            at = self.calls
            self.calls += 1
            if at != self.failing:
                return original(*arguments, **options)
            if name == "write_bytes":
                with arguments[0].open("wb") as stream:
                    stream.write(arguments[1][: len(arguments[1]) // 2])
            if name == "copyfile":
                Path(arguments[1]).write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))

        return call


@contextmanager
def files_of_at_most(size):
    """Let no file of this process grow larger, whichever language writes it."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def leftovers(folder):
    return sorted(path.name for path in folder.rglob("*.partial"))


class TestWriting:
    def test_wherever_the_disk_is_full_no_bundle_is_there_and_nothing_else_either(self, contents, tmp_path):
        folder = tmp_path / "runs" / "bundle"
        with FailingDisk().inserted() as disk:
            write_bundle(folder, contents)
        assert disk.calls > 10
        for at in range(disk.calls):
            shutil.rmtree(folder.parent, ignore_errors=True)
            with FailingDisk(at).inserted(), pytest.raises(OSError, match="No space left on device") as error:
                write_bundle(folder, contents)
            assert error.value.errno == errno.ENOSPC
            assert str(folder.parent if at >= 2 else tmp_path) in str(
                error.value
            )  # the first two make the folder around it
            assert leftovers(tmp_path) == []
            if folder.exists():  # it had its name already when the folder around it could not be synced
                Bundle.open(folder).close()
        shutil.rmtree(folder.parent)
        write_bundle(folder, contents)
        Bundle.open(folder).close()

    @pytest.mark.parametrize(
        ("file", "room"), [("catalogue.sqlite", 30_000), ("embeddings.safetensors", 50_000), ("concepts.json", 85_000)]
    )
    def test_a_disk_that_is_really_too_small_is_told_of_with_the_folder(self, tmp_path, file, room):
        contents = make_contents(tmp_path, items=12, dimensions=128, concepts=2)
        folder = tmp_path / "bundle"
        with files_of_at_most(room), pytest.raises(OSError, match=f"{folder} cannot be written: ") as error:
            write_bundle(folder, contents)
        assert "File too large" in str(error.value), file
        assert leftovers(tmp_path) == []
        assert not folder.exists()

    def test_a_catalogue_that_finds_no_room_is_not_left_half(self, tmp_path):
        with files_of_at_most(5000), pytest.raises(OSError, match=r"catalogue\.sqlite cannot be written: "):
            make_contents(tmp_path)
        assert not (tmp_path / "catalogue.sqlite").exists()


class TestPublishing:
    @pytest.fixture
    def bundles(self, tmp_path):
        return [make_bundle(tmp_path / str(seed), items=12, dimensions=4, seed=seed) for seed in (1, 2)]

    def test_wherever_the_disk_is_full_the_current_version_stays_and_the_error_names_the_store(self, bundles, tmp_path):
        store = Store(tmp_path / "store")
        first = store.publish(bundles[0])
        with FailingDisk().inserted() as disk:
            second = store.publish(bundles[1])
        assert disk.calls > 8
        for at in range(disk.calls):
            shutil.rmtree(store.root)
            store.publish(bundles[0])
            with FailingDisk(at).inserted(), pytest.raises(StoreError, match="No space left on device") as error:
                store.publish(bundles[1])
            assert str(store.root) in str(error.value)
            assert leftovers(store.root) == []
            bundle = store.open_current()
            bundle.close()
            last_call = at == disk.calls - 1  # the pointer was replaced already, only the folder's sync failed
            assert bundle.manifest.model_version == (second if last_call else first)
            assert store.publish(bundles[1]) == store.current() == second  # once there is room again
            assert store.roll_back() == first
