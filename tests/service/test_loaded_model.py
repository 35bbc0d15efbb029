"""Which ranker a bundle gets."""

from types import SimpleNamespace

import faiss
import numpy as np
import pytest

from macrid.artifacts.derived import log_partition
from macrid.model.index import build
from macrid.service.encoder import unit_rows
from macrid.service.loaded_model import choose_ranker
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
