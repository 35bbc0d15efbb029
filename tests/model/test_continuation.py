"""A retraining keeps the meaning of concepts and dimensions: ids, places and signs; what is another gets an id of its own."""

import contextlib
import dataclasses

import numpy as np
import pytest
import torch

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.schema import Concept, Dimension, DimensionEnd
from macrid.model import pipeline
from macrid.model.continuation import Arrangement, Predecessor
from macrid.model.errors import ContinuationError
from macrid.model.export import Provenance, export, restore
from macrid.model.items import untitled
from macrid.model.network import MacridVAE, NetworkConfig


@pytest.fixture(scope="module")
def bundle(small_run):
    outcome, _ = small_run
    with contextlib.closing(Bundle.open(outcome.folder)) as opened:
        yield opened


@pytest.fixture(scope="module")
def predecessor(bundle):
    return Predecessor(bundle)


def orthogonal(d, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def network(bundle):
    K, d = bundle.manifest.concepts, bundle.manifest.dimensions
    return MacridVAE(bundle.manifest.items, NetworkConfig(concepts=K, dimensions=d), torch.Generator().manual_seed(0))


class TestStart:
    def test_scores_before_the_first_update_are_the_bundles(self, small_run, bundle, predecessor, network):
        outcome, split = small_run
        predecessor.start(split.item_ids, network, split.training, torch.Generator())
        network.refinement = restore(bundle).refinement  # which comes when training is over
        expected = outcome.trained.network.score(split.test.fold_in)
        np.testing.assert_allclose(network.score(split.test.fold_in), expected, atol=1e-3)

    def test_a_concept_that_no_item_belongs_to_is_taken_over_too(self, small_run, bundle, network):
        _, split = small_run
        predecessor, last = Predecessor(bundle), bundle.manifest.concepts - 1
        predecessor._concepts = np.minimum(predecessor._concepts, last - 1)
        predecessor.start(split.item_ids, network, split.training, torch.Generator())
        prototypes = torch.nn.functional.normalize(network.prototypes.detach(), dim=1).numpy()
        np.testing.assert_allclose(prototypes, bundle.prototypes, atol=1e-5)

    def test_a_new_item_starts_in_the_concept_of_what_its_users_have(self, small_run, bundle, predecessor, network):
        _, split = small_run
        popular = np.argsort(-bundle.popularity)[:20]
        ids = [f"new-{at}" if at in popular else item for at, item in enumerate(split.item_ids)]
        groups = predecessor.start(ids, network, split.training, torch.Generator()).argmax(dim=1).numpy()
        expected = bundle.concept_weights.argmax(axis=1)
        known = np.setdiff1d(np.arange(len(ids)), popular)
        assert (groups[known] == expected[known]).all()
        assert (groups[popular] == expected[popular]).mean() > 0.6  # one in seven by chance

    def test_more_concepts_and_fewer_are_possible(self, small_run, bundle, predecessor):
        _, split = small_run
        for K in (bundle.manifest.concepts + 2, bundle.manifest.concepts - 2):
            config = NetworkConfig(concepts=K, dimensions=bundle.manifest.dimensions)
            network = MacridVAE(bundle.manifest.items, config, torch.Generator().manual_seed(0))
            assert predecessor.start(split.item_ids, network, split.training, torch.Generator()).shape[1] == K

    @pytest.mark.parametrize(("name", "value"), [("dimensions", 8), ("temperature", 0.2)])
    def test_another_shape_is_refused(self, small_run, bundle, predecessor, name, value):
        _, split = small_run
        config = dataclasses.replace(NetworkConfig(dimensions=bundle.manifest.dimensions), **{name: value})
        network = MacridVAE(bundle.manifest.items, config, torch.Generator().manual_seed(0))
        with pytest.raises(ContinuationError, match=f"with {name} {value}: the bundle has"):
            predecessor.start(split.item_ids, network, split.training, torch.Generator())

    def test_other_items_are_refused(self, small_run, predecessor, network):
        _, split = small_run
        with pytest.raises(ContinuationError, match=r"none of its 2.. items"):
            predecessor.start([f"x{at}" for at in range(len(split.item_ids))], network, split.training, None)


class TestArrangement:
    @pytest.mark.parametrize("turn", [True, False])
    def test_the_same_model_with_axes_and_concepts_shuffled_and_turned_over_is_found_again(
        self, small_run, bundle, predecessor, turn
    ):
        """Known answer: for `turn`, any rotation; without, a permutation with signs."""
        _, split = small_run
        d, rng = bundle.manifest.dimensions, np.random.default_rng(1)
        permutation = np.eye(d)[rng.permutation(d)] * rng.choice([-1, 1], size=d)
        hidden = orthogonal(d) if turn else permutation
        order = rng.permutation(bundle.manifest.concepts)
        items, prototypes = unit(bundle.item_embeddings @ hidden), unit(bundle.prototypes[order] @ hidden)
        found = predecessor.arrange(split.item_ids, items, prototypes, turn=turn)
        np.testing.assert_allclose(items @ found.axes, bundle.item_embeddings, atol=1e-5)
        np.testing.assert_allclose((prototypes @ found.axes)[found.order], bundle.prototypes, atol=1e-5)
        assert found.concept_numbers == tuple(range(bundle.manifest.concepts))
        assert found.axis_numbers == tuple(range(d))
        assert found.record["items_keeping_their_concept"] == 1

    def test_a_concept_that_is_another_gets_an_id_never_used(self, small_run, bundle, predecessor):
        _, split = small_run
        prototypes = bundle.prototypes.copy()
        prototypes[2] = -prototypes[2]
        found = predecessor.arrange(split.item_ids, bundle.item_embeddings, prototypes, turn=False)
        K = bundle.manifest.concepts
        assert found.concept_numbers == tuple(K if k == 2 else k for k in range(K))
        assert found.record["next_concept"] == K + 1
        assert found.record["concepts"][2]["was"] is None

    def test_random_tables_match_nothing(self, small_run, bundle, predecessor):
        _, split = small_run
        rng = np.random.default_rng(0)
        items, prototypes = (
            unit(rng.normal(size=table.shape)) for table in (bundle.item_embeddings, bundle.prototypes)
        )
        found = predecessor.arrange(split.item_ids, items, prototypes, turn=False)
        assert min(found.concept_numbers) >= bundle.manifest.concepts
        assert min(found.axis_numbers) >= bundle.manifest.dimensions

    def test_concepts_in_other_places_and_other_axes_score_as_the_network_does(
        self, small_run, predecessor, tmp_path, monkeypatch
    ):
        outcome, split = small_run
        d, K = outcome.manifest.dimensions, outcome.manifest.concepts
        numbers = tuple(reversed(range(K)))
        turned = Arrangement(orthogonal(d), np.array(numbers), numbers, tuple(range(d)), {})
        monkeypatch.setattr(predecessor, "arrange", lambda *_, **__: turned)
        network, provenance = outcome.trained.network, Provenance("turned", "training_users", {}, {}, {})
        items = untitled(split.item_ids)
        export(network, split.training, items, provenance, tmp_path / "turned", predecessor=predecessor)
        with contextlib.closing(Bundle.open(tmp_path / "turned")) as found:
            np.testing.assert_allclose(
                restore(found).score(split.test.fold_in), network.score(split.test.fold_in), atol=1e-3
            )


class TestRetraining:
    def test_ids_places_and_signs_stay_through_the_whole_pipeline(
        self, small_shop, small_run, bundle, predecessor, tmp_path
    ):
        _, split = small_run
        options = pipeline.SourceOptions(items=small_shop / "items.csv", name="small-shop")
        source = pipeline.load_source(str(small_shop / "clicks.csv"), options)
        settings = {**predecessor.settings(), "epochs": 3, "batch_size": 50, "seed": 1}
        config = pipeline.training_config(source, settings)
        pipeline.run(source, split, config, tmp_path / "next", predecessor=predecessor)
        with contextlib.closing(Bundle.open(tmp_path / "next")) as found:
            record = found.manifest.training["continued"]
            assert record["from"] == bundle.manifest.model_version
            assert "may be too good" in found.manifest.metrics["caution"]
            assert record["items_keeping_their_concept"] > 0.9
            assert [concept.id for concept in found.concepts] == [concept.id for concept in bundle.concepts]
            labels = [one.label == other.label for one, other in zip(found.concepts, bundle.concepts, strict=True)]
            assert np.mean(labels) > 0.7
            for concept, before in zip(found.concepts, bundle.concepts, strict=True):
                assert {each.id for each in before.dimensions[:3]} <= {each.id for each in concept.dimensions[:10]}
            strongest = {before.dimensions[0].dim for before in bundle.concepts}
            for j in strongest:
                assert np.corrcoef(found.item_embeddings[:, j], bundle.item_embeddings[:, j])[0, 1] > 0.7


def test_a_bundle_with_other_ids_says_so(bundle):
    end = DimensionEnd(None, ())
    odd = Concept("shoes", 0, "Shoes", 1, (), (Dimension("shoes-1", 0, 1.0, 0.0, end, end),))
    with pytest.raises(ContinuationError, match="has the id 'shoes-1'"):
        Predecessor(dataclasses.replace(bundle, concepts=(odd,)))
