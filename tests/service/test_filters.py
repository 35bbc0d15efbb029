"""Filters: what they mean, what is refused, and that no combination of options lets through what it should not."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from macrid.artifacts.bundle import Bundle
from macrid.service.errors import InvalidError
from macrid.service.filters import KEPT, Filters
from macrid.service.loaded_model import LoadedModel
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import (
    Adjustment,
    And,
    ConceptWeight,
    ControlsRequest,
    Equals,
    In,
    Not,
    Or,
    RecommendRequest,
    WalkQuery,
    WalkRequest,
    Within,
)
from tests.service.ranking.test_rankers import brute_force_scores
from tests.support.bundles import make_bundle

ITEMS = 120
BAGS = {"column": "department", "equals": "bags"}


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    """The same shop behind both rankers; its columns are department (text), year (1990 + row) and price (row / 4 or none)."""
    folder = make_bundle(tmp_path_factory.mktemp("bundles") / "shop", items=ITEMS, concepts=3, dimensions=8)
    return {
        name: Recommender(LoadedModel.prepare(Bundle.open(folder), name), Limits()) for name in ("exact", "by_concept")
    }


@pytest.fixture
def shop(shops):
    return shops["exact"]


@pytest.fixture
def filters(shop):
    return Filters(shop.model.bundle.catalogue)


def parsed(given):
    return RecommendRequest.model_validate({"history": [], "filter": given}).filter


def rows_of(filters, given):
    return np.flatnonzero(filters.allowed(parsed(given), "body")).tolist()


def ids(answer):
    return [item.item_id for item in answer.items]


class TestMeaning:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"column": "year", "equals": 1993}, [3]),
            ({"column": "year", "in": [1993, 1995.0, 7]}, [3, 5]),
            ({"column": "year", "gt": 1993, "lte": 1995}, [4, 5]),
            ({"column": "price", "gte": 1, "lt": 1.5}, [4, 5]),
            ({"and": [{"column": "year", "lt": 1996}, {"column": "price", "gt": 1}]}, [5]),
            ({"or": [{"column": "year", "equals": 1990}, {"column": "price", "equals": 0.25}]}, [0, 1]),
            ({"and": [{"not": {"column": "price", "gt": 1}}, {"column": "year", "lt": 1998}]}, [0, 1, 2, 3, 4, 7]),
        ],
    )
    def test_comparisons_and_their_joints(self, filters, given, expected):
        assert rows_of(filters, given) == expected

    def test_an_item_without_a_value_meets_no_comparison_and_every_not_of_one(self, filters):
        anything = {"column": "price", "gte": -1e300}
        without = [at for at in range(ITEMS) if at % 7 == 0]  # as the bundle is made
        assert rows_of(filters, {"not": anything}) == without
        assert rows_of(filters, {"and": [anything, {"column": "year", "lte": 1997}]}) == [1, 2, 3, 4, 5, 6]

    def test_without_a_filter_nothing_is_asked(self, filters):
        assert filters.allowed(None, "body") is None


class TestRefusals:
    def test_an_unknown_column_is_named_with_those_there_are(self, filters):
        nested = parsed({"and": [BAGS, {"not": {"column": "colour", "equals": "red"}}]})
        with pytest.raises(InvalidError) as refused:
            filters.allowed(nested, "body")
        assert refused.value.field == "filter.and[1].not.column"
        assert refused.value.message == (
            "the catalogue has no column 'colour'; the columns are 'department', 'year', 'price'"
        )

    @pytest.mark.parametrize(
        ("given", "field", "says"),
        [
            (
                {"column": "price", "equals": "9"},
                "filter.equals",
                "column 'price' holds real values, expected a number",
            ),
            (
                {"column": "year", "lt": "x"},
                "filter.lt",
                "column 'year' holds integer values, expected a number and not",
            ),
            ({"or": [{"column": "department", "in": ["a", 3]}]}, "filter.or[0].in[1]", "expected text and not 3"),
        ],
    )
    def test_a_value_of_another_kind_is_named_with_column_and_kind(self, filters, given, field, says):
        with pytest.raises(InvalidError) as refused:
            filters.allowed(parsed(given), "query")
        assert (refused.value.field, refused.value.place) == (field, "query")
        assert says in refused.value.message

    def test_the_bounds_of_size_hold(self):
        deep = BAGS
        for _ in range(7):
            deep = {"not": deep}
        parsed(deep)
        for too_large, says in [
            ({"not": deep}, "9 levels, expected at most 8"),
            ({"or": [{"and": [BAGS] * 32}] * 2}, "67 conditions, expected at most 32"),
            (
                {"or": [{"column": "year", "in": list(range(600))}] * 2},
                "1200 values in its lists, expected at most 1000",
            ),
        ]:
            with pytest.raises(ValidationError, match=says):
                parsed(too_large)


class TestCache:
    def count(self, filters):
        asked = []
        matching = filters._catalogue.matching
        filters._catalogue = type(
            "Counted",
            (),
            {
                "matching": lambda _, condition: asked.append(condition) or matching(condition),
                "__len__": lambda _: ITEMS,
            },
        )()
        return asked

    def test_filters_that_say_the_same_are_asked_once(self, filters):
        asked = self.count(filters)
        late, bags = {"column": "year", "gt": 2000}, {"column": "department", "in": ["bags"]}
        same = [
            {"and": [late, bags]},
            {"and": [BAGS, late, BAGS]},
            {"not": {"not": {"and": [bags, {"and": [late]}]}}},
        ]
        answers = [rows_of(filters, given) for given in same]
        assert len(asked) == 1
        assert answers[0] == answers[1] == answers[2] != []

    def test_only_so_many_are_kept_those_asked_last(self, filters):
        asked = self.count(filters)
        for year in [*range(KEPT + 1), 1, 0]:
            rows_of(filters, {"column": "year", "equals": year})
        assert len(asked) == KEPT + 2  # 1 was kept, 0 was not
        assert len(filters._kept) == KEPT

    def test_an_answer_can_be_changed_without_changing_the_next(self, filters):
        filters.allowed(parsed(BAGS), "body")[:] = True
        assert len(rows_of(filters, BAGS)) < ITEMS


comparisons = st.one_of(
    st.builds(
        lambda names: In(column="department", in_=names), st.lists(st.sampled_from(["bags", "shoes"]), min_size=1)
    ),
    st.builds(lambda low: Within(column="year", gte=low), st.integers(1980, 2120)),
    st.builds(lambda low, width: Within(column="price", gt=low, lt=low + width), st.floats(-1, 30), st.floats(0, 20)),
    st.builds(lambda year: Equals(column="year", equals=year), st.integers(1985, 2115)),
)
some_filters = st.recursive(
    comparisons,
    lambda parts: st.one_of(
        st.builds(lambda given: And(and_=given), st.lists(parts, min_size=1, max_size=3)),
        st.builds(lambda given: Or(or_=given), st.lists(parts, min_size=1, max_size=3)),
        st.builds(lambda given: Not(not_=given), parts),
    ),
    max_leaves=4,
)


def meets(item, node):
    """What a filter says of an item of the catalogue, in Python."""
    match node:
        case And():
            return all(meets(item, part) for part in node.and_)
        case Or():
            return any(meets(item, part) for part in node.or_)
        case Not():
            return not meets(item, node.not_)
    value = item.metadata[node.column]
    match node:
        case _ if value is None:
            return False
        case Equals():
            return value == node.equals
        case In():
            return value in node.in_
    bounds = ((node.gt, value.__gt__), (node.gte, value.__ge__), (node.lt, value.__lt__), (node.lte, value.__le__))
    return all(passes(bound) for bound, passes in bounds if bound is not None)


@st.composite
def requests(draw):
    some_ids = st.lists(st.sampled_from([f"item-{at}" for at in range(8, ITEMS)]), max_size=6)
    weights = draw(st.lists(st.sampled_from([0.0, 0.2, 1.0, 40.0]), min_size=3, max_size=3).filter(any))
    return RecommendRequest(
        history=draw(some_ids),
        n=draw(st.sampled_from([1, 3, 20, ITEMS])),
        exclude=draw(st.one_of(some_ids, st.just([f"item-{at}" for at in range(8, ITEMS, 2)]))),
        exclude_history=draw(st.booleans()),
        filter=draw(st.one_of(st.none(), some_filters)),
        concepts=draw(st.sampled_from([[], [ConceptWeight(concept=k, weight=w) for k, w in enumerate(weights)]])),
        adjust=draw(st.sampled_from([[], [Adjustment(concept=1, dim=2, quantile=0.9)]])),
    )


class TestNoCombinationLetsThroughWhatItShouldNot:
    @pytest.mark.parametrize("ranker", ["exact", "by_concept"])
    @settings(deadline=None, max_examples=150)
    @given(request=requests())
    def test_every_item_is_allowed_and_there_are_as_many_as_possible(self, shops, ranker, request):
        shop = shops[ranker]
        catalogue = shop.model.bundle.catalogue
        everything = catalogue.items(range(ITEMS))
        left_out = {*request.exclude, *(request.history if request.exclude_history else ())}
        allowed = {
            item.item_id
            for item in everything
            if item.item_id not in left_out and (request.filter is None or meets(item, request.filter))
        }
        answer = shop.recommend(request)
        found = ids(answer)
        assert len(found) == len(set(found)) == min(request.n, len(allowed))
        assert set(found) <= allowed
        assert answer.ranking.certified

    @settings(deadline=None, max_examples=100)
    @given(request=requests())
    def test_the_items_are_the_best_of_those_allowed(self, shops, request):
        shop = shops["by_concept"]
        answer = shop.recommend(request.model_copy(update={"adjust": []}))
        if answer.fallback is None:
            bundle = shop.model.bundle
            history = np.array(sorted(bundle.catalogue.indices(request.history).values()))
            components = shop.model.encoder.encode(history).components
            weights = np.array([entry.weight for entry in request.concepts]) if request.concepts else None
            scores = brute_force_scores(bundle.item_embeddings, bundle.prototypes, components, weights=weights)
            left_out = {*request.exclude, *(request.history if request.exclude_history else ())}
            of_allowed = sorted(
                (
                    scores[item.index]
                    for item in bundle.catalogue.items(range(ITEMS))
                    if item.item_id not in left_out and (request.filter is None or meets(item, request.filter))
                ),
                reverse=True,
            )
            np.testing.assert_allclose([item.score for item in answer.items], of_allowed[: request.n], atol=1e-9)

    @settings(deadline=None, max_examples=100)
    @given(request=requests())
    def test_both_rankers_answer_the_same(self, shops, request):
        exact, by_concept = (shops[name].recommend(request) for name in ("exact", "by_concept"))
        assert exact.items == by_concept.items


class TestRecommend:
    def test_without_a_history_the_most_popular_of_those_allowed_come(self, shop):
        answer = shop.recommend(RecommendRequest(history=[], n=3, filter=parsed(BAGS)))
        popularity = shop.model.bundle.popularity
        bags = np.flatnonzero(shop._filters.allowed(parsed(BAGS), "body"))
        expected = bags[np.argsort(-popularity[bags], kind="stable")][:3]
        assert ids(answer) == [item.item_id for item in shop.model.bundle.catalogue.items(expected.tolist())]

    def test_ranks_before_are_those_of_the_same_filter_unsteered(self, shop):
        asked = {"history": ["item-9"], "n": 8, "filter": {"column": "year", "gte": 2020}}
        plain = ids(shop.recommend(RecommendRequest.model_validate(asked)))
        steered = shop.recommend(
            RecommendRequest.model_validate({**asked, "adjust": [{"concept": 0, "dim": 1, "quantile": 0.9}]})
        )
        known = {item.item_id: item.rank_before for item in steered.items if item.item_id in plain}
        assert known == {item_id: plain.index(item_id) + 1 for item_id in known}
        assert known


class TestWalks:
    def test_only_items_that_meet_the_filter_are_steps_and_the_range_stays(self, shop):
        late = {"column": "year", "gte": 2040}
        plain = shop.walk_from_item("item-9", WalkQuery(dim=1))
        found = shop.walk_from_item("item-9", WalkQuery(dim=1, filter=json.dumps(late)))
        assert len(found.steps) == 7
        assert all(step.item.metadata["year"] >= 2040 for step in found.steps)
        assert found.range == plain.range
        assert found.item.metadata["year"] < 2040  # the starting item need not meet it

    @pytest.mark.parametrize("last", [1989, 1995, 2004])
    def test_where_fewer_items_are_allowed_than_steps_there_are_as_many_as_possible(self, shop, last):
        found = shop.walk_from_item("item-9", WalkQuery(dim=1, filter=Within(column="year", lte=last)))
        model = shop.model
        others = np.setdiff1d(model.members(found.concept), model.bundle.catalogue.indices(["item-9"])["item-9"])
        values = model.item_embeddings[others[others <= last - 1990], 1]
        expected = np.count_nonzero((values >= found.range.low) & (values <= found.range.high))
        assert [len(found.steps), expected < 7] == [expected, True]
        assert (expected == 0) == (last == 1989)
        if not expected:
            assert (found.objective, found.start.step) == (0, None)

    def test_from_a_component_too(self, shop):
        asked = WalkRequest(history=["item-9"], concept=1, dim=1, filter=Within(column="year", gte=2040))
        found = shop.walk_from_component(asked)
        assert len(found.steps) == 7
        assert all(step.item.metadata["year"] >= 2040 for step in found.steps)


class TestControls:
    def test_effects_and_previews_are_of_those_allowed(self, shop):
        asked = {"history": ["item-9"], "n": 10, "filter": {"column": "year", "gte": 2040}}
        for component in shop.controls(ControlsRequest.model_validate(asked)).components:
            for control in component.dimensions:
                rankings = [
                    ids(
                        shop.recommend(
                            RecommendRequest.model_validate(
                                {**asked, "adjust": [{"concept": component.concept, "dim": control.dim, "value": end}]}
                            )
                        )
                    )
                    for end in (control.range.low, control.range.high)
                ]
                assert control.effect == pytest.approx(1 - len(set(rankings[0]) & set(rankings[1])) / 10)
                assert control.low_item.metadata["year"] >= 2040
                assert control.high_item.metadata["year"] >= 2040

    def test_where_nothing_is_allowed_nothing_has_an_effect_and_nothing_is_shown(self, shop):
        asked = ControlsRequest(history=["item-9"], filter=Equals(column="year", equals=1))
        for component in shop.controls(asked).components:
            for control in component.dimensions:
                assert (control.effect, control.low_item, control.high_item) == (0, None, None)


class TestOverHttp:
    def test_every_call_takes_a_filter(self, client):
        body = {"history": ["item-9"], "filter": {"column": "year", "gte": 2020}}
        found = client.post("/recommend", json=body).json()["items"]
        assert found
        assert all(item["metadata"]["year"] >= 2020 for item in found)
        assert client.post("/walk", json={**body, "concept": 0, "dim": 1}).json()["steps"]
        assert client.post("/controls", json=body).json()["components"]
        query = {"dim": 1, "filter": json.dumps(body["filter"])}
        steps = client.get("/items/item-9/walk", params=query).json()["steps"]
        assert steps
        assert all(step["item"]["metadata"]["year"] >= 2020 for step in steps)

    @pytest.mark.parametrize(
        ("given", "field", "says"),
        [
            ({"column": "colour", "equals": 1}, "filter.column", "the columns are 'department', 'year', 'price'"),
            ({"and": [{"column": "year", "equals": "x"}]}, "filter.and[0].equals", "holds integer values"),
            ({"and": [{"column": "year"}]}, "filter.and[0]", "expected one of equals, in, gt, gte, lt, lte"),
            ({"or": [BAGS, {"column": "year", "equals": None}]}, "filter.or[1].equals", "expected text of at most"),
            ({"not": 3}, "filter.not", "expected an object with and, or, not"),
            ({"column": "year", "gt": 1, "gte": 2}, "filter", "at most one of gt and gte"),
            ({"column": "year", "equals": 2, "lt": 3}, "filter.lt", "extra inputs are not permitted"),
            ({"nothing": 2}, "filter", "expected an object with and, or, not"),
        ],
    )
    def test_what_cannot_be_understood_is_422_and_named_in_body_and_query(self, client, given, field, says):
        in_body = client.post("/recommend", json={"history": [], "filter": given})
        in_query = client.get("/items/item-9/walk", params={"dim": 1, "filter": json.dumps(given)})
        for answer, place in ((in_body, "body"), (in_query, "query")):
            assert answer.status_code == 422
            error = answer.json()["errors"][0]
            assert (error["place"], error["field"]) == (place, field)
            assert says in error["message"]

    @pytest.mark.parametrize("text", ["", "{", "[" * 10_000, "NaN", '{"column": "price", "lt": Infinity}'])
    def test_a_query_that_is_no_json_is_422(self, client, text):
        answer = client.get("/items/item-9/walk", params={"dim": 1, "filter": text})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "filter"

    def test_another_filter_has_another_tag(self, client):
        tags = {
            client.get(
                "/items/item-9/walk", params={"dim": 1, "filter": json.dumps({"column": "year", "gte": year})}
            ).headers["etag"]
            for year in (1990, 2000)
        }
        assert len(tags) == 2
