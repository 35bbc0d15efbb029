"""The network and its objective against the paper's equations, written out densely here, and plain autograd."""

import numpy as np
import pytest
import torch
from scipy import sparse

from macrid.model import likelihood, objective
from macrid.model.network import Histories, MacridVAE, NetworkConfig, unit
from macrid.model.targets import Targets

ITEMS, USERS = 30, 6
CONFIG = NetworkConfig(concepts=3, dimensions=5)


@pytest.fixture
def network():
    return MacridVAE(ITEMS, CONFIG, torch.Generator().manual_seed(1))


@pytest.fixture
def clicks():
    rng = np.random.default_rng(2)
    return sparse.csr_matrix((rng.random((USERS, ITEMS)) < 0.3).astype(np.float32))


def dense(network):
    """The paper's equations for one user at a time, in float64: soft concepts, no noise."""
    h, t, m = (
        np.asarray(p.detach(), dtype=np.float64)
        for p in (network.item_embeddings, network.context_embeddings, network.prototypes)
    )
    h, m = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (h, m))
    logits = h @ m.T / CONFIG.temperature
    c = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    weight, bias = (
        np.asarray(network.output_weight.detach(), np.float64),
        np.asarray(network.output_bias.detach(), np.float64),
    )

    def components(x):
        z = []
        for k in range(CONFIG.concepts):
            row = x * c[:, k]
            hidden = np.tanh(row / np.linalg.norm(row) @ t + np.asarray(network.input_bias.detach(), np.float64))
            a = (hidden @ weight + bias)[: CONFIG.dimensions]
            z.append(a / np.linalg.norm(a))
        return np.array(z)

    def scores(x):
        return np.log(sum(c[:, k] * np.exp(z @ h.T / CONFIG.temperature) for k, z in enumerate(components(x))))

    return components, scores


class TestNetwork:
    def test_components_are_the_papers(self, network, clicks):
        components, _ = dense(network)
        found = network.components(Histories.from_matrix(clicks)).numpy()
        for user, x in enumerate(clicks.toarray()):
            np.testing.assert_allclose(found[:, user], components(x), atol=1e-5)

    def test_scores_are_the_papers(self, network, clicks):
        _, scores = dense(network)
        for x, found in zip(clicks.toarray(), network.score(clicks), strict=True):
            np.testing.assert_allclose(found, scores(x), atol=1e-4)

    def test_components_are_unit_vectors(self, network, clicks):
        norms = network.components(Histories.from_matrix(clicks)).norm(dim=2)
        torch.testing.assert_close(norms, torch.ones_like(norms))

    def test_a_user_without_clicks_still_has_components(self, network):
        found = network.components(Histories.from_matrix(sparse.csr_matrix((1, ITEMS), dtype=np.float32)))
        assert torch.isfinite(found).all()

    def test_a_users_components_do_not_depend_on_the_batch(self, network, clicks):
        together, alone = (network.components(Histories.from_matrix(rows)) for rows in (clicks, clicks[3]))
        torch.testing.assert_close(together[:, 3], alone[:, 0])

    def test_dropout_keeps_the_input_on_average(self, network, clicks):
        weights = network.concept_logits(network.unit_items()).softmax(dim=1)
        histories, generator = Histories.from_matrix(clicks), torch.Generator().manual_seed(0)
        with torch.no_grad():
            masks = [objective.Noise.draw(CONFIG, histories, generator).kept for _ in range(4000)]
            draws = torch.stack([network.encode(histories, weights, kept).log_variance_ratio for kept in masks])
            assert draws.std(dim=0).max() > 0.01
            torch.testing.assert_close(
                draws.mean(dim=0), network.encode(histories, weights).log_variance_ratio, atol=0.05, rtol=0.2
            )


def test_unit_vectors_and_their_gradient_are_those_of_pytorch():
    vectors = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    vectors[0, 0] = 0
    vectors.requires_grad_()
    found, expected = unit(vectors), torch.nn.functional.normalize(vectors, dim=2)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ours, theirs = (torch.autograd.grad(value, vectors, upstream)[0] for value in (found, expected))
    torch.testing.assert_close(ours, theirs)


class TestLikelihood:
    @pytest.fixture
    def inputs(self, clicks):
        generator = torch.Generator().manual_seed(3)
        z = torch.nn.functional.normalize(torch.randn(3, USERS, 5, generator=generator, dtype=torch.float64), dim=2)
        h = torch.nn.functional.normalize(torch.randn(ITEMS, 5, generator=generator, dtype=torch.float64), dim=1)
        log_c = torch.randn(ITEMS, 3, generator=generator, dtype=torch.float64).log_softmax(dim=1)
        return [x.requires_grad_() for x in (z, h, log_c)], Histories.from_matrix(clicks)

    def plain(self, z, h, log_c, histories, temperature):
        scores = (torch.einsum("kbd,md->kbm", z, h) / temperature + log_c.T[:, None]).logsumexp(dim=0)
        return -scores.log_softmax(dim=1)[histories.rows, histories.items].sum()

    @pytest.mark.parametrize("slice_floats", [1, 250, 10**9])
    @pytest.mark.parametrize("temperature", [0.1, 0.01])
    def test_value_and_gradients_are_those_of_plain_autograd(self, inputs, slice_floats, temperature, monkeypatch):
        monkeypatch.setattr(likelihood, "SLICE_FLOATS", slice_floats)
        monkeypatch.setattr(likelihood, "FEWEST_USERS", 1)
        tensors, histories = inputs
        values = [f(*tensors, histories, temperature) for f in (self.plain, likelihood.negative_log_likelihood)]
        torch.testing.assert_close(values[1], values[0])
        for found, expected in zip(
            *(torch.autograd.grad(3 * value, tensors) for value in reversed(values)), strict=True
        ):
            torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)

    @pytest.mark.parametrize("taught", [False, True])
    @pytest.mark.parametrize("temperature", [0.1, 0.01])
    def test_users_have_weights_and_may_be_asked_for_something_else(self, inputs, taught, temperature, monkeypatch):
        monkeypatch.setattr(likelihood, "SLICE_FLOATS", 1)
        monkeypatch.setattr(likelihood, "FEWEST_USERS", 2)
        (z, h, log_c), histories = inputs
        generator = torch.Generator().manual_seed(8)
        weights = torch.rand(USERS, generator=generator, dtype=torch.float64)
        shares = torch.zeros(USERS, ITEMS, dtype=torch.float64)
        shares[histories.rows, histories.items] = 1.0
        targets, scores = None, (torch.einsum("kbd,md->kbm", z, h) / temperature + log_c.T[:, None]).logsumexp(dim=0)
        if taught:
            left_out = histories.only(histories.items % 2 == 0)
            shares = torch.rand(USERS, ITEMS, generator=generator, dtype=torch.float64)
            shares[left_out.rows, left_out.items] = 0.0
            targets = Targets(shares, left_out)
            asked = torch.ones(USERS, ITEMS, dtype=torch.bool)
            asked[left_out.rows, left_out.items] = False
            scores = scores.masked_fill(~asked, -1e30)
        expected = -(weights[:, None] * shares * scores.log_softmax(dim=1)).sum()
        found = likelihood.negative_log_likelihood(
            z, h, log_c, histories, temperature, user_weights=weights, targets=targets
        )
        torch.testing.assert_close(found, expected)
        for ours, plain in zip(*(torch.autograd.grad(each, (z, h, log_c)) for each in (found, expected)), strict=True):
            torch.testing.assert_close(ours, plain, atol=1e-9, rtol=1e-9)

    @pytest.mark.parametrize("taught", [False, True])
    def test_exponentials_beyond_float32_do_not_overflow(self, inputs, taught):
        tensors, histories = inputs
        nothing = Histories(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64), USERS)
        targets = Targets(torch.full((USERS, ITEMS), 1 / ITEMS), nothing) if taught else None

        def loss(kind):
            asked = targets and Targets(targets.shares.to(kind), nothing)
            return likelihood.negative_log_likelihood(*[x.to(kind) for x in tensors], histories, 0.005, targets=asked)

        torch.testing.assert_close(loss(torch.float32).double(), loss(torch.float64), rtol=1e-4, atol=1e-4)

    def test_of_no_users_it_is_nothing_and_so_are_its_gradients(self, inputs):
        (z, *others), nobody = (
            inputs[0],
            Histories(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64), 0),
        )
        tensors = [z[:, :0].detach().requires_grad_(), *others]
        loss = likelihood.negative_log_likelihood(*tensors, nobody, 0.1)
        assert loss.item() == 0
        assert not any(gradient.any() for gradient in torch.autograd.grad(loss, tensors))

    def test_a_slice_fits_the_cache_but_has_24_users_however_many_the_items(self):
        def slices(items):
            return list(likelihood._slices([0] * 61, 7, items, None, 1_000_000))

        assert slices(5_000) == [(0, 28), (28, 56), (56, 60)]
        assert slices(100_000) == slices(10**7) == [(0, 24), (24, 48), (48, 60)]

    def test_slices_are_larger_where_scores_stay_narrow(self):
        def scores_at_a_time(narrow, stay):
            return likelihood._Room(torch.zeros(1), narrow, stay).floats

        assert scores_at_a_time(torch.bfloat16, True) == likelihood.SLICE_NARROW
        assert scores_at_a_time(torch.bfloat16, False) == likelihood.SLICE_FLOATS
        assert scores_at_a_time(torch.float32, True) == likelihood.SLICE_FLOATS

    @pytest.mark.parametrize("slice_floats", [1, 10**9])
    @pytest.mark.parametrize("question", ["all", "sampled", "taught"])
    def test_with_factors_in_bf16_the_loss_is_within_a_thousandth_and_gradients_within_three_hundredths(
        self, inputs, question, slice_floats, monkeypatch
    ):
        monkeypatch.setattr(likelihood, "SLICE_NARROW", slice_floats)
        monkeypatch.setattr(likelihood, "FEWEST_USERS", 2)
        tensors, histories = [x.detach().float().requires_grad_() for x in inputs[0]], inputs[1]
        log_weights = torch.linspace(0, 3, ITEMS) if question == "sampled" else None
        shares = torch.rand(USERS, ITEMS, generator=torch.Generator().manual_seed(8))
        targets = Targets(shares, histories.only(histories.items < 0)) if question == "taught" else None

        def evaluated(factors):
            loss = likelihood.negative_log_likelihood(*tensors, histories, 0.1, log_weights, factors, targets=targets)
            return loss, *torch.autograd.grad(loss, tensors)

        plain, same, narrow = (evaluated(factors) for factors in (None, torch.float32, torch.bfloat16))
        assert all(torch.equal(one, other) for one, other in zip(plain, same, strict=True))
        assert narrow[0].item() == pytest.approx(plain[0].item(), rel=1e-3)
        for found, expected in zip(narrow[1:], plain[1:], strict=True):
            assert found.dtype == torch.float32
            assert 1e-4 < (found - expected).norm() / expected.norm() < 3e-2

    def test_sums_of_narrow_numbers_have_more_digits_than_these(self):
        terms = torch.rand(2, 3, 5_000, generator=torch.Generator().manual_seed(2)).bfloat16()
        expected = terms.double().sum(dim=2)
        found = likelihood._sums(terms, torch.float32)
        torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=0)
        assert not torch.equal(found.bfloat16().float(), found)
        torch.testing.assert_close(likelihood._sums(terms[..., :3], torch.float32), terms[..., :3].float().sum(dim=2))


class TestObjective:
    def test_the_kl_is_that_of_two_gaussians_up_to_the_part_of_the_mean(self):
        ratio = torch.tensor([[[0.3, -0.7]], [[0.0, 1.1]]])  # (K=2, B=1, d=2)
        q = torch.distributions.Normal(0.0, 0.075 * torch.exp(0.5 * ratio))
        expected = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 0.075)).sum(dim=(0, 2))
        torch.testing.assert_close(objective.kl_divergence(ratio), expected)

    def test_sampled_concepts_are_distributions_whose_largest_follows_the_softmax(self):
        logits = torch.tensor([[1.0, 0.0, -1.0]]).repeat(20_000, 1)
        log_c = objective.sample_log_concepts(logits, torch.Generator().manual_seed(0))
        torch.testing.assert_close(log_c.exp().sum(dim=1), torch.ones(20_000))
        chosen = torch.bincount(log_c.argmax(dim=1), minlength=3) / 20_000
        torch.testing.assert_close(chosen, logits[0].softmax(dim=0), atol=0.015, rtol=0)

    def test_sampled_components_have_the_posteriors_spread(self):
        mean, ratio = torch.zeros(1, 20_000, 2), torch.tensor([0.0, 1.0]).repeat(1, 20_000, 1)
        epsilon = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
        z = objective.sample_components(objective.Posterior(mean, ratio), 0.075, epsilon)
        torch.testing.assert_close(z.std(dim=1)[0], 0.075 * torch.tensor([1.0, np.exp(0.5)]).float(), rtol=0.03, atol=0)

    def test_beta_grows_linearly_and_stays_at_its_value(self):
        assert [objective.annealed_beta(0.2, updates, 10) for updates in (0, 1, 2, 3, 100)] == [0.0, 0.1, 0.2, 0.2, 0.2]


def test_users_are_scored_in_parts_when_there_are_many_items(network, clicks, monkeypatch):
    whole = network.score(clicks)
    monkeypatch.setattr("macrid.model.network.SCORES", 2 * CONFIG.concepts * ITEMS)  # two users at a time
    np.testing.assert_allclose(network.score(clicks), whole, rtol=1e-5)
