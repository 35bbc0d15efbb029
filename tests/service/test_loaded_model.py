"""Which ranker a bundle gets."""

import math
import re
from types import SimpleNamespace

import faiss
import numpy as np
import pytest

from macrid.artifacts.derived import log_partition
from macrid.model.index import build
from macrid.service.encoder import unit_rows
from macrid.service.loaded_model import choose_ranker, stated_effort
from macrid.service.ranking import items as items_module
from macrid.service.ranking import rounded
from macrid.service.ranking.by_concept import ByConceptRanker
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.inverted_lists import InvertedListsRanker
from macrid.service.ranking.items import Items

LISTS, NO_INDEX = True, False


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """What a ranker is chosen from, with inverted lists and without an index."""
    rng = np.random.default_rng(0)
    rows = unit_rows(rng.normal(size=(300, 12)).astype(np.float32))
    prototypes = rows[:3].copy()
    path = tmp_path_factory.mktemp("bundle") / "index.faiss"
    faiss.write_index(build(rows, log_partition(rows, prototypes, 0.1), 0.1), str(path))
    manifest = SimpleNamespace(index={"probes": 8})
    made = {}
    for has_lists in (LISTS, NO_INDEX):
        index_path = path if has_lists else None
        made[has_lists] = SimpleNamespace(
            folder=path.parent, index_path=index_path, item_embeddings=rows, manifest=manifest, prototypes=prototypes
        )
    return made


@pytest.mark.parametrize(
    ("has_lists", "choice", "eight_bits", "expected"),
    [
        (LISTS, "auto", True, ExactRanker),  # quicker, and proved
        (LISTS, "auto", False, InvertedListsRanker),
        (LISTS, "by_concept", True, InvertedListsRanker),
        (LISTS, "exact", False, ExactRanker),
        (NO_INDEX, "auto", True, ExactRanker),
        (NO_INDEX, "auto", False, ExactRanker),
        (NO_INDEX, "by_concept", True, ByConceptRanker),
    ],
)
def test_the_ranker(bundles, monkeypatch, has_lists, choice, eight_bits, expected):
    monkeypatch.setattr(rounded, "are_quick", lambda: eight_bits)
    bundle = bundles[has_lists]
    items = Items(bundle.item_embeddings, bundle.prototypes, 0.1)
    assert type(choose_ranker(bundle, items, choice)) is expected


def test_a_large_catalogue_is_looked_up_in_its_lists(bundles, monkeypatch):
    monkeypatch.setattr(rounded, "are_quick", lambda: True)
    monkeypatch.setattr(items_module, "ROUNDED_UP_TO", 299)
    bundle = bundles[LISTS]
    items = Items(bundle.item_embeddings, bundle.prototypes, 0.1)
    assert type(choose_ranker(bundle, items, "auto")) is InvertedListsRanker


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ({"probes": 8}, (8, math.inf)),  # of format 6 and before
        ({"probes": 8, "margin": 2.5}, (8, 2.5)),
        ({"margin": 2.5}, "index.probes is None, expected a whole number from 1 to 2147483648"),
        ({"probes": 0, "margin": 2.5}, "index.probes is 0, expected a whole number from 1 to 2147483648"),
        ({"probes": True, "margin": 2.5}, "index.probes is True, expected a whole number from 1 to 2147483648"),
        ({"probes": 2**40}, "index.probes is 1099511627776, expected a whole number from 1 to 2147483648"),
        ({"probes": 8, "margin": 0}, "index.margin is 0, expected a number above 0, at most 1e+09"),
        ({"probes": 8, "margin": True}, "index.margin is True, expected a number above 0, at most 1e+09"),
        ({"probes": 8, "margin": 1e308}, "index.margin is 1e+308, expected a number above 0, at most 1e+09"),
        ({"probes": 8, "margin": "2.5"}, "index.margin is '2.5', expected a number above 0, at most 1e+09"),
        ({"probes": 8, "margin": None}, "index.margin is None, expected a number above 0, at most 1e+09"),
    ],
)
def test_how_far_is_looked_is_what_the_manifest_states(described, expected):
    bundle = SimpleNamespace(folder="shop", manifest=SimpleNamespace(index=described))
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=f"^{re.escape(f'shop/manifest.json: {expected}')}$"):
            stated_effort(bundle)
    else:
        assert stated_effort(bundle) == expected
