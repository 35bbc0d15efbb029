"""What a user can turn: against the ranking itself, and small cases by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.schema import Dimension, DimensionEnd
from macrid.service.control import Edit, Wishes, alter, move, moves
from macrid.service.controls import Pool, candidates, find_controls, tops_of
from macrid.service.encoder import unit_rows
from macrid.service.errors import InvalidError, OtherModelError, TooLargeError
from macrid.service.loaded_model import LoadedModel
from macrid.service.ranking.scores import soft_scores
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import ControlsRequest
from macrid.service.walk_range import is_nearest, prototype_range, prototype_ranges
from tests.support.bundles import make_bundle

HISTORY = np.array([9, 20])
N = 10


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Large enough that turning something matters: 600 items, 40 dimensions, so that not all are tried."""
    folder = make_bundle(tmp_path_factory.mktemp("bundles") / "larger", items=600, concepts=3, dimensions=40)
    return Recommender(LoadedModel.prepare(Bundle.open(folder)), Limits())


@pytest.fixture(scope="module")
def model(shop):
    return shop.model


@pytest.fixture(scope="module")
def found(model):
    return find_controls(model, model.encoder.encode(HISTORY), HISTORY, N, 5)


def ranking_at(model, concept, dim, value):
    """The ranking that `/recommend` gives when the dimension is set to a value."""
    components, _ = alter(
        model.encoder.encode(HISTORY).components,
        Wishes(edits=[Edit(concept, dim, "value", value)]),
        prototypes=model.bundle.prototypes,
        item_embeddings=model.item_embeddings,
        members=model.members,
    )
    return model.ranker.rank(components, 600, HISTORY)


def everything(found):
    return [(concept, control) for concept, controls in found.items() for control in controls]


class TestFindControls:
    def test_there_are_as_many_as_asked_for_largest_effect_first(self, found):
        assert [len(controls) for controls in found.values()] == [5] * len(found)
        for controls in found.values():
            effects = [control.effect for control in controls]
            assert effects == sorted(effects, reverse=True)
            assert len({control.dimension.dim for control in controls}) == 5

    def test_concepts_with_evidence_are_those_that_clicks_belong_to(self, model, found):
        assert list(found) == sorted({int(model.main_concepts[item]) for item in HISTORY})
        assert 0 < len(found) < 3

    def test_the_effect_is_the_share_of_the_top_that_the_ranker_replaces(self, model, found):
        for concept, control in everything(found):
            low, high = (
                set(ranking_at(model, concept, control.dimension.dim, value).indices[:N].tolist())
                for value in (control.range.used.low, control.range.used.high)
            )
            assert control.effect == pytest.approx(1 - len(low & high) / N)
        assert max(control.effect for _, control in everything(found)) > 0

    def test_no_dimension_that_was_tried_has_a_larger_effect_than_those_returned(self, model, found):
        more = find_controls(model, model.encoder.encode(HISTORY), HISTORY, N, 40)
        for concept, controls in found.items():
            tried = {entry.dim for entry in candidates(model.bundle.concepts[concept].dimensions, 20)}
            effects = [control.effect for control in more[concept] if control.dimension.dim in tried]
            assert [control.effect for control in controls] == sorted(effects, reverse=True)[:5]

    def test_a_preview_is_the_best_item_its_concept_brings_at_one_end_and_not_at_the_other(self, model, found):
        for concept, control in everything(found):
            rankings = [
                ranking_at(model, concept, control.dimension.dim, value)
                for value in (control.range.used.low, control.range.used.high)
            ]
            for here, other, item in zip(rankings, rankings[::-1], (control.low_item, control.high_item), strict=True):
                new = (here.concepts == concept) & ~np.isin(here.indices, other.indices[:N])
                assert item == here.indices[new][0]

    def test_value_and_quantile_say_where_the_component_is(self, model, found):
        components = model.encoder.encode(HISTORY).components
        for concept, control in everything(found):
            column = model.item_embeddings[model.members(concept), control.dimension.dim]
            assert control.value == components[concept, control.dimension.dim]
            assert control.quantile == np.mean(column < np.float32(control.value))

    def test_where_another_prototype_is_nearer_the_items_alone_limit_the_range(self, model):
        sources = set()
        for item in range(60):
            encoding = model.encoder.encode(np.array([item]))
            for concept, controls in find_controls(model, encoding, np.array([item]), N, 1).items():
                at_home = is_nearest(encoding.components[concept], concept, model.bundle.prototypes)
                assert (controls[0].range.source == "prototype_and_items") == at_home
                sources.add(controls[0].range.source)
        assert "prototype_and_items" in sources


class TestSmallModels:
    def serve(self, folder, **contents):
        return LoadedModel.prepare(Bundle.open(make_bundle(folder, **contents)))

    def test_a_single_concept_has_controls_too(self, tmp_path):
        model = self.serve(tmp_path / "one", concepts=1, items=100)
        found = find_controls(model, model.encoder.encode(HISTORY), HISTORY, N, 3)
        for control in found[0]:
            rankings = [
                ranking_at(model, 0, control.dimension.dim, value) for value in
                (control.range.used.low, control.range.used.high)
            ]  # fmt: skip
            tops = [set(ranking.indices[:N].tolist()) for ranking in rankings]
            assert control.effect == pytest.approx(1 - len(tops[0] & tops[1]) / N)

    def test_where_everything_is_in_the_top_nothing_can_be_replaced_but_the_ends_still_show_something(self, tmp_path):
        model = self.serve(tmp_path / "few", concepts=2, items=12)
        found = find_controls(model, model.encoder.encode(np.array([9])), np.array([9]), 50, 4)
        for concept, control in everything(found):
            assert control.effect == 0
            assert {control.low_item, control.high_item} <= set(model.members(concept).tolist()) - {9}

    def test_where_the_history_is_all_there_is_of_a_concept_its_own_items_show_the_ends(self, tmp_path):
        model = self.serve(tmp_path / "all", concepts=2, items=12)
        history = model.members(0)
        found = find_controls(model, model.encoder.encode(history), history, 3, 8)
        assert {item for control in found[0] for item in (control.low_item, control.high_item)} <= set(range(12))
        assert len(found[0]) == 8

    def test_where_the_history_is_the_whole_catalogue_nothing_has_an_effect(self, tmp_path):
        model = self.serve(tmp_path / "whole", concepts=2, items=12)
        found = find_controls(model, model.encoder.encode(np.arange(12)), np.arange(12), 3, 2)
        assert [control.effect for _, control in everything(found)] == [0, 0, 0, 0]


class TestCandidates:
    def dimension(self, dim, importance, strength):
        end = DimensionEnd(None, ())
        return Dimension(f"c0d{dim}", dim, importance, strength, end, end)

    def test_they_are_those_that_matter_and_have_a_name(self):
        entries = [self.dimension(0, 0.3, 0.0), self.dimension(1, 0.1, 0.8), self.dimension(2, 0.2, 0.1)]
        assert [entry.dim for entry in candidates(entries, 2)] == [1, 2]  # .09, .04, and .03 without a name

    def test_where_nothing_has_a_name_those_that_matter_most(self):
        entries = [self.dimension(dim, importance, 0.0) for dim, importance in enumerate((0.2, 0.5, 0.3))]
        assert [entry.dim for entry in candidates(entries, 9)] == [1, 2, 0]


class TestTopsOf:
    def test_of_equal_scores_the_earlier_are_in(self):
        assert tops_of(np.array([[1.0, 3.0, 1.0, 1.0]]), 2).tolist() == [[True, True, False, False]]


class TestTheShortWayIsThePlainOne:
    """What is computed for all ends at once against the same for one end at a time."""

    @settings(deadline=None, max_examples=100)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([2, 9, 40]))
    def test_ranges_and_vectors_do_not_depend_on_how_many_there_are(self, seed, concepts, dimensions):
        rng = np.random.default_rng(seed)
        prototypes, (component,) = (
            unit_rows(rng.normal(size=(n, dimensions)).astype(np.float32)) for n in (concepts, 1)
        )
        prototypes[rng.random(prototypes.shape) < 0.2] = 0  # slopes of 0
        together = prototype_ranges(component, list(range(dimensions)), 0, prototypes)
        assert together == [prototype_range(component, dim, 0, prototypes) for dim in range(dimensions)]
        targets = component + rng.normal(size=(7, dimensions)) * (rng.random((7, 1)) < 0.8)
        scales = rng.choice([0.0, 0.3, 1.0], size=7)
        each = [move(component, target, scale) for target, scale in zip(targets, scales, strict=True)]
        np.testing.assert_array_equal(moves(component, targets, scales), np.stack(each))

    @settings(deadline=None, max_examples=100)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 40))
    def test_tops_are_those_of_each_row(self, seed, width, n):
        scores = np.random.default_rng(seed).integers(0, 6, size=(5, width)).astype(np.float64)  # many ties
        expected = np.zeros(scores.shape, dtype=bool)
        for row, values in zip(expected, scores, strict=True):
            row[np.lexsort((np.arange(width), -values))[:n]] = True
        np.testing.assert_array_equal(tops_of(scores, n), expected)

    @pytest.mark.parametrize("temperature", [0.002, 0.1, 2.0])
    def test_scores_of_the_pool_are_those_of_the_ranker(self, model, temperature):
        rng = np.random.default_rng(4)
        items, prototypes = model.item_embeddings[:50], model.bundle.prototypes
        components, replacements = (unit_rows(rng.normal(size=(3, 40)).astype(np.float32)) for _ in range(2))
        pool = Pool.of(np.arange(50), items, prototypes, components, temperature)
        found, own = pool.scores_with(replacements.astype(np.float64), 1)
        for replacement, scores, is_own in zip(replacements, found, own, strict=True):
            components[1] = replacement
            expected, concepts = soft_scores(items, components, prototypes, temperature)
            np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-9)
            np.testing.assert_array_equal(is_own, concepts == 1)


class TestFacade:
    def ask(self, recommender, *history, **options):
        return recommender.controls(ControlsRequest(history=list(history), **options))

    def test_it_answers_what_was_found_with_names_and_items(self, shop, model, found):
        answer = self.ask(shop, "item-9", "nope", "item-20", n=N)
        assert answer.unknown_items == ["nope"]
        assert [component.concept for component in answer.components] == list(found)
        for component in answer.components:
            expected = found[component.concept]
            assert [control.dim for control in component.dimensions] == [entry.dimension.dim for entry in expected]
            for control, entry in zip(component.dimensions, expected, strict=True):
                assert (control.low_label, control.high_label) == (
                    entry.dimension.low.label,
                    entry.dimension.high.label,
                )
                assert control.low_item.item_id == model.bundle.catalogue.item(entry.low_item).item_id
                assert control.high_item.item_id == model.bundle.catalogue.item(entry.high_item).item_id
                assert control.range.low == entry.range.used.low

    def test_a_component_is_as_recommend_describes_it(self, shop):
        described = shop.encode(["item-9"]).components
        for component in self.ask(shop, "item-9").components:
            expected = described[component.concept].model_dump(exclude={"vector"})
            assert component.model_dump(exclude={"dimensions"}) == expected

    @pytest.mark.parametrize("history", [(), ("nope",)])
    def test_without_any_known_item_there_is_nothing_to_turn(self, recommender, history):
        assert self.ask(recommender, *history).components == []

    def test_limits_hold(self, recommender):
        with pytest.raises(TooLargeError, match="history holds 9"):
            self.ask(recommender, *["item-9"] * 9)
        with pytest.raises(InvalidError, match="n: at most 50"):
            self.ask(recommender, "item-9", n=51)

    def test_a_request_for_another_model_is_refused(self, recommender):
        with pytest.raises(OtherModelError):
            self.ask(recommender, "item-9", model_version="other-1")
