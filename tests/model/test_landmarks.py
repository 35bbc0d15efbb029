"""The refinement of components: a step uphill, as the gradient says, with landmarks that stand for the items."""

import dataclasses

import numpy as np
import pytest
import torch

from macrid.model.landmarks import LANDMARKS, landmarks, nearest, refinement_of
from macrid.model.network import Histories, MacridVAE, NetworkConfig
from macrid.model.objective import refined_in_training

K, D = 3, 8
ITEMS = torch.tensor([0, 4, 9, 2, 7, 11, 30])
ROWS = torch.tensor([0, 0, 0, 2, 2, 2, 2])  # user 1 has nothing
HISTORIES = Histories(ITEMS, ROWS, 3)


def network_of(items, seed=0):
    return MacridVAE(items, NetworkConfig(concepts=K, dimensions=D), torch.Generator().manual_seed(seed))


def parts_of(network):
    unit_items = network.unit_items().detach()
    return unit_items, network.concept_logits(unit_items).detach().log_softmax(dim=1)


def mean_log_likelihood(network, components, unit_items, log_weights):
    """(B,) of what users clicked, over all items."""
    logits = torch.einsum("kbd,md->kbm", components, unit_items) / network.config.temperature
    chances = (logits + log_weights.T[:, None]).logsumexp(dim=0).log_softmax(dim=1)
    clicked = torch.zeros_like(chances)
    clicked[ROWS, ITEMS] = 1
    return (clicked * chances).sum(dim=1) / clicked.sum(dim=1).clamp_min(1)


class TestRefined:
    @pytest.mark.parametrize("by_landmarks", [True, False])
    def test_with_a_landmark_for_each_item_and_by_every_item_it_is_a_step_along_the_gradient(self, by_landmarks):
        network = network_of(items=50)
        unit_items, log_weights = parts_of(network)
        before = network.encode(HISTORIES, log_weights.exp()).mean.detach()
        free = before.clone().requires_grad_()
        mean_log_likelihood(network, free, unit_items, log_weights).sum().backward()
        expected = torch.nn.functional.normalize(before + 1.5 * network.config.temperature * free.grad, dim=2)
        expected[:, 1] = before[:, 1]
        found = network.refined(
            before, HISTORIES, log_weights, unit_items, refinement_of(network, 1.5, by_landmarks=by_landmarks)
        )
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        assert (found - before)[:, [0, 2]].norm(dim=2).min() > 0.01

    def test_it_goes_uphill(self):
        network = network_of(items=700)
        unit_items, log_weights = parts_of(network)
        before = network.encode(HISTORIES, log_weights.exp()).mean.detach()
        found = network.refined(before, HISTORIES, log_weights, unit_items, refinement_of(network, 0.3))
        gained = [mean_log_likelihood(network, z, unit_items, log_weights) for z in (found, before)]
        assert (gained[0] - gained[1])[[0, 2]].min() > 0.01

    def test_who_clicked_nothing_stays(self):
        network = network_of(items=700)
        unit_items, log_weights = parts_of(network)
        before = network.encode(HISTORIES, log_weights.exp()).mean.detach()
        found = network.refined(before, HISTORIES, log_weights, unit_items, refinement_of(network, 1.0))
        assert torch.equal(found[:, 1], before[:, 1])

    def test_it_is_of_what_is_served_and_scored(self):
        network = network_of(items=100)
        matrix, plain = HISTORIES.to_matrix(100), network.components(HISTORIES)
        scores = network.score(matrix)
        network.refinement = refinement_of(network, 1.0)
        unit_items, log_weights = parts_of(network)
        refined = network.components(HISTORIES)
        torch.testing.assert_close(
            refined, network.refined(plain, HISTORIES, log_weights, unit_items, network.refinement)
        )
        expected = network.log_scores(refined, unit_items, log_weights).detach().numpy()
        np.testing.assert_allclose(network.score(matrix), expected, atol=1e-4)
        assert np.abs(network.score(matrix) - scores).max() > 0.1

    def test_by_every_item_it_is_the_same_however_many_users_are_at_work(self, monkeypatch):
        network = network_of(items=700)
        network.refinement = refinement_of(network, 1.0, by_landmarks=False)
        whole = network.components(HISTORIES)
        monkeypatch.setattr("macrid.model.network.SCORES", 700 * K)
        torch.testing.assert_close(network.components(HISTORIES), whole)

    @pytest.mark.parametrize(("factors", "within"), [(None, 1e-5), (torch.bfloat16, 0.01)])
    def test_in_training_it_is_the_same_step_and_a_constant_for_what_comes_after(self, factors, within):
        network = network_of(items=700)
        unit_items, log_weights = parts_of(network)
        components = network.encode(HISTORIES, log_weights.exp()).mean.detach()
        free, before, other = (components.clone().requires_grad_() for _ in range(3))
        mean_log_likelihood(network, free, unit_items, log_weights).sum().backward()
        expected = torch.nn.functional.normalize(other + 1.5 * network.config.temperature * free.grad, dim=2)
        unit_items.requires_grad_()
        found = refined_in_training(network, before, HISTORIES, unit_items, log_weights, 1.5, factors)
        torch.testing.assert_close(found, expected, atol=within, rtol=0)
        for refined in (found, expected):
            (refined * torch.arange(D)).sum().backward()
        torch.testing.assert_close(before.grad, other.grad, atol=30 * within, rtol=0)
        assert unit_items.grad is None

    def test_a_step_of_nothing_is_none(self):
        assert refinement_of(network_of(items=10), 0.0) is None


@pytest.fixture(scope="module")
def arrays():
    unit_items, log_weights = parts_of(network_of(items=500))
    return unit_items.numpy(), log_weights.exp().numpy()


class TestLandmarks:
    def test_together_they_have_the_mass_and_the_mean_of_their_concepts_items(self, arrays):
        items, weights = arrays
        vectors, masses = landmarks(items, weights)
        assert (vectors.shape, masses.shape) == ((K, LANDMARKS, D), (K, LANDMARKS))
        np.testing.assert_allclose(masses.sum(axis=1), weights.sum(axis=0), rtol=1e-5)
        np.testing.assert_allclose(np.einsum("ks,ksd->kd", masses, vectors), weights.T @ items, atol=1e-3)

    def test_they_stand_for_items_that_are_alike(self, arrays):
        """What each landmark leaves unsaid of its items, beside what one landmark of the concept would."""
        items, weights = arrays
        vectors, masses = landmarks(items, weights)
        of_one = 1 - np.square(weights.T @ items / weights.sum(axis=0)[:, None]).sum(axis=1)
        of_many = 1 - (masses * np.square(vectors).sum(axis=2)).sum(axis=1) / masses.sum(axis=1)
        assert (of_many < 0.5 * of_one).all()

    def test_an_item_counts_where_it_is_nearest_not_where_the_centre_is_longest(self):
        centres = np.array([[2.0, 0.0], [0.5, 0.1]], dtype=np.float32)
        assert nearest(np.array([[0.9, 0.2], [1.9, 0.1]], dtype=np.float32), centres).tolist() == [1, 0]

    def test_the_same_network_has_the_same_ones(self, arrays):
        for one, other in zip(landmarks(*arrays), landmarks(*arrays), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_concepts_differ_in_theirs(self, arrays):
        vectors, _ = landmarks(*arrays)
        assert np.abs(vectors[0] - vectors[1]).max() > 0.1

    @pytest.mark.parametrize("count", [1, 5, LANDMARKS])
    def test_few_items_stand_for_themselves(self, arrays, count):
        items, weights = (array[:count] for array in arrays)
        vectors, masses = landmarks(items, weights)
        for k in range(K):
            np.testing.assert_allclose(vectors[k, :count], items, atol=1e-6)
            np.testing.assert_allclose(masses[k, :count], weights[:, k], rtol=1e-5)
            assert not masses[k, count:].any()

    def test_more_items_than_are_looked_at_for_groups_are_all_counted(self, arrays, monkeypatch):
        items, weights = arrays
        monkeypatch.setattr("macrid.model.landmarks.SAMPLED", 100)
        monkeypatch.setattr("macrid.model.landmarks.BLOCK", 64)
        _, masses = landmarks(items, weights)
        np.testing.assert_allclose(masses.sum(axis=1), weights.sum(axis=0), rtol=1e-5)


def test_dropping_the_refinement_leaves_the_network_as_it_was():
    network = network_of(items=100)
    before = network.components(HISTORIES)
    network.refinement = refinement_of(network, 1.0)
    network.refinement = dataclasses.replace(network.refinement, step=0.0)
    torch.testing.assert_close(network.components(HISTORIES), before)
