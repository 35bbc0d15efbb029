"""The manifest is read strictly: what it says must be complete, typed, and true of itself."""

import json

import pytest

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.errors import BundleError
from macrid.artifacts.manifest import check_name, check_version, read_manifest
from tests.support.tampering import edit_json, restate

FIELDS = {
    "format_version", "model_version", "name", "created_at", "items", "concepts", "dimensions", "temperature", "fitted_on",
    "data", "training", "metrics", "index", "digest", "files",
}  # fmt: skip


class TestFields:
    def test_these_are_all_there_are(self, pristine):
        assert json.loads((pristine / "manifest.json").read_text()).keys() == FIELDS

    @pytest.mark.parametrize("name", sorted(FIELDS - {"format_version"}))
    def test_a_missing_one_is_named(self, folder, name):
        edit_json(folder / "manifest.json", lambda manifest: manifest.pop(name))
        with pytest.raises(BundleError, match=rf"manifest\.json: misses {name}; expected exactly"):
            read_manifest(folder)

    def test_a_surplus_one_is_named(self, folder):
        edit_json(folder / "manifest.json", lambda manifest: manifest.update(licence="MIT"))
        with pytest.raises(BundleError, match=r"manifest\.json: has unknown licence; expected exactly"):
            read_manifest(folder)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("model_version", 3, "model_version: is 3, expected str"),
            ("name", None, "name: is None, expected str"),
            ("created_at", 2026, "created_at: is 2026, expected str"),
            ("items", "12", "items: is '12', expected int"),
            ("items", 12.0, "items: is 12.0, expected int"),
            ("concepts", True, "concepts: is True, expected int"),
            ("dimensions", [4], r"dimensions: is [4], expected int"),
            ("temperature", "0.1", "temperature: is '0.1', expected float"),
            ("temperature", True, "temperature: is True, expected float"),
            ("temperature", 10**400, "expected a finite number"),
            ("fitted_on", "some_users", "fitted_on: is 'some_users', expected 'training_users' or 'all_users'"),
            ("data", [], "data: is [], expected an object"),
            ("files", [], "files: is [], expected an object"),
            ("files", {"concepts.json": 3}, "files.concepts.json: is 3, expected an object"),
            ("files", {"concepts.json": {"size": 3}}, "files.concepts.json: misses sha256"),
            ("files", {"concepts.json": {"size": "3", "sha256": ""}}, "size: is '3', expected int"),
            ("files", {"concepts.json": {"size": True, "sha256": ""}}, "size: is True, expected int"),
        ],
    )
    def test_a_mistyped_one_is_named_with_its_value(self, folder, name, value, message):
        edit_json(folder / "manifest.json", lambda manifest: manifest.update({name: value}))
        with pytest.raises(BundleError) as refusal:
            read_manifest(folder)
        assert f"{folder}/manifest.json: " in str(refusal.value)
        assert message in str(refusal.value)

    @pytest.mark.parametrize(
        ("name", "value"), [("items", 0), ("items", -1), ("concepts", 0), ("dimensions", 0), ("temperature", 0)]
    )
    def test_sizes_and_temperature_are_positive(self, folder, name, value):
        restate(folder, **{name: value})
        with pytest.raises(BundleError, match=rf"manifest\.json: {name} is {value}(\.0)?, expected more than 0"):
            read_manifest(folder)

    @pytest.mark.parametrize("size", ["items", "concepts", "dimensions"])
    def test_a_size_beyond_all_memory_is_refused_before_any_is_taken(self, folder, size):
        restate(folder, **{size: 10**30})
        with pytest.raises(BundleError, match=r"embeddings\.safetensors: array"):
            Bundle.open(folder, verify=False)


class TestFormatVersion:
    @pytest.mark.parametrize("version", [0, 8, "1", 1.0, True, None, [1]])
    def test_another_one_is_refused_before_anything_else(self, folder, version):
        (folder / "manifest.json").write_text(json.dumps({"format_version": version, "of": "another format"}))
        with pytest.raises(BundleError) as refusal:
            read_manifest(folder)
        known = "1 or 2 or 3 or 4 or 5 or 6 or 7"
        assert str(refusal.value) == f"{folder}/manifest.json: format_version is {version!r}, expected {known}"

    @pytest.mark.parametrize("data", [b"{}", b"[]", b"null", b"3", b'"1"'])
    def test_none_is_refused(self, folder, data):
        (folder / "manifest.json").write_bytes(data)
        with pytest.raises(BundleError, match="format_version is None, expected 1 or 2 or 3 or 4 or 5 or 6 or 7"):
            read_manifest(folder)


class TestJson:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{",
            b'{"format_version": NaN}',
            b'{"format_version": -Infinity}',
            b'{"format_version": 1e999}',
            b'{"format_version": 1} more',
            b'{"format_version": "\xff"}',
            b'{"name": "\\ud800"}',
            b'{"name": "\\uDC00\\uD800"}',
            b"\xef\xbb\xbf{}",
            b'{"a":' * 100_000,
            b"9" * 5_000,
        ],
        ids=lambda data: data[:30].decode("latin-1"),
    )
    def test_what_is_not_strict_is_refused(self, folder, data):
        (folder / "manifest.json").write_bytes(data)
        with pytest.raises(BundleError, match=r"manifest\.json: cannot be read as JSON"):
            read_manifest(folder)

    def test_a_character_is_written_as_itself(self, folder):
        restate(folder, data={"title": "\N{SNOWMAN}\U0001f45c"})
        path = folder / "manifest.json"
        assert read_manifest(folder).data == {"title": "\N{SNOWMAN}\U0001f45c"}
        path.write_bytes(path.read_bytes().replace("\U0001f45c".encode(), b"\\ud83d\\udc5c"))
        with pytest.raises(BundleError, match="is not written as manifests are"):  # the same, in other bytes
            read_manifest(folder)

    def test_nesting_too_deep_to_be_copied_is_refused_even_where_the_parser_allows_it(self, folder):
        nested = []
        for _ in range(600):
            nested = [nested]
        edit_json(folder / "manifest.json", lambda manifest: manifest.update(training={"deep": nested}))
        with pytest.raises(BundleError, match=r"manifest\.json: (cannot be written as JSON|model_version is)"):
            read_manifest(folder)

    def test_a_folder_in_its_place_is_refused(self, folder):
        (folder / "manifest.json").unlink()
        (folder / "manifest.json").mkdir()
        with pytest.raises(BundleError, match=r"manifest\.json: is not there, or is no file"):
            read_manifest(folder)


class TestFiles:
    @pytest.mark.parametrize("name", ["embeddings.safetensors", "catalogue.sqlite", "concepts.json"])
    def test_one_that_every_bundle_has_must_be_listed(self, folder, name):
        edit_json(folder / "manifest.json", lambda manifest: manifest["files"].pop(name))
        with pytest.raises(BundleError, match=rf"manifest\.json: files lacks {name}"):
            read_manifest(folder)

    @pytest.mark.parametrize(
        "name", ["../secret", "/etc/passwd", "index/../../secret", "manifest.json", "notes.txt", ""]
    )
    def test_none_but_those_of_the_format_may_be_listed(self, folder, name):
        entry = {"size": 0, "sha256": ""}
        edit_json(folder / "manifest.json", lambda manifest: manifest["files"].update({name: entry}))
        with pytest.raises(BundleError) as refusal:
            read_manifest(folder)
        assert f"{folder}/manifest.json: files has {name!r}; expected none but embeddings.safetensors" in str(
            refusal.value
        )


class TestModelVersion:
    def test_it_is_the_name_and_a_hash_of_the_content(self, folder):
        before = read_manifest(folder).model_version
        restate(folder)  # which computes it from the words of the specification
        assert read_manifest(folder).model_version == before
        assert before.startswith("test-shop-")
        assert len(before) == len("test-shop-") + 12

    @pytest.mark.parametrize(
        ("name", "value"),
        [("name", "other"), ("items", 13), ("temperature", 0.2), ("metrics", {"a": 1}), ("fitted_on", "all_users")],
    )
    def test_content_that_was_changed_does_not_fit_it(self, folder, name, value):
        edit_json(folder / "manifest.json", lambda manifest: manifest.update({name: value}))
        with pytest.raises(BundleError, match=r"manifest\.json: model_version is 'test-shop-\w+', expected '"):
            read_manifest(folder)

    @pytest.mark.parametrize("name", ["created_at", "data"])
    def test_when_it_was_made_and_where_data_lay_are_no_content(self, folder, name):
        before = read_manifest(folder)
        value = {"file": "elsewhere.csv"} if name == "data" else "2000-01-01T00:00:00Z"
        edit_json(folder / "manifest.json", lambda manifest: manifest.update({name: value}))
        with pytest.raises(BundleError, match=r"manifest\.json: digest is '[0-9a-f]{64}', expected [0-9a-f]{64}"):
            read_manifest(folder)  # but it is under the manifest's own digest
        restate(folder, **{name: value})
        after = read_manifest(folder)
        assert after.model_version == before.model_version
        assert getattr(after, name) == value

    @pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "-a", "_a", "a b", "é", "a\n", "x" * 101])
    def test_a_name_that_could_name_no_folder_is_refused(self, folder, name):
        restate(folder, name=name)
        with pytest.raises(BundleError, match=r"manifest\.json: the name .* cannot be used"):
            read_manifest(folder)

    @pytest.mark.parametrize("name", ["a", "7", "demo-shop", "ml-latest-small", "a.b_c", "x" * 100])
    def test_a_plain_name_is_not(self, name):
        check_name(name, "here")
        check_version(f"{name}-0123456789ab", "here")

    @pytest.mark.parametrize(
        "version", ["", "shop", "shop-0123456789AB", "../shop-0123456789ab", "shop-0123456789abc", "-0123456789ab"]
    )
    def test_what_is_no_version_is_refused(self, version):
        with pytest.raises(BundleError, match=r"here: the model version is .*, expected a name, '-' and 12 hex digits"):
            check_version(version, "here")
