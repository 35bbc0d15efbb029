"""Walks from a user's component, asked of the facade."""

import itertools

import numpy as np
import pytest

from macrid.artifacts.bundle import Bundle
from macrid.service.errors import InvalidError, TooLargeError, UnknownConceptError, UnknownDimensionError
from macrid.service.loaded_model import LoadedModel
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import WalkRequest
from macrid.service.walk_range import is_nearest
from tests.support.bundles import make_bundle, random_arrays


def walk(recommender, *history, concept=0, dim=2, **options):
    return recommender.walk_from_component(WalkRequest(history=list(history), concept=concept, dim=dim, **options))


def serve(folder, **contents):
    bundle = Bundle.open(make_bundle(folder, **contents))
    return Recommender(LoadedModel.prepare(bundle), Limits())


class TestWalkFromComponent:
    def test_it_starts_at_the_component_that_encode_returns(self, recommender):
        component = recommender.encode(["item-9", "item-20"]).components[1]
        answer = walk(recommender, "item-9", "item-20", concept=1)
        assert answer.start.value == component.vector[2]
        assert answer.component.model_dump() == component.model_dump(exclude={"vector"})

    def test_it_goes_over_items_of_the_component_s_own_concept(self, recommender):
        for concept in range(3):
            answer = walk(recommender, "item-9", concept=concept)
            assert answer.concept == answer.component.concept == concept
            assert len(answer.steps) == 7
            assert {step.item.concept for step in answer.steps} == {concept}

    def test_similarity_is_the_cosine_to_the_component_without_the_dimension(self, recommender):
        start = recommender.model.encoder.encode(np.array([9])).components[0].astype(np.float64)
        for step in walk(recommender, "item-9").steps:
            index = recommender.model.bundle.catalogue.indices([step.item.item_id])[step.item.item_id]
            row = np.delete(recommender.model.item_embeddings[index].astype(np.float64), 2)
            rest = np.delete(start, 2)
            expected = row @ rest / np.linalg.norm(row) / np.linalg.norm(rest)
            assert step.similarity == pytest.approx(expected, abs=1e-6)

    def test_where_another_prototype_is_nearer_at_the_start_only_the_items_limit_it(self, recommender):
        components = recommender.model.encoder.encode(np.array([9])).components
        prototypes = recommender.model.bundle.prototypes
        elsewhere = [k for k in range(3) if not is_nearest(components[k], k, prototypes)]
        at_home = [k for k in range(3) if k not in elsewhere]
        assert elsewhere  # or this test shows nothing
        assert at_home
        for concept in range(3):
            answer = walk(recommender, "item-9", concept=concept)
            assert answer.range_source == ("items" if concept in elsewhere else "prototype_and_items")
            if concept in elsewhere:
                assert answer.range == answer.items_range

    def test_items_of_the_history_are_not_among_the_steps_but_count_for_the_range(self, recommender):
        members = recommender.model.members(0)
        lowest = int(members[np.argmin(recommender.model.item_embeddings[members, 2])])
        first = recommender.model.bundle.catalogue.item(lowest).item_id
        answer = walk(recommender, first, steps=50)
        assert len(answer.steps) == len(members) - 1
        assert first not in [step.item.item_id for step in answer.steps]
        assert answer.items_range.low == recommender.model.item_embeddings[lowest, 2]

    def test_a_history_is_a_set_and_unknown_ids_are_ignored(self, recommender):
        once = walk(recommender, "item-20", "item-9")
        assert walk(recommender, "item-9", "nope", "item-20", "item-9") == once

    @pytest.mark.parametrize("history", [(), ("nope",)])
    def test_without_any_known_item_there_is_no_component_to_start_from(self, recommender, history):
        with pytest.raises(InvalidError, match="history: none of the items is known") as refusal:
            walk(recommender, *history)
        assert refusal.value.field == "history"

    @pytest.mark.parametrize("concept", [3, -1, 10**30])
    def test_a_concept_that_is_not_there_is_refused_with_the_valid_ones(self, recommender, concept):
        with pytest.raises(UnknownConceptError, match="numbered 0 to 2"):
            walk(recommender, "item-9", concept=concept)

    @pytest.mark.parametrize("dim", [8, -1, 10**30])
    def test_a_dimension_that_is_not_there_is_refused_with_the_valid_ones(self, recommender, dim):
        with pytest.raises(UnknownDimensionError, match="0 to 7"):
            walk(recommender, "item-9", dim=dim)

    def test_a_history_beyond_the_limit_is_refused(self, recommender):
        with pytest.raises(TooLargeError, match="history holds 9 item ids"):
            walk(recommender, *["item-9"] * 9)


class TestSmallModels:
    def test_with_a_single_concept_nothing_but_the_items_limits_the_walk(self, tmp_path):
        answer = walk(serve(tmp_path / "one", concepts=1, items=20), "item-9")
        assert answer.prototype_range.low is None
        assert answer.prototype_range.high is None
        assert answer.range_source == "prototype_and_items"
        assert answer.range == answer.items_range
        assert len(answer.steps) == 7

    def test_a_concept_with_fewer_items_than_steps_gives_one_step_to_each(self, tmp_path):
        answer = walk(serve(tmp_path / "few", concepts=3, items=12), "a", steps=7)  # 4 items each; "a" is in concept 1
        assert 2 <= len(answer.steps) <= 4
        values = [step.value for step in answer.steps]
        assert all(lower < upper for lower, upper in itertools.pairwise(values))

    def test_where_all_items_of_the_concept_are_in_the_history_there_is_nothing_to_walk_over(self, tmp_path):
        recommender = serve(tmp_path / "all", concepts=2, items=12)
        everything = [recommender.model.bundle.catalogue.item(at).item_id for at in recommender.model.members(0)]
        answer = walk(recommender, *everything)
        assert (answer.steps, answer.objective, answer.start.step) == ([], 0.0, None)

    def test_a_concept_that_no_item_belongs_to_is_refused(self, tmp_path):
        arrays = random_arrays(np.random.default_rng(0), items=20, concepts=2, dimensions=8)
        home = arrays["prototypes"][0]
        arrays["item_embeddings"] = np.tile(home, (20, 1))
        logits = arrays["item_embeddings"] @ arrays["prototypes"].T / 0.1
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        arrays["concept_weights"] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        with pytest.raises(InvalidError, match="no item belongs to concept 1"):
            walk(serve(tmp_path / "none", concepts=2, items=20, arrays=arrays), "item-9", concept=1)
