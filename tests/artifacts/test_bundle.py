"""Bundles are written whole or not at all, and opened as they were written or not at all."""

import sqlite3
import stat
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from macrid.artifacts import bundle as bundle_module
from macrid.artifacts import files, manifest, schema
from macrid.artifacts.bundle import Bundle, write_bundle
from macrid.artifacts.errors import BundleError, CatalogueError
from tests.support.bundles import make_contents
from tests.support.tampering import edit_json, files_of, flip_a_byte, restate


class TestWriting:
    def test_what_is_written_is_what_is_read(self, tmp_path, contents):
        written = write_bundle(tmp_path / "bundle", replace(contents, metrics={"ndcg@100": 0.3}, fitted_on="all_users"))
        bundle = Bundle.open(tmp_path / "bundle")
        assert bundle.manifest == written
        assert bundle.concepts == contents.concepts
        assert (bundle.manifest.items, bundle.manifest.concepts, bundle.manifest.dimensions) == (12, 2, 4)
        assert (bundle.manifest.temperature, bundle.manifest.fitted_on) == (0.1, "all_users")
        assert bundle.manifest.metrics == {"ndcg@100": 0.3}
        for name, array in contents.arrays.items():
            np.testing.assert_array_equal(getattr(bundle, name), array)
        assert bundle.catalogue.item(0).item_id == "a/walk"
        assert bundle.index_path is None
        bundle.close()

    def test_an_index_is_carried_as_it_is(self, tmp_path, contents):
        write_bundle(tmp_path / "bundle", replace(contents, index={"kind": "flat"}, index_bytes=b"an index"))
        bundle = Bundle.open(tmp_path / "bundle")
        assert bundle.index_path == tmp_path / "bundle" / "index" / "by_concept.faiss"
        assert bundle.index_path.read_bytes() == b"an index"
        bundle.close()

    def test_the_same_contents_have_the_same_version_whenever_and_wherever_they_are_written(
        self, tmp_path, contents, monkeypatch
    ):
        manifests = []
        for second in (1, 2):
            monkeypatch.setattr(manifest, "datetime", clock(second))
            (scratch := tmp_path / f"scratch-{second}").mkdir()
            again = make_contents(scratch, items=12, concepts=2, dimensions=4)
            manifests.append(write_bundle(tmp_path / f"bundle-{second}", replace(again, data={"file": str(scratch)})))
        first, second = manifests
        assert first.model_version == second.model_version
        assert first.files == second.files
        assert (first.created_at, second.created_at) == ("2030-01-01T00:00:01Z", "2030-01-01T00:00:02Z")

    @pytest.mark.parametrize(
        "change",
        [
            {"name": "other-shop"},
            {"training": {"epochs": 3}},
            {"metrics": {"ndcg@100": 0.3}},
            {"index": {"kind": "flat"}},
            {"index_bytes": b"an index"},
            {"fitted_on": "all_users"},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_other_contents_have_another_version(self, tmp_path, contents, change):
        first = write_bundle(tmp_path / "first", contents)
        second = write_bundle(tmp_path / "second", replace(contents, **change))
        assert first.model_version != second.model_version

    def test_one_other_number_gives_another_version(self, tmp_path, contents):
        first = write_bundle(tmp_path / "first", contents)
        popularity = contents.arrays["popularity"] + np.eye(1, 12, dtype=np.int64)[0]
        second = write_bundle(
            tmp_path / "second", replace(contents, arrays={**contents.arrays, "popularity": popularity})
        )
        assert first.model_version != second.model_version

    def test_what_json_changes_does_not_make_a_bundle_contradict_itself(self, tmp_path, contents):
        # 20 sorts before 100, "100" before "20"; 1 is read back as 1.0, a tuple as a list.
        metrics = {"recall": {20: 0.1, 100: 0.2}, "seeds": (1, 2)}
        written = write_bundle(tmp_path / "bundle", replace(contents, metrics=metrics, **at_temperature_one(contents)))
        assert written.metrics == {"recall": {"20": 0.1, "100": 0.2}, "seeds": [1, 2]}
        assert (written.temperature, type(written.temperature)) == (1.0, float)
        bundle = Bundle.open(tmp_path / "bundle")
        assert bundle.manifest == written
        bundle.close()

    def test_whoever_may_read_the_manifest_may_read_every_file(self, pristine):
        modes = {stat.S_IMODE(path.stat().st_mode) for path in pristine.rglob("*") if path.is_file()}
        assert modes == {stat.S_IMODE((pristine / "manifest.json").stat().st_mode)}


class TestRefusingToWrite:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"name": "../shop"}, "'../shop' cannot be used"),
            ({"name": ""}, "'' cannot be used"),
            ({"name": "x" * 101}, "at most 100 letters"),
            ({"name": "shop\n"}, "cannot be used"),
            ({"temperature": 0.0}, "temperature is 0.0"),
            ({"temperature": -0.1}, "temperature is -0.1"),
            ({"temperature": float("nan")}, "temperature is nan"),
            ({"temperature": float("inf")}, "temperature is inf"),
            ({"temperature": 1e-300}, "concept_weights"),
            ({"fitted_on": "some_users"}, "fitted_on: is 'some_users', expected 'training_users' or 'all_users'"),
            ({"metrics": {"ndcg": float("nan")}}, "cannot be written as JSON"),
            ({"metrics": {"ndcg": np.float32(0.3)}}, "cannot be written as JSON"),
            ({"training": {"loss": float("inf")}}, "cannot be written as JSON"),
            ({"data": {"file": "\ud800"}}, "cannot be written as JSON"),
            ({"training": {"lock": open}}, "cannot be written as JSON"),
            ({"concepts": ()}, "concepts are numbered"),
            ({"catalogue": Path("nowhere.sqlite")}, "nowhere.sqlite: the catalogue is not there"),
        ],
        ids=str,
    )
    def test_contents_that_break_the_format_leave_nothing_behind(self, tmp_path, contents, change, message):
        before = files_of(tmp_path)
        with pytest.raises(BundleError) as refusal:
            write_bundle(tmp_path / "new" / "bundle", replace(contents, **change))
        assert message in str(refusal.value)
        assert ".partial" not in str(refusal.value)
        assert [name for name in files_of(tmp_path) if name not in before] in ([], ["new"])

    def test_an_array_that_breaks_the_format_leaves_nothing_behind(self, tmp_path, contents):
        arrays = {**contents.arrays, "popularity": contents.arrays["popularity"].astype(np.int32)}
        with pytest.raises(BundleError, match="array popularity is int32"):
            write_bundle(tmp_path / "bundle", replace(contents, arrays=arrays))
        assert not (tmp_path / "bundle").exists()

    def test_a_fault_that_only_reading_shows_is_named_in_the_folder_asked_for(self, tmp_path, contents):
        twice = (contents.concepts[0], replace(contents.concepts[1], id=contents.concepts[0].id))
        with pytest.raises(BundleError) as refusal:
            write_bundle(tmp_path / "bundle", replace(contents, concepts=twice))
        assert str(refusal.value).startswith(f"{tmp_path / 'bundle' / 'concepts.json'}: two concepts have the same id")
        assert files_of(tmp_path) == ["scratch", "scratch/catalogue.sqlite"]

    @pytest.mark.parametrize("kind", ["full", "empty", "file", "link to nowhere"])
    def test_what_exists_is_not_written_over(self, tmp_path, contents, kind):
        place = tmp_path / "bundle"
        {
            "full": lambda: (place.mkdir(), (place / "precious").touch()),
            "empty": place.mkdir,
            "file": place.touch,
            "link to nowhere": lambda: place.symlink_to(tmp_path / "nowhere"),
        }[kind]()
        before = files_of(tmp_path)
        with pytest.raises(BundleError, match="exists already"):
            write_bundle(place, contents)
        assert files_of(tmp_path) == before

    def test_a_full_disk_leaves_nothing_behind(self, tmp_path, contents, monkeypatch):
        def full(*_):
            raise OSError("no space left on device")

        monkeypatch.setattr(bundle_module, "write_manifest", full)
        with pytest.raises(OSError, match="no space left"):
            write_bundle(tmp_path / "bundle", contents)
        assert files_of(tmp_path) == ["scratch", "scratch/catalogue.sqlite"]

    def test_of_two_writers_the_slower_is_refused_and_the_faster_keeps_its_bundle(
        self, tmp_path, contents, monkeypatch
    ):
        def overtake(_):
            (tmp_path / "bundle").mkdir()
            (tmp_path / "bundle" / "of the faster").touch()

        monkeypatch.setattr(files, "sync_tree", overtake)
        with pytest.raises(BundleError, match="exists already; another writer was faster"):
            write_bundle(tmp_path / "bundle", contents)
        assert files_of(tmp_path / "bundle") == ["of the faster"]
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    def test_everything_is_synced_before_it_gets_its_name_and_the_name_after(self, tmp_path, contents, monkeypatch):
        synced = []
        monkeypatch.setattr(files, "sync", lambda path: synced.append((path.name, (tmp_path / "bundle").exists())))
        write_bundle(tmp_path / "bundle", contents)
        before = [name for name, named in synced if not named]
        assert {"manifest.json", "embeddings.safetensors", "catalogue.sqlite", "concepts.json"} < set(before)
        assert before[-1].endswith(".partial")
        assert synced[-1] == (tmp_path.name, True)


class TestOpening:
    def test_closing_twice_is_harmless_and_arrays_outlive_it(self, pristine):
        bundle = Bundle.open(pristine)
        bundle.close()
        bundle.close()
        assert bundle.prototypes.shape == (2, 4)
        with pytest.raises(CatalogueError, match="is closed"):
            bundle.catalogue.item(0)

    @pytest.mark.parametrize(
        "name", ["embeddings.safetensors", "catalogue.sqlite", "concepts.json", "index/by_concept.faiss"]
    )
    def test_one_other_bit_in_a_file_is_refused_by_its_name(self, folder, name):
        flip_a_byte(folder / name)
        with pytest.raises(BundleError, match=f"{name}: SHA-256 is [0-9a-f]{{64}}, expected [0-9a-f]{{64}}"):
            Bundle.open(folder)

    @pytest.mark.parametrize(
        "name", ["embeddings.safetensors", "catalogue.sqlite", "concepts.json", "index/by_concept.faiss"]
    )
    def test_a_missing_file_is_refused_by_its_name(self, folder, name):
        (folder / name).unlink()
        with pytest.raises(BundleError, match=f"{name}: is listed in the manifest but is not a file here"):
            Bundle.open(folder)

    def test_a_file_cut_short_is_refused_with_both_sizes(self, folder):
        path = folder / "embeddings.safetensors"
        size = path.stat().st_size
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(BundleError, match=f"{path}: has {size - 1} bytes, expected {size}"):
            Bundle.open(folder)

    @pytest.mark.parametrize("name", ["notes.txt", "index/other.faiss", ".hidden", "manifest.json.bak"])
    def test_a_file_that_is_not_listed_is_refused(self, folder, name):
        (folder / name).touch()
        with pytest.raises(BundleError, match=f"{name}: is not a plain file that the manifest lists"):
            Bundle.open(folder)

    @pytest.mark.parametrize("name", ["embeddings.safetensors", "manifest.json", "index"])
    def test_a_link_is_refused_even_to_the_right_bytes(self, folder, tmp_path, name):
        (folder / name).rename(tmp_path / "elsewhere")
        (folder / name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(BundleError, match=f"{name}: is not a plain file"):
            Bundle.open(folder)

    def test_a_folder_that_is_not_there_is_refused(self, tmp_path):
        with pytest.raises(BundleError, match=r"nowhere/manifest\.json: is not there"):
            Bundle.open(tmp_path / "nowhere")

    def test_without_verifying_bytes_are_trusted_but_shapes_are_not(self, folder):
        flip_a_byte(folder / "embeddings.safetensors")
        Bundle.open(folder, verify=False).close()
        restate(folder, dimensions=5)
        with pytest.raises(BundleError, match=r"expected \w+ of shape"):
            Bundle.open(folder, verify=False)

    def test_arrays_are_held_to_their_invariants_even_when_checksums_fit(self, folder):
        restate(folder, temperature=0.2)
        with pytest.raises(BundleError, match=r"embeddings\.safetensors: array concept_weights has row"):
            Bundle.open(folder)


class TestTheCatalogue:
    def test_one_with_another_number_of_items_is_refused(self, folder, tmp_path):
        (scratch := tmp_path / "scratch").mkdir()
        other = make_contents(scratch, items=13, concepts=2, dimensions=4)
        (folder / "catalogue.sqlite").write_bytes(other.catalogue.read_bytes())
        restate(folder)
        with pytest.raises(BundleError, match=r"catalogue\.sqlite: holds 13 items, expected 12"):
            Bundle.open(folder)

    @pytest.mark.parametrize("data", [b"", b"no database", b"SQLite format 3\0" + b"\0" * 84])
    def test_what_is_no_database_is_refused(self, folder, data):
        (folder / "catalogue.sqlite").write_bytes(data)
        restate(folder)
        with pytest.raises(BundleError, match=r"catalogue\.sqlite: "):
            Bundle.open(folder)

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at open files, which only Linux lists")
    @pytest.mark.parametrize("fault", ["items", "database", "concepts"])
    def test_nothing_stays_open_when_a_bundle_is_refused(self, folder, fault):
        if fault == "items":
            (folder / "embeddings.safetensors").write_bytes(b"")
        if fault == "database":
            with closing(sqlite3.connect(folder / "catalogue.sqlite")) as connection:
                connection.executescript("UPDATE items SET item_index = 50 WHERE item_index = 5")
        if fault == "concepts":
            (folder / "concepts.json").write_text("{}")
        restate(folder)
        with pytest.raises(BundleError):
            Bundle.open(folder)
        assert open_files(folder) == []


class TestTheConcepts:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda file: file.clear(), "expected an object with the one list 'concepts'"),
            (lambda file: file.update(more=1), "expected an object with the one list 'concepts'"),
            (lambda file: file.update(concepts={}), "expected an object with the one list 'concepts'"),
            (lambda file: file["concepts"].pop(), r"concepts are numbered \[0\], expected 0 to 1"),
            (lambda file: file["concepts"].reverse(), r"concepts are numbered \[1, 0\], expected 0 to 1"),
            (lambda file: file["concepts"].append(file["concepts"][0]), r"numbered \[0, 1, 0\], expected 0 to 1"),
            (lambda file: file["concepts"][1].update(id="c0"), "two concepts have the same id"),
            (lambda file: file["concepts"][1].pop("label"), "concept 1: misses label"),
            (lambda file: file["concepts"][1].update(colour="red"), "concept 1: has unknown colour"),
            (lambda file: file["concepts"][1].update(size="6"), "concept 1: size: is '6', expected int"),
            (lambda file: file["concepts"][1].update(exemplars=["a", None]), r"exemplars\[1\]: is None, expected str"),
            (lambda file: file["concepts"][1]["dimensions"].pop(), "concept 1 does not list dimensions 0 to 3"),
            (lambda file: file["concepts"][0]["dimensions"][2].update(dim=9), "concept 0 does not list dimensions"),
            (
                lambda file: file["concepts"][0]["dimensions"][2]["low"].update(label=3),
                r"dimensions\[2\]: low: label: is 3, expected str",
            ),
        ],
    )
    def test_a_fault_is_refused_by_its_place(self, folder, change, message):
        edit_json(folder / "concepts.json", change)
        restate(folder)
        with pytest.raises(BundleError, match=rf"concepts\.json: .*{message}"):
            Bundle.open(folder)

    @pytest.mark.parametrize("data", [b"", b"[1, 2", b"\xff\xfe{}", b'{"concepts": NaN}', b"[" * 100_000])
    def test_what_is_no_strict_json_is_refused(self, folder, data):
        (folder / "concepts.json").write_bytes(data)
        restate(folder)
        with pytest.raises(BundleError, match=r"concepts\.json: cannot be read as JSON"):
            Bundle.open(folder)


def open_files(folder):
    """What this process holds open of a folder; descriptors that close meanwhile, of other tests, are passed over."""
    targets = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            targets.append(descriptor.readlink())
    return [target.name for target in targets if target.is_relative_to(folder)]


def clock(second):
    """A datetime class that stands still."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2030, 1, 1, 0, 0, second, tzinfo=tz)

    return Clock


def at_temperature_one(contents):
    logits = contents.arrays["item_embeddings"] @ contents.arrays["prototypes"].T
    weights = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return {"temperature": 1, "arrays": {**contents.arrays, "concept_weights": weights}}


def test_a_bundle_has_one_field_for_every_array_of_the_format():
    assert set(schema.ARRAYS) <= set(Bundle.__dataclass_fields__)
