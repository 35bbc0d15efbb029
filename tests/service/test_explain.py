"""Explanations against their definitions, written out one click and one item at a time."""

import dataclasses

import numpy as np
import pytest

from macrid.artifacts.derived import log_partition
from macrid.service.encoder import Encoder, EveryItem, Refinement, unit_rows
from macrid.service.explain import (
    CLICKS_REENCODED,
    ITEMS_AT_ONCE,
    HistorySums,
    Target,
    agreements,
    click_contributions,
    concept_shares,
    first_order,
    most_telling,
)
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import RecommendRequest

M, K, D, TEMPERATURE = 400, 4, 12, 0.1


class Model:
    """Random arrays that fit each other: items, prototypes, and the encoder's tables."""

    def __init__(self, items=M, seed=3, step=0.0, by_landmarks=True):
        rng = np.random.default_rng(seed)
        self.prototypes = unit_rows(rng.normal(size=(K, D)).astype(np.float32))
        self.items = unit_rows(self.prototypes[np.arange(items) % K] + 0.3 * rng.normal(size=(items, D)))
        self.items = self.items.astype(np.float32)
        self.weights = self.concept_weights(self.items)
        self.log_partition = log_partition(self.items, self.prototypes, TEMPERATURE)
        self.encoder = Encoder(
            self.weights.astype(np.float32),
            (self.items + 0.1 * rng.normal(size=(items, D))).astype(np.float32),
            rng.normal(scale=0.1, size=D).astype(np.float32),
            (np.eye(D) + 0.2 * rng.normal(size=(D, D))).astype(np.float32),
            rng.normal(scale=0.1, size=D).astype(np.float32),
        )
        if step:
            every_item = EveryItem(self.items, self.prototypes, self.log_partition, np.float32(TEMPERATURE))
            landmarks = self.items[None, ::7].repeat(K, axis=0), self.weights[::7].T.astype(np.float32)
            refinement = Refinement.of(step, every_item, landmarks if by_landmarks else None)
            self.encoder = dataclasses.replace(self.encoder, refinement=refinement)

    def concept_weights(self, rows):
        weights = np.exp(rows.astype(np.float64) @ self.prototypes.T.astype(np.float64) / TEMPERATURE)
        return weights / weights.sum(axis=1, keepdims=True)

    def target(self, shown, weights=None):
        return Target.of(self.items[shown], self.prototypes, TEMPERATURE, weights)

    def score(self, item, components, weights=None):
        """The definition: log Σ_k ω_k c_ik exp(<z_k, h_i>/τ)."""
        terms = self.weights[item] * np.exp(components.astype(np.float64) @ self.items[item] / TEMPERATURE)
        return np.log(np.sum(terms * (1 if weights is None else weights)))

    def contribution(self, click, item, history, weights=None):
        """The definition: score with the click − score without, each history encoded by the public encoder."""
        with_it = self.encoder.encode(np.array(history)).components
        without = self.encoder.encode(
            np.array([other for other in history if other != click], dtype=np.int64)
        ).components
        return self.score(item, with_it, weights) - self.score(item, without, weights)

    def contributions(self, history, shown, weights=None):
        clicks = sorted(set(history))
        return np.array([[self.contribution(c, i, history, weights) for c in clicks] for i in shown])


@pytest.fixture(scope="module", params=["plain", "by landmarks", "by every item"])
def model(request):
    return Model(step=float(request.param != "plain"), by_landmarks=request.param == "by landmarks")


class TestClickContributions:
    @pytest.mark.parametrize("history", [[7], [0, 1], [0, 4, 8, 12], list(range(0, 120, 7))])
    def test_they_are_what_the_encoder_says_without_the_click(self, model, history):
        shown = [200, 201, 202, 203]
        clicks, contributions = click_contributions(model.encoder, np.array(history), model.target(shown))
        assert clicks.tolist() == history
        np.testing.assert_allclose(contributions, model.contributions(history, shown), atol=1e-4)
        assert np.abs(contributions).max() > 0.1

    def test_a_single_click_is_compared_with_an_empty_history(self, model):
        _, contributions = click_contributions(model.encoder, np.array([8]), model.target([12]))
        nothing = model.encoder.encode(np.array([], dtype=np.int64)).components
        expected = model.score(12, model.encoder.encode(np.array([8])).components) - model.score(12, nothing)
        assert contributions[0, 0] == pytest.approx(expected, abs=1e-4)
        assert expected > 0.1

    def test_a_repeated_click_is_one_click(self, model):
        once = click_contributions(model.encoder, np.array([3, 9, 40]), model.target([200]))
        again = click_contributions(model.encoder, np.array([40, 9, 3, 9, 9]), model.target([200]))
        np.testing.assert_array_equal(once[0], again[0])
        np.testing.assert_array_equal(once[1], again[1])

    def test_of_two_clicks_that_say_the_same_each_contributes_alike_and_less_than_alone(self, model):
        twins = Model()
        for table in (twins.encoder.concept_weights, twins.encoder.context_embeddings, twins.weights):
            table[20] = table[24]
        _, alone = click_contributions(twins.encoder, np.array([24, 1, 2]), twins.target([204]))
        _, together = click_contributions(twins.encoder, np.array([20, 24, 1, 2]), twins.target([204]))
        assert together[0, 2] == pytest.approx(together[0, 3], abs=1e-5)
        assert 0 < together[0, 3] < alone[0, 2]

    def test_a_concept_clicked_only_once_does_not_drown_in_rounding(self, model):
        """One weight of 1 beside weights of 1e-9: Σ c² − 1² is 1e-18 in truth and 0 after subtracting."""
        lonely = Model()
        lonely.encoder.concept_weights[:, 0] = 1e-9
        lonely.encoder.concept_weights[5, 0] = 1.0
        history = [5, 6, 7, 11]
        shown = [200, 204]  # of concept 0
        _, contributions = click_contributions(lonely.encoder, np.array(history), lonely.target(shown))
        np.testing.assert_allclose(contributions, lonely.contributions(history, shown), atol=1e-4)

    def test_weights_of_concepts_count(self, model):
        weights = np.array([0.0, 3.0, 1.0, 0.5])
        history, shown = [0, 1, 2, 3, 4], [200, 205, 206]
        _, contributions = click_contributions(model.encoder, np.array(history), model.target(shown, weights))
        np.testing.assert_allclose(contributions, model.contributions(history, shown, weights), atol=1e-4)
        assert not np.allclose(contributions, model.contributions(history, shown), atol=1e-2)

    def test_many_items_are_answered_as_one_by_one(self, model):
        shown = np.arange(200, 200 + 2 * ITEMS_AT_ONCE + 3)
        history = np.array([0, 1, 2])
        _, together = click_contributions(model.encoder, history, model.target(shown))
        apart = [click_contributions(model.encoder, history, model.target([item]))[1][0] for item in shown]
        np.testing.assert_allclose(together, apart, atol=1e-5)


class TestLongHistories:
    def test_up_to_twice_the_limit_every_click_is_weighed(self, model):
        history = np.arange(2 * CLICKS_REENCODED)
        clicks, _ = click_contributions(model.encoder, history, model.target([300]))
        assert len(clicks) == 2 * CLICKS_REENCODED

    def test_beyond_it_the_hundred_that_promise_most_and_those_exactly(self, model):
        history = list(range(2 * CLICKS_REENCODED + 60))
        shown = np.arange(300, 320)
        clicks, contributions = click_contributions(model.encoder, np.array(history), model.target(shown))
        assert len(clicks) == CLICKS_REENCODED
        every = model.contributions(history, shown)  # (20, 260)
        np.testing.assert_allclose(contributions, every[:, clicks], atol=1e-4)
        best = np.argsort(-every, axis=1)[:, :3]
        assert np.isin(best, clicks).mean() >= 0.95

    def test_the_first_order_is_near_the_truth_where_one_click_changes_little(self):
        model = Model()
        history, shown = np.arange(250), [300, 301, 302, 303]
        estimates = first_order(model.encoder, HistorySums.of(model.encoder, history), model.target(shown))
        truth = model.contributions(history.tolist(), shown)
        assert np.abs(estimates - truth).max() < 0.1 * np.abs(truth).max()

    def test_every_item_gets_its_best_clicks_before_any_gets_its_second(self):
        estimates = np.array([[9.0, 8.0, 7.0, 6.0, 0.0], [0.0, 0.1, 0.2, 0.3, 0.4]])
        assert most_telling(estimates, 2).tolist() == [0, 4]
        assert most_telling(estimates, 3).tolist() == [0, 1, 4]


class TestConceptShares:
    def test_they_are_the_parts_of_the_score(self, model):
        components = model.encoder.encode(np.array([0, 1, 6])).components
        shares = concept_shares(model.target([200, 201]), components)
        for row, item in zip(shares, [200, 201], strict=True):
            parts = model.weights[item] * np.exp(components.astype(np.float64) @ model.items[item] / TEMPERATURE)
            np.testing.assert_allclose(row, parts / parts.sum(), rtol=1e-4)

    def test_they_sum_to_one(self, model):
        components = model.encoder.encode(np.array([0, 1, 6])).components
        np.testing.assert_allclose(concept_shares(model.target(np.arange(50)), components).sum(axis=1), 1.0, rtol=1e-12)

    def test_a_muted_concept_has_none_and_a_strengthened_one_has_more(self, model):
        components = model.encoder.encode(np.array([0, 1, 6])).components
        neutral = concept_shares(model.target([200]), components)[0]
        steered = concept_shares(model.target([200], np.array([0.0, 1.0, 5.0, 1.0])), components)[0]
        assert neutral[0] > 0
        assert steered[0] == 0.0
        assert steered.sum() == pytest.approx(1.0)
        assert steered[2] / steered[1] == pytest.approx(5 * neutral[2] / neutral[1])


class TestAgreements:
    def test_they_are_the_largest_parts_of_the_inner_product(self):
        rows = np.array([[0.5, -0.4, 0.3, 0.1]])
        component = np.array([[0.2, -0.9, -0.1, 0.6]], dtype=np.float32)
        dims, parts = agreements(rows, component, 3)
        assert dims.tolist() == [[1, 0, 3]]
        np.testing.assert_allclose(parts, [[0.36, 0.1, 0.06]], rtol=1e-6)

    def test_all_parts_together_are_the_inner_product(self, model):
        component = model.encoder.encode(np.array([1])).components[:1]
        _, parts = agreements(model.items[:1].astype(np.float64), component, D)
        assert parts.sum() == pytest.approx(float(model.items[0] @ component[0]), abs=1e-6)


class TestWhy:
    """What `/recommend` says with `explain`."""

    def ask(self, recommender, *history, **options):
        return recommender.recommend(RecommendRequest(history=list(history), explain=True, **options))

    def test_nothing_is_explained_unless_asked_for(self, recommender):
        answer = recommender.recommend(RecommendRequest(history=["item-9"]))
        assert {item.why for item in answer.items} == {None}

    def test_explaining_changes_nothing_else(self, recommender):
        explained = self.ask(recommender, "item-9", "item-20")
        plain = recommender.recommend(RecommendRequest(history=["item-9", "item-20"]))
        for item in explained.items:
            item.why = None
        assert explained == plain

    def test_shares_are_ordered_and_led_by_the_items_concept(self, recommender):
        for item in self.ask(recommender, "item-9", "item-20").items:
            shares = [entry.share for entry in item.why.shares]
            assert item.why.shares[0].concept == item.concept
            assert shares == sorted(shares, reverse=True)
            assert sum(shares) == pytest.approx(1.0)
            assert {entry.label for entry in item.why.shares} == {"Bags", "Shoes", "Lamps"}

    def test_clicks_are_of_the_history_and_match_the_scores_of_two_requests(self, recommender):
        history = ["item-9", "item-12", "item-15", "item-20", "item-22"]
        first = self.ask(recommender, *history, n=5).items[0]
        assert 1 <= len(first.why.clicks) <= 3
        for click in first.why.clicks:
            assert click.item.item_id in history
            rest = [item_id for item_id in history if item_id != click.item.item_id]
            again = Recommender(recommender.model, Limits()).recommend(RecommendRequest(history=rest, n=60))
            score = next(item.score for item in again.items if item.item_id == first.item_id)
            assert click.contribution == pytest.approx(first.score - score, abs=1e-4)
        worth = [click.contribution for click in first.why.clicks]
        assert worth == sorted(worth, reverse=True)
        assert worth[-1] > 0

    def test_clicks_that_speak_against_an_item_are_not_shown(self, recommender):
        history = ["item-9", "item-10"]  # of two concepts
        shown = [len(item.why.clicks) for item in self.ask(recommender, *history, n=50).items]
        assert min(shown) < 2

    def test_dimensions_carry_their_values_and_names(self, recommender):
        answer = self.ask(recommender, "item-9", n=3)
        bundle = recommender.model.bundle
        components = recommender.model.encoder.encode(np.array([9])).components
        for item in answer.items:
            row = bundle.item_embeddings[bundle.catalogue.indices([item.item_id])[item.item_id]]
            assert 1 <= len(item.why.dimensions) <= 4
            for entry in item.why.dimensions:
                assert entry.item_value == pytest.approx(float(row[entry.dim]))
                assert entry.component_value == pytest.approx(float(components[item.concept, entry.dim]))
                assert entry.contribution == pytest.approx(entry.item_value * entry.component_value)
                assert entry.contribution > 0
                assert entry.id == f"c{item.concept}d{entry.dim}"
                assert (entry.low_label, entry.high_label) == (
                    ("small", "large") if entry.dim % 2 == 0 else (None, None)
                )

    def test_popular_items_have_no_reason_but_popularity(self, recommender):
        assert {item.why for item in self.ask(recommender, "nope").items} == {None}

    def test_nothing_left_to_recommend_is_nothing_to_explain(self, recommender):
        patient = Recommender(recommender.model, Limits())
        every = [recommender.model.bundle.catalogue.item(index).item_id for index in range(60)]
        assert self.ask(patient, "item-9", exclude=every).items == []

    def test_concept_weights_and_liked_items_count_and_disliked_ones_do_not(self, recommender):
        steering = {"concepts": [{"concept": 0, "weight": 0.0}], "liked": ["item-20"], "disliked": ["item-12"]}
        steered = RecommendRequest.model_validate(
            {"history": ["item-9", "item-12", "item-15"], "n": 20, "explain": True, **steering}
        )
        answer = recommender.recommend(steered)
        assert {share.share for item in answer.items for share in item.why.shares if share.concept == 0} == {0.0}
        shown = {click.item.item_id for item in answer.items for click in item.why.clicks}
        assert "item-20" in shown
        assert shown <= {"item-9", "item-15", "item-20"}
        top = answer.items[0]
        for click in top.why.clicks:
            rest = [i for i in ("item-9", "item-15", "item-20") if i != click.item.item_id]
            weights = [{"concept": 0, "weight": 0.0}]
            again = Recommender(recommender.model, Limits()).recommend(
                RecommendRequest.model_validate({"history": rest, "n": 60, "concepts": weights})
            )
            whole = Recommender(recommender.model, Limits()).recommend(
                RecommendRequest.model_validate(
                    {"history": ["item-9", "item-15", "item-20"], "n": 60, "concepts": weights}
                )
            )
            with_it, without = (
                next(item.score for item in found.items if item.item_id == top.item_id) for found in (whole, again)
            )
            assert click.contribution == pytest.approx(with_it - without, abs=1e-4)

    def test_a_turned_component_agrees_on_other_dimensions(self, recommender):
        plain = self.ask(recommender, "item-9", n=1).items[0]
        turned = self.ask(recommender, "item-9", n=50, adjust=[{"concept": plain.concept, "dim": 0, "quantile": 1.0}])
        (edit,) = turned.steering.components[0].edits
        seen = [
            entry.component_value
            for item in turned.items
            for entry in item.why.dimensions
            if item.concept == plain.concept and entry.dim == 0
        ]
        assert seen
        assert seen == pytest.approx([edit.applied] * len(seen))
