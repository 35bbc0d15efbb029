"""What goes into a bundle: the network's own numbers, an index that ranks like them, and concepts that are described truly."""

import contextlib

import numpy as np
import pytest
from scipy import sparse

from macrid.artifacts.bundle import Bundle
from macrid.model import export
from macrid.model.demo_shop import DEPARTMENTS, FACTORS
from macrid.model.items import untitled
from macrid.model.network import Histories, Refinement
from macrid.service.loaded_model import LoadedModel
from tests.conftest import SMALL_RUN
from tests.support.bundles import make_bundle


@pytest.fixture(scope="module")
def bundle(small_run):
    outcome, _ = small_run
    opened = Bundle.open(outcome.folder)
    yield opened
    opened.close()


class TestBundle:
    def test_a_restored_network_scores_as_the_trained_one(self, small_run, bundle):
        outcome, split = small_run
        expected, found = (
            network.score(split.test.fold_in) for network in (outcome.trained.network, export.restore(bundle))
        )
        np.testing.assert_allclose(found, expected, atol=1e-4)

    def test_the_refinement_is_that_of_the_network(self, small_run, bundle):
        outcome, _ = small_run
        found, masses = bundle.landmarks_and_masses
        expected = outcome.trained.network.refinement
        assert bundle.step == SMALL_RUN["refinement"] == expected.step
        np.testing.assert_array_equal(masses, expected.landmarks.masses.numpy())
        items = outcome.trained.network.unit_items().detach().numpy()  # before the axes were turned
        products = expected.landmarks.vectors.numpy() @ items.T
        np.testing.assert_allclose(found @ bundle.item_embeddings.T, products, atol=1e-5)

    def test_a_refinement_by_every_item_is_a_step_and_nothing_else(self, small_run, bundle, tmp_path):
        _, split = small_run
        network = export.restore(bundle)
        network.refinement = Refinement(0.5)
        arrays = export.network_arrays(network, split.training)
        assert arrays["refinement_step"].tolist() == [0.5]
        assert not {"landmarks", "landmark_masses"} & arrays.keys()
        shape = {"items": bundle.manifest.items, "concepts": len(bundle.prototypes), "dimensions": 32}
        with contextlib.closing(Bundle.open(make_bundle(tmp_path / "bundle", arrays=arrays, **shape))) as written:
            assert export.restore(written).refinement == Refinement(0.5)
            encoder, fold_in = LoadedModel.prepare(written).encoder, split.test.fold_in[:5]
            expected = network.components(Histories.from_matrix(fold_in)).numpy()  # (K, B, d)
            found = np.stack([encoder.encode(row.indices).components for row in fold_in], axis=1)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        network.refinement = None
        assert np.abs(network.components(Histories.from_matrix(fold_in)).numpy() - expected).max() > 0.005

    def test_popularity_counts_training_users(self, small_run, bundle):
        _, split = small_run
        assert bundle.popularity.tolist() == np.asarray(split.training.sum(axis=0)).ravel().tolist()

    def test_rows_of_the_catalogue_are_rows_of_the_arrays(self, small_run, bundle):
        _, split = small_run
        assert [item.item_id for item in bundle.catalogue.items(range(len(split.item_ids)))] == list(split.item_ids)

    def test_pictures_travel_with_the_bundle(self, bundle, small_shop):
        item = bundle.catalogue.item(0)
        assert bundle.catalogue.picture(0).data == (small_shop / "pictures" / f"{item.item_id}.svg").read_bytes()

    def test_the_manifest_tells_how_and_how_well(self, small_run, bundle):
        outcome, split = small_run
        manifest = bundle.manifest
        assert manifest.fitted_on == "training_users"
        assert manifest.training["best_epoch"] == outcome.trained.best_epoch
        assert manifest.metrics["users"] == len(split.test.user_ids)
        assert (
            manifest.metrics["test"]["MacridVAE"]["ndcg@100"]["mean"] == outcome.table["MacridVAE"]["ndcg@100"]["mean"]
        )

    def test_every_item_has_a_place_on_the_map_beside_its_like(self, bundle):
        places, items = bundle.item_places, bundle.item_embeddings
        assert places.shape == (bundle.manifest.items, 2)
        distances = np.linalg.norm(places[:, None] - places[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        cosines = items @ items.T
        np.fill_diagonal(cosines, -np.inf)
        twenty = np.argsort(-cosines, axis=1)[:, :20]  # of 280: chance would find one of them in 14
        assert (twenty == distances.argmin(axis=1)[:, None]).any(axis=1).mean() > 0.5


class TestBasis:
    def test_the_axes_are_turned_and_no_inner_product_changes(self, small_run, bundle):
        outcome, split = small_run
        plain = export.network_arrays(outcome.trained.network, split.training)
        assert not np.allclose(bundle.item_embeddings, plain["item_embeddings"], atol=0.1)
        for name in ("item_embeddings", "prototypes", "mean_weight"):
            found, expected = (arrays[name] @ arrays["item_embeddings"].T for arrays in (vars_of(bundle), plain))
            np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_the_axes_can_be_left_as_trained(self, small_run, small_shop, tmp_path):
        outcome, split = small_run
        provenance = export.Provenance("plain", "training_users", {}, {}, {})
        folder = tmp_path / "plain"
        export.export(
            outcome.trained.network, split.training, untitled(split.item_ids), provenance, folder, basis="trained"
        )
        with contextlib.closing(Bundle.open(folder)) as opened:
            expected = export.network_arrays(outcome.trained.network, split.training)["item_embeddings"]
            assert opened.item_embeddings.tobytes() == expected.tobytes()


def vars_of(bundle):
    return {name: getattr(bundle, name) for name in ("item_embeddings", "prototypes", "mean_weight")}


class TestIndex:
    def test_a_small_catalogue_has_none(self, bundle):
        assert bundle.manifest.index == {"kind": "none"}
        assert bundle.index_path is None


class TestConcepts:
    def test_sizes_add_up_to_all_items(self, bundle):
        assert sum(concept.size for concept in bundle.concepts) == bundle.manifest.items

    def test_labels_are_distinct_and_from_the_departments(self, bundle):
        labels = [concept.label for concept in bundle.concepts]
        assert len(set(labels)) == len(labels)
        assert sum(label in DEPARTMENTS for label in labels) >= 5

    def test_importance_falls_along_the_dimensions_and_sums_to_one(self, bundle):
        for concept in bundle.concepts:
            shares = [dimension.importance for dimension in concept.dimensions]
            assert shares == sorted(shares, reverse=True)
            assert sum(shares) == pytest.approx(1)

    def test_exemplars_belong_to_their_concept(self, bundle):
        rows = bundle.catalogue.indices([item for concept in bundle.concepts for item in concept.exemplars])
        for concept in bundle.concepts:
            assert all(bundle.concept_weights[rows[item]].argmax() == concept.index for item in concept.exemplars)

    def test_ends_hold_the_items_with_extreme_coordinates(self, bundle):
        h, assignment = bundle.item_embeddings, bundle.concept_weights.argmax(axis=1)
        concept = bundle.concepts[0]
        dimension = concept.dimensions[0]
        rows = bundle.catalogue.indices([dimension.low.exemplars[0], dimension.high.exemplars[0]])
        coordinates = h[assignment == concept.index, dimension.dim]
        assert h[rows[dimension.low.exemplars[0]], dimension.dim] == coordinates.min()
        assert h[rows[dimension.high.exemplars[0]], dimension.dim] == coordinates.max()

    def test_names_of_ends_come_from_the_shops_words_or_factors(self, bundle):
        named = [d.high.label for concept in bundle.concepts for d in concept.dimensions if d.high.label]
        known = {factor.name for factor in FACTORS}
        assert named
        assert all(any(factor in label for factor in known) or label.isalpha() for label in named)


def test_importance_is_the_share_of_the_variance_of_the_inner_product():
    rng = np.random.default_rng(0)
    h = rng.normal(size=(2000, 3)).astype(np.float32) * [1, 2, 0]
    z = rng.normal(size=(50, 3)).astype(np.float32)
    parts = np.array([np.var(z[:, [j]] @ h[:, [j]].T, axis=1).mean() for j in range(3)])
    np.testing.assert_allclose(export.importance(h, z), parts / parts.sum(), rtol=1e-4)


def test_exemplars_are_the_most_popular_of_the_surest():
    weight = np.linspace(1, 0, 200, dtype=np.float32)
    popularity = np.zeros(200, dtype=np.int64)
    popularity[[5, 150]] = [7, 9]
    chosen = export.concept_exemplars(weight, np.ones(200, dtype=bool), popularity)
    assert chosen[0] == 5
    assert 150 not in chosen


def test_the_same_run_gives_the_same_version(small_run, small_shop, tmp_path):
    from macrid.model import pipeline

    outcome, split = small_run
    given = str(small_shop / "clicks.csv")
    source = pipeline.load_source(given, pipeline.SourceOptions(items=small_shop / "items.csv", name="small-shop"))
    config = pipeline.training_config(source, SMALL_RUN)
    again = pipeline.run(source, split, config, tmp_path / "again")
    assert again.manifest.model_version == outcome.manifest.model_version


def test_an_index_is_asked_for_users_of_few_clicks_and_of_many(small_run):
    _, split = small_run
    found = export.beginnings(split.training).toarray()
    rows = np.linspace(0, split.training.shape[0] - 1, min(200, split.training.shape[0])).astype(int)
    whole = split.training[rows].toarray()
    np.testing.assert_array_equal(found, export.beginnings(split.training).toarray())
    assert ((whole - found) >= 0).all()
    clicks = found.sum(axis=1)
    assert clicks.min() == 1
    assert (clicks == whole.sum(axis=1)).any()
    assert 0.3 < np.median(np.log(clicks) / np.log(whole.sum(axis=1))) < 0.7


def test_a_sample_of_users_never_asks_for_more_than_there_are(small_run):
    outcome, _ = small_run
    few = sparse.csr_matrix(np.eye(3, outcome.manifest.items, dtype=np.float32))
    assert export.sampled_components(outcome.trained.network, few).shape[1] == 3
    assert export.beginnings(few).toarray().tolist() == few.toarray().tolist()
