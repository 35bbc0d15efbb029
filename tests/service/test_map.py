"""Where things are drawn on the map: items by the bundle, everything else among its nearest items."""

import numpy as np
import pytest

from macrid.artifacts.bundle import Bundle
from macrid.service.loaded_model import LoadedModel
from macrid.service.map import NEAREST, ItemMap
from tests.support.bundles import make_bundle


@pytest.fixture(scope="module")
def chart(bundle_folder):
    model = LoadedModel.prepare(Bundle.open(bundle_folder))
    return ItemMap(model, model.bundle.item_places)


class TestPlaces:
    def test_they_fill_the_unit_square_and_keep_their_proportions(self, chart):
        raw, places = chart.item_places.astype(np.float64), chart.places
        extent = places.max(axis=0) - places.min(axis=0)
        assert extent.max() == pytest.approx(1)
        np.testing.assert_allclose(places.max(axis=0) + places.min(axis=0), 1)
        ratios = np.ptp(places, axis=0) / np.ptp(raw, axis=0)
        assert ratios[0] == pytest.approx(ratios[1])

    def test_items_all_in_one_place_are_in_the_middle(self, chart):
        flat = ItemMap(chart.model, np.full_like(chart.item_places, 3))
        np.testing.assert_array_equal(flat.places, np.full_like(flat.places, 0.5))


class TestPlaceAmong:
    def test_it_is_the_mean_of_the_nearest_items_of_the_concept_weighed_as_their_scores(self, chart):
        model, concept = chart.model, 1
        vector = model.item_embeddings[model.members(concept)[4]]
        cosines = model.item_embeddings @ vector
        cosines[model.main_concepts != concept] = -np.inf
        nearest = np.argsort(-cosines)[:NEAREST]
        weights = np.exp(cosines[nearest] / model.bundle.manifest.temperature)
        expected = (weights[:, None] * chart.places[nearest]).sum(axis=0) / weights.sum()
        np.testing.assert_allclose(chart.place_among(concept, vector), expected, rtol=1e-5)

    def test_every_prototype_has_a_place_on_the_square(self, chart):
        assert chart.prototype_places.shape == (3, 2)
        assert ((chart.prototype_places >= 0) & (chart.prototype_places <= 1)).all()


class TestShown:
    def test_all_items_are_shown_most_popular_first(self, chart):
        np.testing.assert_array_equal(chart.shown(60), chart.model.by_popularity)

    def test_of_too_many_each_concept_keeps_its_share_with_its_most_popular(self, tmp_path):
        model = LoadedModel.prepare(Bundle.open(make_bundle(tmp_path / "bundle", items=200, concepts=3)))
        chart = ItemMap(model, model.bundle.item_places)
        shown = chart.shown(50)
        assert len(shown) == len(set(shown.tolist())) == 50
        popularity = model.bundle.popularity[shown]
        assert (np.diff(popularity) <= 0).all()
        for concept in range(3):
            members = model.members(concept)
            chosen = shown[model.main_concepts[shown] == concept]
            assert len(chosen) == pytest.approx(len(members) / 4, abs=1)
            left = np.setdiff1d(members, chosen)
            assert model.bundle.popularity[chosen].min() >= model.bundle.popularity[left].max()
