"""Bundles of every format version that was ever released must load for ever, and say what they said then.

`tests/golden/format-N` was written once, by the first release that had format N, and is never written again: a change that
makes this test fail needs a new FORMAT_VERSION, a reader that still knows the old one, and a golden bundle of its own.
"""

from pathlib import Path

import numpy as np
import pytest

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.schema import FORMAT_VERSION
from macrid.artifacts.store import Store

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def bundle():
    opened = Bundle.open(GOLDEN / "format-1")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def placed():
    opened = Bundle.open(GOLDEN / "format-2")
    yield opened
    opened.close()


def test_there_is_a_golden_bundle_of_every_format_version():
    expected = {f"format-{version}" for version in range(1, FORMAT_VERSION + 1)}
    assert {path.name for path in GOLDEN.iterdir() if path.is_dir()} == expected


class TestFormat1:
    def test_its_version_is_computed_as_it_was(self, bundle):
        assert bundle.manifest.model_version == "golden-3da692394a14"
        assert bundle.manifest.created_at == "2026-11-21T03:39:33Z"

    def test_its_manifest_says_what_it_said(self, bundle):
        manifest = bundle.manifest
        assert (manifest.items, manifest.concepts, manifest.dimensions) == (24, 3, 6)
        assert (manifest.temperature, manifest.fitted_on) == (0.1, "training_users")
        assert manifest.metrics["test"] == {"macridvae": {"ndcg@100": {"mean": 0.25, "standard_error": 0.0125}}}
        assert manifest.data == {"source": "generated", "split_seed": 98765}

    def test_its_numbers_are_what_they_were(self, bundle):
        first = [-0.0785398185, 0.2317998558, 0.1223793402, -0.54625386, 0.6675994396, 0.4254894555]
        np.testing.assert_allclose(bundle.item_embeddings[0], first, rtol=1e-6)
        assert bundle.popularity[:5].tolist() == [251, 416, 287, 26, 52]
        assert bundle.mean_weight.shape == (6, 6)

    def test_its_concepts_are_what_they_were(self, bundle):
        assert [(concept.id, concept.label, concept.size) for concept in bundle.concepts] == [
            ("c0", "Bags", 8),
            ("c1", "Shoes", 8),
            ("c2", "Lamps", 8),
        ]
        dimension = bundle.concepts[0].dimensions[0]
        assert (dimension.id, dimension.dim) == ("c0d5", 5)
        assert dimension.importance == pytest.approx(0.2657126785)
        assert dimension.low.exemplars == ("item-21", "item-9", "item-12")

    def test_its_catalogue_answers_as_it_did(self, bundle):
        snowman = bundle.catalogue.item(bundle.catalogue.indices(["naïve ☃"])["naïve ☃"])
        assert (snowman.index, snowman.title) == (2, "Item 2 of lamps")
        assert snowman.metadata == {"department": "lamps", "year": 1992, "price": 0.5}
        assert bundle.catalogue.search("lam", limit=3).indices == [2, 5, 8]
        assert bundle.catalogue.item(3).image == "https://example.org/picture.png"
        assert bundle.catalogue.picture(2).media_type == "image/svg+xml"

    def test_its_index_is_there(self, bundle):
        assert bundle.index_path.stat().st_size == 717

    def test_it_can_be_published(self, tmp_path):
        assert Store(tmp_path).publish(GOLDEN / "format-1") == "golden-3da692394a14"

    def test_it_has_no_places(self, bundle):
        assert bundle.item_places is None


class TestFormat2:
    def test_its_version_is_computed_as_it_was(self, placed):
        assert placed.manifest.model_version == "golden-e29a0580df51"
        assert (placed.manifest.items, placed.manifest.concepts, placed.manifest.dimensions) == (24, 3, 6)

    def test_its_places_are_what_they_were(self, placed):
        assert placed.item_places.shape == (24, 2)
        np.testing.assert_allclose(placed.item_places[0], [0.093386963, 0.424574345], rtol=1e-6)

    def test_it_can_be_published(self, tmp_path):
        assert Store(tmp_path).publish(GOLDEN / "format-2") == "golden-e29a0580df51"
