"""Bundles of every format version that was ever released must load for ever, and say what they said then.

`tests/golden/format-N` was written once, by the first release that had format N, and is never written again: a change that
makes this test fail needs a new FORMAT_VERSION, a reader that still knows the old one, and a golden bundle of its own.
"""

import math
from pathlib import Path

import numpy as np
import pytest

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.schema import FORMAT_VERSION
from macrid.artifacts.store import Store
from macrid.service.loaded_model import LoadedModel, choose_ranker, stated_effort
from macrid.service.ranking.index import read_index
from macrid.service.ranking.inverted_lists import InvertedListsRanker
from macrid.service.ranking.items import Items

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


@pytest.fixture(scope="module")
def listed():
    opened = Bundle.open(GOLDEN / "format-3")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def sealed():
    opened = Bundle.open(GOLDEN / "format-4")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def refined():
    opened = Bundle.open(GOLDEN / "format-5")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def refined_by_items():
    opened = Bundle.open(GOLDEN / "format-6")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def with_margin():
    opened = Bundle.open(GOLDEN / "format-7")
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


class TestFormat3:
    def test_its_version_is_computed_as_it_was(self, listed):
        assert listed.manifest.model_version == "golden-3c5daec0ac56"
        assert (listed.manifest.items, listed.manifest.concepts, listed.manifest.dimensions) == (48, 3, 6)

    def test_its_derived_arrays_are_what_they_were(self, listed):
        assert listed.main_concepts[:6].tolist() == [0, 1, 2, 0, 1, 2]
        assert listed.items_by_concept[:3].tolist() == [0, 3, 6]
        assert listed.items_by_popularity[:3].tolist() == [18, 45, 47]
        np.testing.assert_allclose(listed.log_partition[0], 8.603810439453852, rtol=1e-9)

    def test_its_index_answers_as_it_did(self, listed):
        index = read_index(listed.index_path, 48, 6)
        items = Items(listed.item_embeddings, listed.prototypes, 0.1, listed.log_partition)
        assert stated_effort(listed) == (8, math.inf)
        ranker = InvertedListsRanker(items, index, *stated_effort(listed))
        assert ranker.rank(listed.prototypes, 3, np.array([], dtype=np.int64)).indices.tolist() == [23, 11, 9]

    def test_it_can_be_published(self, tmp_path):
        assert Store(tmp_path).publish(GOLDEN / "format-3") == "golden-3c5daec0ac56"


def test_older_bundles_get_the_derived_arrays_when_they_are_opened(bundle):
    assert bundle.main_concepts.tolist() == bundle.concept_weights.argmax(axis=1).tolist()
    assert bundle.items_by_popularity[0] == bundle.popularity.argmax()


class TestFormat4:
    def test_its_version_and_digest_are_computed_as_they_were(self, sealed):
        assert sealed.manifest.model_version == "golden-407caedc5409"
        assert sealed.manifest.digest == "95fb17746279adba4b44bd5b2d6a4dd4a67a9ef6e1075ed74f147aa9b34eb0e0"

    def test_it_can_be_published(self, tmp_path):
        assert Store(tmp_path).publish(GOLDEN / "format-4") == "golden-407caedc5409"


class TestFormat5:
    def test_its_version_is_computed_as_it_was(self, refined):
        assert refined.manifest.model_version == "golden-58c757bf794e"
        assert refined.landmarks.shape == (3, 64, 6)

    def test_its_encoder_answers_as_it_did(self, refined):
        expected = [-0.3324174, -0.4610727, 0.1159289, -0.1527542, 0.6358172, 0.4856685]
        components = LoadedModel.prepare(refined).encoder.encode(np.array([2, 3, 11])).components
        np.testing.assert_allclose(components[0], expected, atol=1e-6)

    def test_it_can_be_published(self, tmp_path):
        assert Store(tmp_path).publish(GOLDEN / "format-5") == "golden-58c757bf794e"


class TestFormat6:
    def test_its_version_is_computed_as_it_was(self, refined_by_items):
        assert refined_by_items.manifest.model_version == "golden-a4563eb6469d"
        assert refined_by_items.step == 1
        assert refined_by_items.landmarks_and_masses is None

    def test_its_encoder_answers_as_it_did(self, refined_by_items):
        expected = [0.4099331, 0.3481508, -0.2093102, 0.1983911, -0.1504304, 0.7777833]
        components = LoadedModel.prepare(refined_by_items).encoder.encode(np.array([2, 3, 11])).components
        np.testing.assert_allclose(components[0], expected, atol=1e-6)

    def test_it_can_be_published(self, tmp_path):
        assert Store(tmp_path).publish(GOLDEN / "format-6") == "golden-a4563eb6469d"


class TestFormat7:
    def test_its_version_is_computed_as_it_was(self, with_margin):
        assert with_margin.manifest.model_version == "golden-64667bf02d81"
        assert (with_margin.manifest.items, with_margin.manifest.concepts) == (120, 3)

    def test_its_index_answers_as_it_did(self, with_margin):
        assert stated_effort(with_margin) == (7, 4.65)
        items = Items(with_margin.item_embeddings, with_margin.prototypes, 0.1, with_margin.log_partition)
        ranking = choose_ranker(with_margin, items, "by_concept").rank(
            with_margin.prototypes, 5, np.array([], np.int64)
        )
        assert ranking.indices.tolist() == [87, 10, 33, 60, 31]

    def test_it_can_be_published(self, tmp_path):
        assert Store(tmp_path).publish(GOLDEN / "format-7", 0.9) == "golden-64667bf02d81"
