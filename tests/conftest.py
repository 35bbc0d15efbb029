"""Fixtures for everybody: the public data beside the project, and a small trained shop."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from hypothesis import settings

from macrid.model import datasets, pipeline, projection

ROOT = Path(__file__).parent.parent

# The gate judges every change by the same examples. New ones are looked for with `--hypothesis-profile search`.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile("same")


def pytest_xdist_auto_num_workers():
    """One process more than there are cores: many tests wait for a server, a browser or a clock."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items):
    """Let what takes long begin: processes share the tests out file by file, and end at the same time."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Tests run side by side on few cores, and bitwise equality is promised for one number of threads."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def ml_latest_small():
    """The real data set; skips where its files are not."""
    if datasets.ML_LATEST_SMALL.locate() is None:
        pytest.skip("ml-latest-small is not beside the project; `macrid data prepare ml-latest-small` downloads it")
    return pipeline.load_source("ml-latest-small", pipeline.SourceOptions())


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory):
    """A demo shop of 280 items and 600 users as files: the folder with clicks.csv, items.csv and pictures."""
    from macrid.model import demo_shop

    folder = tmp_path_factory.mktemp("shops") / "shop"
    demo_shop.write(demo_shop.generate(5, users=600, items=280), folder)
    return folder


@pytest.fixture(scope="session")
def small_run(small_shop, tmp_path_factory):
    """The whole pipeline on the small shop: (outcome, split). Tests may read the bundle, and write elsewhere."""
    return once_for_all(tmp_path_factory, "small-run", lambda folder: run_pipeline(small_shop, folder / "bundle"))


@pytest.fixture(scope="session")
def film_run(ml_latest_small, tmp_path_factory):
    """Twelve epochs on the published split of real films, enough to tell them apart: (outcome, split)."""
    return once_for_all(tmp_path_factory, "film-run", lambda folder: run_on_films(ml_latest_small, folder / "bundle"))


def run_on_films(source, bundle):
    """Train and export; the map is of few films, to which the others go as neighbours."""
    split = pipeline.split_source(source, None, 98765)
    config = pipeline.training_config(source, {"epochs": 12, "averaging": 0.8})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projection, "MOST_FITTED", 500)
        return pipeline.run(source, split, config, bundle), split


SMALL_RUN = {"epochs": 30, "batch_size": 50, "dimensions": 32, "refinement": 1.0, "seed": 1}


def run_pipeline(shop, bundle):
    """Train on a shop and export."""
    options = pipeline.SourceOptions(items=shop / "items.csv", name="small-shop")
    source = pipeline.load_source(str(shop / "clicks.csv"), options)
    split = pipeline.split_source(source, None, seed=1)
    config = pipeline.training_config(source, SMALL_RUN)
    return pipeline.run(source, split, config, bundle), split


def once_for_all(tmp_path_factory, name, make):
    """What `make` returns in a folder of its own: made by whichever process of this test run comes first, read by the others."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, made = root / name, root / f"{name}.pickle"
    with FileLock(root / f"{name}.lock"):
        if not made.exists():
            folder.mkdir()
            made.write_bytes(pickle.dumps(make(folder)))
    return pickle.loads(made.read_bytes())
