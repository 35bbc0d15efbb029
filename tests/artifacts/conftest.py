"""A small bundle for everybody in this room: written once, copied for each test that damages it."""

import shutil

import pytest

from tests.support.bundles import make_bundle, make_contents

SMALL = {"items": 12, "concepts": 2, "dimensions": 4}


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    """A bundle that no test changes: 12 items, 2 concepts, 4 dimensions, with an index."""
    folder = tmp_path_factory.mktemp("pristine") / "bundle"
    return make_bundle(folder, **SMALL, index={"kind": "flat"}, index_bytes=b"an index")


@pytest.fixture
def folder(pristine, tmp_path):
    """The same bundle as a copy, to be changed."""
    return shutil.copytree(pristine, tmp_path / "bundle")


@pytest.fixture
def contents(tmp_path):
    """What `write_bundle` is given: 12 items, 2 concepts, 4 dimensions."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return make_contents(scratch, **SMALL)
