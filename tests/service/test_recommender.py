"""The facade: what each question answers, without HTTP."""

import contextlib
import dataclasses

import numpy as np
import pytest

from macrid.artifacts.bundle import Bundle
from macrid.service.answered import Answered
from macrid.service.errors import (
    InvalidError,
    NoPictureError,
    ServiceError,
    TooLargeError,
    UnknownConceptError,
    UnknownDimensionError,
    UnknownItemError,
)
from macrid.service.loaded_model import LoadedModel
from macrid.service.ranking.items import Items
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import ItemsQuery, RecommendRequest, WalkQuery
from tests.support.bundles import make_bundle, random_arrays


@pytest.fixture(scope="session")
def bundle(recommender):
    return recommender.model.bundle


def recommend(recommender, *history, **options):
    return recommender.recommend(RecommendRequest(history=list(history), **options))


def ids(items):
    return [item.item_id for item in items]


class TestRecommend:
    def test_the_ranking_is_that_of_the_models_formula(self, recommender, bundle):
        answer = recommend(recommender, "item-9", "item-20", n=10)
        encoding = recommender.model.encoder.encode(np.array([9, 20]))
        logits = bundle.item_embeddings.astype(np.float64) @ encoding.components.T / 0.1
        scores = np.log(np.sum(bundle.concept_weights * np.exp(logits), axis=1))
        scores[[9, 20]] = -np.inf
        best = np.argsort(-scores)[:10]
        assert ids(answer.items) == [bundle.catalogue.item(index).item_id for index in best]
        np.testing.assert_allclose([item.score for item in answer.items], scores[best], atol=1e-5)
        assert [item.rank for item in answer.items] == list(range(1, 11))

    def test_each_item_names_the_concept_that_contributes_most(self, recommender, bundle):
        answer = recommend(recommender, "item-9", n=5)
        encoding = recommender.model.encoder.encode(np.array([9]))
        for item in answer.items:
            row = bundle.catalogue.indices([item.item_id])[item.item_id]
            shares = bundle.concept_weights[row] * np.exp(encoding.components @ bundle.item_embeddings[row] / 0.1)
            assert item.concept == np.argmax(shares)

    def test_a_history_is_a_set(self, recommender):
        assert recommend(recommender, "item-9", "item-20", "item-9") == recommend(recommender, "item-20", "item-9")

    def test_unknown_ids_are_reported_once_and_otherwise_ignored(self, recommender):
        answer = recommend(recommender, "nope", "item-9", "neither", "nope")
        assert answer.unknown_items == ["nope", "neither"]
        assert answer.fallback is None
        assert answer.items == recommend(recommender, "item-9").items

    @pytest.mark.parametrize("history", [(), ("nope",)])
    def test_without_any_known_id_it_falls_back_to_popular_items_and_says_so(self, recommender, bundle, history):
        answer = recommend(recommender, *history, n=3)
        assert answer.fallback == "popular"
        assert answer.ranking.ranker == "popularity"
        assert answer.components == []
        assert [item.score for item in answer.items] == [None] * 3
        best = np.argsort(-bundle.popularity, kind="stable")[:3]
        assert ids(answer.items) == [bundle.catalogue.item(index).item_id for index in best]

    def test_excluded_items_are_left_out_of_the_fallback_too(self, recommender):
        first, second, *_ = ids(recommend(recommender, n=3).items)
        assert ids(recommend(recommender, n=1, exclude=[first, "nope"]).items) == [second]

    def test_the_history_is_left_out_unless_asked_for(self, recommender):
        without = recommend(recommender, "item-9", n=50)
        with_it = recommend(recommender, "item-9", n=50, exclude_history=False)
        assert "item-9" not in ids(without.items)
        assert "item-9" in ids(with_it.items)

    def test_excluded_items_are_left_out_and_replaced(self, recommender):
        first, *others = ids(recommend(recommender, "item-9", n=5).items)
        assert ids(recommend(recommender, "item-9", n=4, exclude=[first]).items) == others

    def test_it_returns_all_there_is_when_less_is_left_than_asked_for(self, recommender):
        exclude = ["item-30", "item-31"]
        assert len(recommend(recommender, "item-9", n=50, exclude=exclude).items) == 50
        everything = [f"item-{at}" for at in range(8, 60)][:8]
        assert len(recommend(recommender, *everything, n=50, exclude=["a", "a/walk", "..a"]).items) == 60 - 11

    def test_components_share_out_the_confidence(self, recommender):
        components = recommend(recommender, "item-9", "item-20").components
        assert [component.concept for component in components] == [0, 1, 2]
        assert sum(component.confidence for component in components) == pytest.approx(2.0, abs=1e-5)
        assert sum(component.share for component in components) == pytest.approx(1.0)

    def test_a_history_beyond_the_limit_is_refused_with_both_numbers(self, recommender):
        with pytest.raises(TooLargeError, match="history holds 9 item ids, this server accepts at most 8"):
            recommend(recommender, *["item-9"] * 9)

    def test_too_many_excluded_items_are_refused(self, recommender):
        with pytest.raises(TooLargeError, match="exclude holds 9 item ids"):
            recommend(recommender, "item-9", exclude=["item-10"] * 9)

    def test_more_items_than_the_limit_are_refused_by_name(self, recommender):
        with pytest.raises(InvalidError, match="n: at most 50 items"):
            recommend(recommender, "item-9", n=51)


class TestEncode:
    def test_it_returns_the_components_that_recommend_ranks_with(self, recommender):
        encoded = recommender.encode(["item-9", "nope"])
        assert encoded.unknown_items == ["nope"]
        expected = recommender.model.encoder.encode(np.array([9]))
        for component, vector in zip(encoded.components, expected.components, strict=True):
            np.testing.assert_array_equal(component.vector, vector.tolist())
            assert np.linalg.norm(component.vector) == pytest.approx(1.0, abs=1e-6)

    def test_it_has_no_components_when_nothing_is_known(self, recommender):
        assert recommender.encode(["nope"]).components == []


class TestItem:
    def test_it_shows_weights_popularity_and_metadata(self, recommender, bundle):
        item = recommender.item("item-9")
        assert item.title.startswith("Item 9 of ")
        assert item.metadata == {"department": item.metadata["department"], "year": 1999, "price": 2.25}
        assert item.popularity == bundle.popularity[9]
        assert item.concept_weights == bundle.concept_weights[9].tolist()
        assert item.concept == np.argmax(bundle.concept_weights[9])

    def test_its_picture_comes_from_here_if_the_catalogue_holds_one_else_from_where_the_catalogue_says(
        self, recommender
    ):
        assert recommender.item("item-10").image == "/items/item-10/picture"
        assert recommender.item("item-13").image == "https://example.org/picture.png"
        assert recommender.item("item-11").image is None

    def test_top_dimensions_are_those_that_matter_and_where_it_lies_far_from_the_middle(self, recommender, bundle):
        item = recommender.item("item-9")
        members = recommender.model.members(item.concept)
        telling = []
        for dimension in item.top_dimensions:
            others = bundle.item_embeddings[members, dimension.dim]
            value = bundle.item_embeddings[9, dimension.dim]
            assert dimension.value == value
            assert dimension.quantile == pytest.approx(np.mean(others < value) + 0.5 / len(members))
            telling.append(dimension.importance * abs(2 * dimension.quantile - 1))
        assert telling == sorted(telling, reverse=True)
        assert len(item.top_dimensions) == 8  # all there are; ten at most

    def test_an_unknown_id_is_named(self, recommender):
        with pytest.raises(UnknownItemError, match="no item has the id 'nope'"):
            recommender.item("nope")


class TestPicture:
    def test_it_is_what_the_catalogue_holds(self, recommender):
        assert recommender.picture("item-10").media_type == "image/svg+xml"

    def test_an_item_without_one_says_so(self, recommender):
        with pytest.raises(NoPictureError, match="holds no picture of the item 'item-9'"):
            recommender.picture("item-9")


class TestSimilar:
    def test_neighbours_are_the_nearest_by_cosine_without_the_item_itself(self, recommender, bundle):
        answer = recommender.similar("item-9", 5)
        cosines = bundle.item_embeddings.astype(np.float64) @ bundle.item_embeddings[9]
        cosines[9] = -np.inf
        best = np.argsort(-cosines)[:5]
        assert ids(answer.items) == [bundle.catalogue.item(index).item_id for index in best]
        np.testing.assert_allclose([item.similarity for item in answer.items], cosines[best], atol=1e-6)
        assert answer.item.item_id == "item-9"

    def test_at_most_all_others_come_back(self, recommender):
        assert len(recommender.similar("item-9", 50).items) == 50

    def test_more_than_the_limit_is_refused(self, recommender):
        with pytest.raises(InvalidError, match="n: at most 50"):
            recommender.similar("item-9", 51)


class TestSearch:
    def test_without_words_it_lists_by_popularity_page_by_page(self, recommender, bundle):
        order = np.argsort(-bundle.popularity, kind="stable")
        page = recommender.search(ItemsQuery(limit=4, offset=2))
        assert page.total == 60
        assert ids(page.items) == [bundle.catalogue.item(index).item_id for index in order[2:6]]
        assert recommender.search(ItemsQuery(offset=60)).items == []

    def test_with_words_it_finds_titles(self, recommender):
        found = recommender.search(ItemsQuery(q="item 42"))
        assert found.total == 1
        assert ids(found.items) == ["item-42"]

    @pytest.mark.parametrize("q", ['"', "AND OR NOT", "*", "title:", "\0", "'; DROP TABLE items; --", "(((", "☃"])
    def test_any_text_is_a_safe_question(self, recommender, q):
        assert recommender.search(ItemsQuery(q=q)).total >= 0

    def test_blank_words_are_no_words(self, recommender):
        assert recommender.search(ItemsQuery(q="  ")).total == 60


class TestWalkFromItem:
    def test_it_stays_among_the_items_of_the_starting_items_concept(self, recommender):
        answer = recommender.walk_from_item("item-9", WalkQuery(dim=3, steps=4))
        concept = recommender.item("item-9").concept
        assert answer.concept == concept
        assert len(answer.steps) == 4
        assert {step.item.concept for step in answer.steps} == {concept}
        assert "item-9" not in [step.item.item_id for step in answer.steps]

    def test_values_rise_through_the_subranges_of_the_walked_range(self, recommender):
        answer = recommender.walk_from_item("item-9", WalkQuery(dim=3, steps=5))
        assert answer.steps[0].low == answer.range.low
        assert answer.steps[-1].high == answer.range.high
        for step, following in zip(answer.steps, answer.steps[1:], strict=False):
            assert step.low <= step.value <= step.high == following.low
            assert step.value < following.value

    def test_its_own_place_is_marked(self, recommender, bundle):
        answer = recommender.walk_from_item("item-9", WalkQuery(dim=3))
        assert answer.start.value == bundle.item_embeddings[9, 3]
        own = answer.steps[answer.start.step]
        assert own.low <= answer.start.value <= own.high

    def test_both_ranges_and_the_names_of_both_ends_come_with_it(self, recommender):
        named, unnamed = (recommender.walk_from_item("item-9", WalkQuery(dim=dim)) for dim in (2, 3))
        assert (named.low_label, named.high_label) == ("small", "large")
        assert (unnamed.low_label, unnamed.high_label) == (None, None)
        assert named.range_source == "prototype_and_items"
        assert named.items_range.low <= named.range.low < named.range.high <= named.items_range.high

    @pytest.mark.parametrize("dim", [8, -1, 10**30])
    def test_a_dimension_that_is_not_there_is_refused_with_the_valid_ones(self, recommender, dim):
        with pytest.raises(UnknownDimensionError, match="0 to 7"):
            recommender.walk_from_item("item-9", WalkQuery(dim=dim))


class TestConcepts:
    def test_all_are_listed_with_at_most_six_exemplars(self, recommender):
        concepts = recommender.concepts().concepts
        assert [concept.concept for concept in concepts] == [0, 1, 2]
        assert sum(concept.size for concept in concepts) == 60
        assert all(len(concept.exemplars) == 6 for concept in concepts)
        assert all(item.concept == concept.concept for concept in concepts for item in concept.exemplars)

    def test_one_shows_its_dimensions_with_items_at_both_ends(self, recommender, bundle):
        concept = recommender.concept(1)
        importances = [dimension.importance for dimension in concept.dimensions]
        assert importances == sorted(importances, reverse=True)
        for dimension in concept.dimensions:
            low, high = (
                bundle.item_embeddings[bundle.catalogue.indices(ids(end)[:1])[end[0].item_id], dimension.dim]
                for end in (dimension.low_exemplars, dimension.high_exemplars)
            )
            assert low < high

    def test_fewer_items_at_the_ends_change_nothing_else(self, recommender):
        whole, fewer, none = (recommender.concept(1, ends).model_dump() for ends in (3, 2, 0))
        assert max(len(dimension["low_exemplars"]) for dimension in whole["dimensions"]) == 3
        for ends, part in ((2, fewer), (0, none)):
            for dimension, expected in zip(part["dimensions"], whole["dimensions"], strict=True):
                for end in ("low_exemplars", "high_exemplars"):
                    expected = {**expected, end: expected[end][:ends]}
                assert dimension == expected
            assert {**part, "dimensions": None} == {**whole, "dimensions": None}

    @pytest.mark.parametrize("concept", [3, -1])
    def test_one_that_is_not_there_is_refused_with_the_valid_ones(self, recommender, concept):
        with pytest.raises(UnknownConceptError, match="numbered 0 to 2"):
            recommender.concept(concept)


class TestWhereItIsAnswered:
    """On the event loop only where nobody minds waiting."""

    @pytest.mark.parametrize("by_every_item", [False, True])
    def test_an_encoding_by_every_item_of_many_is_no_small_thing(self, monkeypatch, tmp_path, by_every_item):
        arrays = random_arrays(np.random.default_rng(0), items=60, concepts=3, dimensions=8)
        if by_every_item:
            del arrays["landmarks"], arrays["landmark_masses"]
        with contextlib.closing(Bundle.open(make_bundle(tmp_path / "bundle", arrays=arrays))) as bundle:
            model = LoadedModel.prepare(bundle, "exact")
            items = Items(model.scored_items.rows, model.scored_items.prototypes, 0.1, eight_bits=True)
            asked = Recommender(dataclasses.replace(model, scored_items=items), Limits(1, 1, 1))
            request = RecommendRequest(history=["item-9"])
            assert asked.answers_at_once(request)
            monkeypatch.setattr("macrid.service.recommender.SCORED_AT_ONCE", 60 * 3 * 8 - 1)
            assert asked.answers_at_once(request) is not by_every_item


class TestAnswerEach:
    """Together each gets what it gets alone: an answer, or an error."""

    REQUESTS = (
        {"history": ["item-9", "item-20"], "n": 10},
        {"history": ["item-3"], "n": 10},
        {"history": ["item-3", "item-4", "item-5"], "n": 10, "exclude": ["item-9", "nobody"]},
        {"history": ["item-3", "item-4"], "n": 10, "exclude_history": False},
        {"history": ["item-7"], "n": 7},
        {"history": ["item-7"], "n": 3, "offset": 4},
        {"history": [], "n": 4},
        {"history": ["nobody"], "n": 4},
        {"history": ["item-7", "nobody"], "n": 10},
        {"history": ["item-7"], "n": 10, "liked": ["item-30"]},
        {"history": ["item-7"], "n": 10, "concepts": [{"concept": 0, "weight": 0.0}]},
        {"history": ["item-7"], "n": 10, "per_concept": 2},
        {"history": ["item-7"], "n": 10, "diversity": 0.5},
        {"history": ["item-7"], "n": 10, "min_score": 0.0},
        {"history": ["item-7"], "n": 10, "explain": True},
        {"history": ["item-7"], "n": 10, "filter": {"column": "nothing", "equals": 1}},
        {"history": ["item-7"], "n": 10, "model_version": "another"},
        {"history": [f"item-{at}" for at in range(60)], "n": 10},
    )

    def test_an_answer_or_an_error_for_each(self, recommender):
        requests = [RecommendRequest(**fields) for fields in self.REQUESTS]
        outcomes = recommender.answer_each(requests)
        assert len(outcomes) == len(requests)
        alone = [self.outcome(recommender, request) for request in requests]
        assert [self.told(outcome) for outcome in outcomes] == [self.told(outcome) for outcome in alone]
        assert sum(isinstance(outcome, ServiceError) for outcome in outcomes) == 3

    def test_each_is_written_as_its_schema_writes_it(self, recommender):
        outcomes = recommender.answer_each([RecommendRequest(**fields) for fields in self.REQUESTS])
        answers = [outcome for outcome in outcomes if not isinstance(outcome, ServiceError)]
        assert len(answers) == len(self.REQUESTS) - 3
        for answer in answers:
            assert answer.json() == answer.checked().model_dump_json().encode()

    def outcome(self, recommender, request):
        try:
            return recommender.recommend(request)
        except ServiceError as error:
            return error

    def told(self, outcome):
        if isinstance(outcome, ServiceError):
            return type(outcome), str(outcome)
        return outcome.checked() if isinstance(outcome, Answered) else outcome

    def test_of_nobody_nothing(self, recommender):
        assert recommender.answer_each([]) == []
