"""Explanations against their definitions, written out one click and one item at a time."""

import numpy as np
import pytest

from macrid.service.encoder import Encoder, unit_rows
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

M, K, D, TEMPERATURE = 400, 4, 12, 0.1


class Model:
    """Random arrays that fit each other: items, prototypes, and the encoder's tables."""

    def __init__(self, items=M, seed=3):
        rng = np.random.default_rng(seed)
        self.prototypes = unit_rows(rng.normal(size=(K, D)).astype(np.float32))
        self.items = unit_rows(self.prototypes[np.arange(items) % K] + 0.3 * rng.normal(size=(items, D)))
        self.items = self.items.astype(np.float32)
        self.weights = self.concept_weights(self.items)
        self.encoder = Encoder(
            self.weights.astype(np.float32),
            (self.items + 0.1 * rng.normal(size=(items, D))).astype(np.float32),
            rng.normal(scale=0.1, size=D).astype(np.float32),
            (np.eye(D) + 0.2 * rng.normal(size=(D, D))).astype(np.float32),
            rng.normal(scale=0.1, size=D).astype(np.float32),
        )

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


@pytest.fixture(scope="module")
def model():
    return Model()


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

    def test_the_first_order_is_near_the_truth_where_one_click_changes_little(self, model):
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
