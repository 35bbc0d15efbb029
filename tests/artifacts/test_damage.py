"""A wrong byte anywhere in a published version means that it is refused, by name, and by no other error."""

import json
import os
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.errors import BundleError, StoreError
from macrid.artifacts.store import Store

FILES = ("manifest.json", "embeddings.safetensors", "catalogue.sqlite", "concepts.json", "index/by_concept.faiss")


@pytest.fixture(scope="module")
def store(pristine, tmp_path_factory):
    """A store with one version, which is damaged and mended many times over."""
    store = Store(tmp_path_factory.mktemp("damage") / "store")
    store.publish(pristine)
    store.open_current().close()  # so that a refusal below is of the damage
    return store


@contextmanager
def mended_afterwards(path):
    """Let a file be damaged, then put it back."""
    data = path.read_bytes()
    try:
        yield bytearray(data)
    finally:
        path.write_bytes(data)


def assert_refused(store, path):
    with pytest.raises((BundleError, StoreError)) as refusal:
        store.open_current()
    assert f"{path}: " in str(refusal.value)


anywhere = st.floats(0, 1, exclude_max=True)


@settings(max_examples=120, deadline=None)
@given(name=st.sampled_from(FILES), place=anywhere, change=st.integers(1, 255))
def test_a_byte_that_changed_is_found(store, name, place, change):
    path = store.folder(store.current()) / name
    with mended_afterwards(path) as data:
        data[int(place * len(data))] ^= change
        path.write_bytes(data)
        assert_refused(store, path)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(FILES), place=anywhere)
def test_a_file_cut_short_is_found(store, name, place):
    path = store.folder(store.current()) / name
    with mended_afterwards(path) as data:
        os.truncate(path, int(place * len(data)))
        assert_refused(store, path)


@settings(max_examples=20, deadline=None)
@given(name=st.sampled_from(FILES), more=st.binary(min_size=1))
def test_a_file_with_something_behind_it_is_found(store, name, more):
    path = store.folder(store.current()) / name
    with mended_afterwards(path) as data:
        path.write_bytes(data + more)
        assert_refused(store, path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_found(store, name):
    path = store.folder(store.current()) / name
    with mended_afterwards(path):
        path.unlink()
        assert_refused(store, path)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_stands_in_a_json_file_an_unverified_bundle_opens_or_is_refused_by_name(pristine_copy, data):
    """Before checksums protect it: any value in any place of the manifest or the concepts is no crash."""
    path = pristine_copy / data.draw(st.sampled_from(("manifest.json", "concepts.json")))
    with mended_afterwards(path) as before:
        value = json.loads(before)
        holder, key = data.draw(st.sampled_from(list(places(value))))
        holder[key] = data.draw(anything)
        path.write_text(json.dumps(value), encoding="utf-8")
        refusal = refusal_of(pristine_copy)
        assert refusal is None or f"{pristine_copy}/" in refusal


@pytest.fixture(scope="module")
def pristine_copy(pristine, tmp_path_factory):
    """A bundle of this module's own."""
    store = Store(tmp_path_factory.mktemp("copy") / "store")
    return store.folder(store.publish(pristine))


def refusal_of(folder):
    """What is said against a bundle, or None when it opens; any other error passes through."""
    try:
        Bundle.open(folder, verify=False).close()
    except BundleError as error:
        return str(error)
    return None


def places(value):
    """Every (list or object, key) of a JSON value at which something else could stand."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


@settings(max_examples=120, deadline=None)
@given(place=anywhere, change=st.integers(1, 255), cut=st.booleans())
def test_a_wrong_byte_in_a_manifest_is_found_without_a_store(pristine_copy, place, change, cut):
    """By the manifest's own digest: also in what its version does not cover, and in the spaces."""
    path = pristine_copy / "manifest.json"
    with mended_afterwards(path) as data:
        at = int(place * len(data))
        if cut:
            del data[at:]
        else:
            data[at] ^= change
        path.write_bytes(data)
        refusal = refusal_of(pristine_copy)
        assert refusal is not None
        assert f"{path}: " in refusal
