"""The numpy encoder against the paper's equations, written out densely in float64."""

import dataclasses

import numpy as np
import pytest

from macrid.artifacts.derived import log_partition
from macrid.service.encoder import Encoder, EveryItem, Landmarks, Refinement, unit_rows

M, K, D = 60, 4, 9


def softmax(scores):
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def items_and_prototypes():
    rng = np.random.default_rng(7)
    return tuple(unit_rows(rng.normal(size=(n, D)).astype(np.float32)) for n in (M, K))


@pytest.fixture
def encoder():
    items, prototypes = items_and_prototypes()
    rng = np.random.default_rng(8)
    arrays = (
        softmax(items @ prototypes.T / 0.1),
        rng.normal(scale=0.3, size=(M, D)),
        rng.normal(scale=0.1, size=D),
        rng.normal(scale=0.3, size=(D, D)),
        rng.normal(scale=0.1, size=D),
    )
    return Encoder(*(np.asarray(array, dtype=np.float32) for array in arrays))


@pytest.fixture
def refining(encoder):
    """The same encoder with a refinement; a third of the landmarks stand for nothing."""
    rng = np.random.default_rng(9)
    items = unit_rows(rng.normal(size=(M, D)).astype(np.float32))
    landmarks = rng.normal(scale=0.5, size=(K, 6, D)).astype(np.float32)
    masses = rng.uniform(0.5, 3, size=(K, 6)).astype(np.float32)
    masses[:, ::3] = 0
    refinement = Refinement(np.float32(1.5), Landmarks.with_masses(landmarks, masses, 0.1), items, np.float32(0.1))
    return dataclasses.replace(encoder, refinement=refinement)


@pytest.fixture
def refining_by_every_item(encoder):
    items, prototypes = items_and_prototypes()
    expectation = EveryItem(items, prototypes, log_partition(items, prototypes, 0.1), np.float32(0.1))
    return dataclasses.replace(encoder, refinement=Refinement(np.float32(1.5), expectation, items, np.float32(0.1)))


def encode_densely(encoder, history):
    """PAPER.md, "Encoder": one concept after another, over all M items, in float64."""
    clicked = np.zeros(M)
    clicked[history] = 1.0
    components, confidences = [], []
    for weights in encoder.concept_weights.astype(np.float64).T:  # c_{·,k} of one concept
        inputs = (clicked * weights) @ encoder.context_embeddings / np.sqrt(np.sum(clicked * weights**2))
        mean = np.tanh(inputs + encoder.input_bias) @ encoder.mean_weight.astype(np.float64) + encoder.mean_bias
        components.append(mean / np.linalg.norm(mean))
        confidences.append(np.sum(clicked * weights))
    return np.array(components), np.array(confidences)


class TestEncode:
    @pytest.mark.parametrize("history", [[3], [0, 1], list(range(0, 60, 7)), list(range(M))])
    def test_it_equals_the_dense_reference_to_1e_5(self, encoder, history):
        encoding = encoder.encode(np.array(history))
        components, confidences = encode_densely(encoder, history)
        np.testing.assert_allclose(encoding.components, components, atol=1e-5)
        np.testing.assert_allclose(encoding.confidences, confidences, rtol=1e-5)

    def test_components_are_unit_rows_of_float32(self, encoder):
        encoding = encoder.encode(np.array([1, 2, 3]))
        assert encoding.components.shape == (K, D)
        assert encoding.components.dtype == encoding.confidences.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(encoding.components, axis=1), 1.0, atol=1e-6)

    def test_confidences_share_out_the_number_of_items(self, encoder):
        assert encoder.encode(np.array([5, 6, 7])).confidences.sum() == pytest.approx(3.0, abs=1e-5)

    def test_repeats_and_order_change_no_bit(self, encoder):
        once, again = encoder.encode(np.array([9, 2, 40])), encoder.encode(np.array([40, 9, 9, 2, 40]))
        np.testing.assert_array_equal(once.components, again.components)
        np.testing.assert_array_equal(once.confidences, again.confidences)

    def test_a_concept_whose_weights_are_all_zero_is_encoded_from_the_biases_alone(self, encoder):
        weights = encoder.concept_weights.copy()
        weights[:, 2] = 0.0
        bare = Encoder(weights, encoder.context_embeddings, encoder.input_bias, encoder.mean_weight, encoder.mean_bias)
        encoding = bare.encode(np.array([1, 2]))
        expected = np.tanh(encoder.input_bias) @ encoder.mean_weight + encoder.mean_bias
        np.testing.assert_allclose(encoding.components[2], expected / np.linalg.norm(expected), atol=1e-6)
        assert encoding.confidences[2] == 0.0

    def test_weights_so_small_that_their_squares_vanish_in_float32_still_give_a_direction(self, encoder):
        tiny = encoder.concept_weights * np.float32(1e-25)
        faint = Encoder(tiny, encoder.context_embeddings, encoder.input_bias, encoder.mean_weight, encoder.mean_bias)
        np.testing.assert_allclose(
            faint.encode(np.array([4, 8])).components, encoder.encode(np.array([4, 8])).components, atol=1e-5
        )


def refine_densely(refining, components, history):
    """The formula of `Refinement`, one click and one concept after another, in float64."""
    by, moved = refining.refinement, []
    weights, tau = refining.concept_weights.astype(np.float64), 0.1
    if isinstance(by.expectation, Landmarks):
        vectors, masses = by.expectation.vectors, np.exp(by.expectation.log_masses.astype(np.float64))
    else:
        vectors, masses = np.stack([by.item_embeddings] * K), weights.T
    stands = masses * np.exp(np.einsum("ksd,kd->ks", vectors, components) / tau)
    for k in range(K):
        clicked = np.zeros(D)
        for i in history:
            terms = weights[i] * np.exp(components @ by.item_embeddings[i] / tau)
            clicked += terms[k] / terms.sum() * by.item_embeddings[i] / len(history)
        expected = stands[k] @ vectors[k] / stands.sum()
        z = components[k] + 1.5 * (clicked - expected)
        moved.append(z / np.linalg.norm(z))
    return np.array(moved)


class TestRefinement:
    @pytest.mark.parametrize("history", [[3], [0, 1], list(range(0, 60, 7)), list(range(M))])
    @pytest.mark.parametrize("kind", ["refining", "refining_by_every_item"])
    def test_it_equals_the_dense_reference_to_1e_5(self, monkeypatch, request, encoder, kind, history):
        monkeypatch.setattr("macrid.service.encoder.ITEMS_AT_ONCE", 25)
        refining = request.getfixturevalue(kind)
        assert refining.goes_by_every_item == (kind == "refining_by_every_item")
        components, confidences = encode_densely(encoder, history)
        encoding = refining.encode(np.array(history))
        np.testing.assert_allclose(encoding.components, refine_densely(refining, components, history), atol=1e-5)
        np.testing.assert_allclose(encoding.confidences, confidences, rtol=1e-5)
        assert np.abs(encoding.components - components).max() > 0.1

    def test_of_no_clicks_nothing_follows(self, encoder, refining):
        nothing = np.array([], dtype=np.int64)
        np.testing.assert_array_equal(refining.encode(nothing).components, encoder.encode(nothing).components)

    @pytest.mark.parametrize("kind", ["refining", "refining_by_every_item"])
    @pytest.mark.parametrize("at_once", [1, 1_000_000])
    def test_a_click_left_out_is_a_history_without_it(self, monkeypatch, request, encoder, kind, at_once):
        monkeypatch.setattr("macrid.service.encoder.LOGITS_AT_ONCE", at_once)
        refining = request.getfixturevalue(kind)
        history, at = np.array([4, 8, 15, 23, 42]), np.array([1, 4])
        lacking = [np.delete(history, place) for place in at]
        unrefined = np.stack([encoder.encode(rest).components for rest in lacking], axis=1)  # (K, 2, d)
        weights = encoder.concept_weights[history].astype(np.float64)
        found = refining.refinement.refined(unrefined, history, weights, left_out=at)
        expected = np.stack([refining.encode(rest).components for rest in lacking], axis=1)
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_a_concept_that_weighs_nothing_has_no_share_of_the_clicks(self, refining):
        weights = refining.concept_weights.copy()
        weights[:, 2] = 0.0
        found = dataclasses.replace(refining, concept_weights=weights).encode(np.array([1, 2])).components
        assert np.isfinite(found).all()


class TestUnitRows:
    def test_a_row_without_direction_stays_finite(self):
        np.testing.assert_array_equal(unit_rows(np.zeros((1, 3), dtype=np.float32)), np.zeros((1, 3)))


@pytest.mark.parametrize("kind", ["encoder", "refining", "refining_by_every_item"])
@pytest.mark.parametrize("at_once", [1, 3, 8])
def test_together_histories_give_what_each_gives_alone_to_the_last_bit(request, kind, at_once):
    encoder = request.getfixturevalue(kind)
    rng = np.random.default_rng(8)
    histories = [np.sort(rng.choice(M, size, replace=False)) for size in (1, 2, 7, 0, 30, 3, M, 11)]
    alone = [encoder.encode(history) for history in histories]
    for start in range(0, len(histories), at_once):
        together = encoder.encode_each(histories[start : start + at_once])
        for encoding, expected in zip(together, alone[start : start + at_once], strict=True):
            np.testing.assert_array_equal(encoding.components, expected.components)
            np.testing.assert_array_equal(encoding.confidences, expected.confidences)
