"""Files appear whole or not at all, and JSON is strict."""

import os
import shutil
import time

import pytest

from macrid.artifacts import files
from macrid.artifacts.errors import BundleError
from macrid.artifacts.files import dump_json, folder_beside, make_folder, parse_json, read_json, replace_file, sweep
from tests.support.tampering import files_of


class TestAFolderWrittenBeside:
    def test_it_has_its_name_only_when_all_is_written(self, tmp_path):
        write_beside(tmp_path / "new")
        assert files_of(tmp_path) == ["new", "new/file"]

    def test_nothing_is_left_of_it_when_the_writer_fails(self, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            write_beside(tmp_path / "new", fail=True)
        assert files_of(tmp_path) == []

    def test_a_refusal_speaks_of_the_name_it_would_have_had(self, tmp_path):
        with pytest.raises(BundleError) as refusal, folder_beside(tmp_path / "new") as beside:
            raise BundleError(f"{beside}/file: is wrong")
        assert str(refusal.value) == f"{tmp_path}/new/file: is wrong"

    def test_a_full_folder_that_came_first_keeps_its_name(self, tmp_path):
        with pytest.raises(BundleError, match="new: exists already"), folder_beside(tmp_path / "new"):
            write_beside(tmp_path / "new")
        assert files_of(tmp_path) == ["new", "new/file"]

    def test_folders_above_are_made_and_their_entries_flushed(self, tmp_path, monkeypatch):
        synced = []
        monkeypatch.setattr(files, "sync", synced.append)
        make_folder(tmp_path / "a" / "b")
        assert synced == [tmp_path, tmp_path / "a"]
        make_folder(tmp_path / "a" / "b")
        assert len(synced) == 2


class TestAFileReplaced:
    def test_it_holds_the_new_bytes_and_nothing_lies_beside(self, tmp_path):
        replace_file(tmp_path / "file", b"old")
        replace_file(tmp_path / "file", b"new")
        assert (tmp_path / "file").read_bytes() == b"new"
        assert files_of(tmp_path) == ["file"]

    def test_it_holds_the_old_bytes_when_the_disk_fails(self, tmp_path, monkeypatch):
        replace_file(tmp_path / "file", b"old")

        def fail(_):
            raise OSError("input/output error")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="input/output error"):
            replace_file(tmp_path / "file", b"new")
        assert (tmp_path / "file").read_bytes() == b"old"
        assert files_of(tmp_path) == ["file"]


def test_sweeping_takes_what_a_crash_left_and_nothing_else(tmp_path):
    (tmp_path / ".version.0123abcd.partial").mkdir()
    (tmp_path / ".version.0123abcd.partial" / "file").touch()
    (tmp_path / ".current.json.0123abcd.partial").touch()
    (tmp_path / ".lock").touch()
    (tmp_path / "version").mkdir()
    sweep(tmp_path)
    assert files_of(tmp_path) == [".lock", "version"]


class TestWhatAKilledWriterLeft:
    def left(self, folder, name, age):
        leftover = folder / name
        leftover.mkdir()
        (leftover / "half").touch()
        os.utime(leftover, (time.time() - age,) * 2)
        return leftover

    def write(self, folder):
        with folder_beside(folder) as beside:
            (beside / "whole").touch()

    def test_the_next_writer_of_the_same_name_sweeps_it_up(self, tmp_path):
        self.left(tmp_path, ".a[b].0123abcd.partial", 3600)
        self.write(tmp_path / "a[b]")
        assert files_of(tmp_path) == ["a[b]", "a[b]/whole"]

    def test_what_is_fresh_or_of_another_name_stays(self, tmp_path):
        fresh = self.left(tmp_path, ".shop.0123abcd.partial", 5)
        others = [self.left(tmp_path, name, 3600) for name in (".shop-2.0123abcd.partial", ".shop.mine.partial")]
        self.write(tmp_path / "shop")
        assert all(folder.is_dir() for folder in (fresh, *others))

    def test_what_another_still_writes_stays(self, tmp_path):
        with folder_beside(tmp_path / "shop") as beside:
            os.utime(beside, (time.time() - 3600,) * 2)
            self.write(tmp_path / "shop")
            assert beside.is_dir()
            shutil.rmtree(tmp_path / "shop")
        assert files_of(tmp_path) == ["shop"]


class TestJson:
    def test_keys_stand_in_order_and_text_as_it_is(self):
        assert dump_json({"b": "☃", "a": 1}, "here") == '{\n "a": 1,\n "b": "☃"\n}\n'.encode()

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"bytes", "\ud800", {(1, 2): 3}])
    def test_what_json_cannot_say_is_refused(self, value):
        with pytest.raises(BundleError, match="here: cannot be written as JSON"):
            dump_json({"value": value}, "here")

    def test_what_is_written_is_parsed(self):
        value = {"a": [1, 2.5, None, True, "☃ \U0001f45c"], "b": {}}
        assert parse_json(dump_json(value, "here"), "here") == value

    @pytest.mark.parametrize(
        "data", [b"NaN", b"1e999", b"-1e999", b'"\\udc00"', b'["\\ud83d", "\\udc5c"]', b"\xff", b""]
    )
    def test_what_is_not_strict_is_refused(self, data):
        with pytest.raises(BundleError, match="here: cannot be read as JSON"):
            parse_json(data, "here")

    def test_a_name_that_stands_twice_in_an_object_is_refused_by_name(self):
        assert parse_json(b'[{"a": 1}, {"a": {"a": 2}}]', "here") == [{"a": 1}, {"a": {"a": 2}}]
        with pytest.raises(BundleError, match="here: cannot be read as JSON: the name 'a' stands twice in one object"):
            parse_json(b'{"a": 1, "b": {}, "a": 1}', "here")

    def test_a_backslash_before_the_letter_u_is_no_escape(self):
        assert parse_json(rb'"\\ud800"', "here") == "\\ud800"

    def test_a_file_too_large_to_be_one_of_ours_is_not_read(self, tmp_path, monkeypatch):
        monkeypatch.setattr(files, "MAX_JSON_BYTES", 3)
        (tmp_path / "file").write_bytes(b"1234")
        with pytest.raises(BundleError, match="file: has 4 bytes; expected at most 3"):
            read_json(tmp_path / "file")


def write_beside(folder, *, fail=False):
    with folder_beside(folder) as beside:
        (beside / "file").touch()
        assert not folder.exists()
        if fail:
            raise KeyboardInterrupt
