"""The neural baselines against dense formulas, closed forms and popularity."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import sparse
from torch.distributions import Normal, kl_divergence

from macrid.model.baselines.autoencoder import (
    Autoencoder,
    AutoencoderConfig,
    Clicks,
    keep_best,
    negative_log_likelihood,
    step,
)
from macrid.model.baselines.mult_dae import MultDae, MultDaeConfig
from macrid.model.baselines.mult_vae import BetaMultVae, MultVaeConfig, kl_to_standard_normal
from macrid.model.baselines.popularity import Popularity
from macrid.model.baselines.rec_vae import PRIOR_WEIGHTS, RecVae, RecVaeConfig, log_prior
from macrid.model.errors import TrainingError
from macrid.model.evaluation import evaluate

ROWS = np.array([[1, 1, 0, 1, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=np.float32)
HISTORIES = sparse.csr_matrix(ROWS)
UNIT_ROWS = ROWS / np.sqrt(ROWS.sum(axis=1, keepdims=True))
QUICK = {"epochs": 40, "patience": 10, "batch_size": 40, "learning_rate": 5e-3}
METHODS = {
    "MultDAE": (MultDae, MultDaeConfig(latent=16, **QUICK)),
    "β-MultVAE": (BetaMultVae, MultVaeConfig(hidden=32, latent=16, **QUICK)),
    "RecVAE": (RecVae, RecVaeConfig(hidden=32, latent=16, **{**QUICK, "epochs": 15})),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def arrays(layer):
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


class TestShared:
    def test_the_likelihood_is_the_dense_one(self):
        logits = torch.randn(3, 5, generator=generator())
        expected = -(torch.from_numpy(ROWS) * logits.log_softmax(dim=1)).sum(dim=1)
        torch.testing.assert_close(negative_log_likelihood(logits, Clicks.of(HISTORIES)), expected)

    def test_dropout_leaves_the_expected_input_as_it_is(self):
        network = MultDae(5, MultDaeConfig(latent=3), generator())
        clicks, draw = Clicks.of(HISTORIES), generator(1)
        mean = torch.stack([network.encoder(clicks, 0.5, draw) for _ in range(3_000)]).mean(dim=0)
        torch.testing.assert_close(mean, network.encoder(clicks), atol=0.04, rtol=0)

    @pytest.mark.parametrize("name", METHODS)
    def test_the_same_seed_gives_the_same_scores_whatever_torch_has_drawn(self, name, circles):
        kind, config = METHODS[name]
        config = dataclasses.replace(config, epochs=2)
        first = kind.fit(circles, config).score(circles.test.fold_in)
        torch.rand(7)
        np.testing.assert_array_equal(first, kind.fit(circles, config).score(circles.test.fold_in))
        assert (first != kind.fit(circles, dataclasses.replace(config, seed=1)).score(circles.test.fold_in)).any()

    @pytest.mark.parametrize("name", METHODS)
    def test_a_score_does_not_depend_on_who_else_is_in_the_batch(self, name, circles):
        kind, config = METHODS[name]
        network = kind.fit(circles, dataclasses.replace(config, epochs=1))
        together = network.score(circles.test.fold_in)
        np.testing.assert_allclose(network.score(circles.test.fold_in[3]), together[3:4], atol=1e-5)

    @pytest.mark.parametrize("name", METHODS)
    def test_it_finds_the_circles(self, name, circles):
        kind, config = METHODS[name]
        found = evaluate(kind.fit(circles, config), circles.test).mean("ndcg@100")
        popular = evaluate(Popularity.fit(circles.training), circles.test).mean("ndcg@100")
        assert found > popular + 0.1

    def test_a_loss_that_is_no_number_ends_training_with_advice(self, circles):
        with pytest.raises(TrainingError, match=r"try a learning rate below 1e\+20"):
            MultDae.fit(circles, MultDaeConfig(latent=4, learning_rate=1e20, weight_decay=1e30))


class TestKeepingTheBest:
    class Counting(Autoencoder):
        """Scores the item of the epoch's number best: its quality is in the test's hand."""

        def __init__(self):
            super().__init__()
            self.favourite = torch.nn.Parameter(torch.zeros(1), requires_grad=False)

        def logits(self, clicks):
            raise NotImplementedError

        def score(self, histories):
            scores = np.zeros(histories.shape, dtype=np.float32)
            scores[:, int(self.favourite)] = 1
            return scores

    @pytest.fixture
    def network(self):
        return self.Counting()

    def run(self, network, circles, config):
        sought = int(np.asarray(circles.validation.withheld.sum(axis=0)).argmax())
        order = [(sought + 1) % 90, sought] + [(sought + 2) % 90] * 20
        seen = []

        def train_epoch(number):
            network.favourite.fill_(order[number - 1])

        kept = keep_best(
            network, train_epoch, circles.validation, config, lambda number, ndcg: seen.append((number, ndcg))
        )
        return kept, seen, sought

    def test_the_network_is_left_as_it_was_best(self, network, circles):
        kept, _, sought = self.run(network, circles, AutoencoderConfig(epochs=5))
        assert (kept, int(network.favourite)) == (2, sought)

    def test_it_stops_after_so_many_epochs_without_a_better_one(self, network, circles):
        _, seen, _ = self.run(network, circles, AutoencoderConfig(epochs=20, patience=3))
        assert [number for number, _ in seen] == [1, 2, 3, 4, 5]


class TestMultDae:
    def test_scores_are_the_dense_formula(self):
        network = MultDae(5, MultDaeConfig(latent=3), generator())
        (inward, shift), (outward, bias) = arrays(network.encoder), arrays(network.decoder)
        expected = np.tanh(UNIT_ROWS @ inward + shift) @ outward.T + bias
        np.testing.assert_allclose(network.score(HISTORIES), expected, atol=1e-6)

    def test_the_penalty_is_the_sum_of_squared_weights_over_the_batch(self):
        clicks = Clicks.of(HISTORIES)
        plain, decayed = (MultDae(5, MultDaeConfig(latent=3, weight_decay=decay), generator()) for decay in (0.0, 0.6))
        squares = (arrays(plain.encoder)[0] ** 2).sum() + (arrays(plain.decoder)[0] ** 2).sum()
        difference = decayed.loss(clicks, generator(1)) - plain.loss(clicks, generator(1))
        assert difference.item() == pytest.approx(0.6 / 3 * squares, rel=1e-4)

    def test_users_who_are_all_alike_get_their_items_with_equal_chances(self):
        """The likelihood's optimum in closed form: softmax = 1/3 on each of the three clicked items."""
        row = sparse.csr_matrix(np.tile(np.array([[1, 1, 1] + [0] * 87], dtype=np.float32), (40, 1)))
        network = MultDae(90, MultDaeConfig(latent=4, weight_decay=0.0), generator())
        optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
        for _ in range(300):
            step(optimizer, network.loss(Clicks.of(row), generator(2)))
        chances = torch.from_numpy(network.score(row[:1])).softmax(dim=1)[0]
        np.testing.assert_allclose(chances[:3], 1 / 3, atol=0.02)


class TestBetaMultVae:
    def network(self, **changes):
        return BetaMultVae(5, MultVaeConfig(hidden=4, latent=3, **changes), generator())

    def test_scores_are_the_dense_formula_at_the_posterior_mean(self):
        network = self.network()
        (inward, shift), (posterior, offset) = arrays(network.input), arrays(network.posterior)
        (hidden, start), (outward, bias) = arrays(network.hidden), arrays(network.output)
        mean = (np.tanh(UNIT_ROWS @ inward + shift) @ posterior.T + offset)[:, :3]
        np.testing.assert_allclose(network.users(HISTORIES), mean, atol=1e-6)
        expected = np.tanh(mean @ hidden.T + start) @ outward.T + bias
        np.testing.assert_allclose(network.score(HISTORIES), expected, atol=1e-6)

    def test_users_and_items_have_the_shapes_of_figure_4(self):
        network = self.network()
        assert network.users(HISTORIES).shape == (3, 3)
        assert network.item_rows().shape == (5, 4)
        assert network.users(HISTORIES).dtype == network.item_rows().dtype == np.float32

    def test_the_divergence_is_that_of_torch(self):
        mean, log_variance = torch.randn(2, 4, 3, generator=generator()).unbind()
        expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(dim=1)
        torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)

    def test_the_loss_grows_by_beta_times_the_divergence(self):
        network, clicks = self.network(), Clicks.of(HISTORIES)
        divergence = kl_to_standard_normal(*network.encode(clicks, generator(5))).mean()
        without, twice = (network.loss(clicks, beta, generator(5)) for beta in (0.0, 2.0))
        torch.testing.assert_close(twice - without, 2 * divergence, atol=1e-5, rtol=1e-5)

    def test_a_very_large_beta_leaves_nothing_of_the_user_in_z(self, circles):
        """KL ≥ 0 with equality at the prior only: information in z is what β makes dear."""
        spreads = []
        for beta in (0.0, 50.0):
            network = BetaMultVae(90, MultVaeConfig(hidden=16, latent=4), generator())
            optimizer = torch.optim.Adam(network.parameters(), 0.01)
            draw, clicks = generator(1), Clicks.of(circles.training)
            for _ in range(150):
                step(optimizer, network.loss(clicks, beta, draw))
            spreads.append(network.users(circles.training).std(axis=0).mean())
        assert spreads[1] < 0.1 * spreads[0]


class TestRecVae:
    def network(self, **changes):
        return RecVae(5, RecVaeConfig(hidden=4, latent=3, **changes), generator())

    def test_the_prior_is_a_mixture_of_three_normals(self):
        z, mean, log_variance = torch.randn(3, 6, 2, generator=generator()).double().unbind()
        parts = (Normal(0.0, 1.0), Normal(mean, (log_variance / 2).exp()), Normal(0.0, np.exp(5.0)))
        expected = sum(w * part.log_prob(z).exp() for w, part in zip(PRIOR_WEIGHTS, parts, strict=True)).log()
        torch.testing.assert_close(log_prior(z, mean, log_variance), expected)
        assert sum(PRIOR_WEIGHTS) == pytest.approx(1)

    def test_the_encoder_is_densely_connected(self):
        """Written out layer by layer, as in Figure 2 of the paper."""
        network = self.network()
        encoder, clicks = network.encoder, Clicks.of(HISTORIES)

        def swish(x):
            return x * torch.sigmoid(x)

        norm, layer = encoder.norms, encoder.layers
        x = torch.from_numpy(UNIT_ROWS) @ encoder.input.weight + encoder.input.bias
        h1 = norm[0](swish(x))
        h2 = norm[1](swish(layer[0](h1) + h1))
        h3 = norm[2](swish(layer[1](h2) + h1 + h2))
        h4 = norm[3](swish(layer[2](h3) + h1 + h2 + h3))
        h5 = norm[4](swish(layer[3](h4) + h1 + h2 + h3 + h4))
        torch.testing.assert_close(torch.cat(encoder(clicks), dim=1), encoder.posterior(h5))

    def test_beta_is_gamma_times_the_users_clicks(self):
        clicks = Clicks.of(HISTORIES)
        without, single, double = (self.network(gamma=gamma) for gamma in (0.0, 1.0, 2.0))
        losses = [network.loss(clicks, 1.0, generator(4)).item() for network in (without, single, double)]
        mean, log_variance = without.encoder(clicks)
        z = mean + torch.randn(mean.shape, generator=generator(4)) * (log_variance / 2).exp()
        posterior = Normal(mean, (log_variance / 2).exp()).log_prob(z)
        kl = (posterior - log_prior(z, *without.old_encoder(clicks))).sum(dim=1)
        expected = (torch.tensor([3.0, 1.0, 5.0]) * kl).mean().item()
        assert losses[1] - losses[0] == pytest.approx(expected, rel=1e-4)
        assert losses[2] - losses[0] == pytest.approx(2 * expected, rel=1e-4)

    def test_the_old_posterior_is_the_encoder_when_the_prior_was_updated(self):
        network, clicks = self.network(), Clicks.of(HISTORIES)
        assert (network.encoder(clicks)[0] != network.old_encoder(clicks)[0]).any()
        network.update_prior()
        torch.testing.assert_close(network.encoder(clicks), network.old_encoder(clicks), atol=0, rtol=0)
        assert not any(parameter.requires_grad for parameter in network.old_encoder.parameters())

    @pytest.mark.parametrize(("still", "passes"), [("encoder", (0, 1)), ("decoder", (1, 0))])
    def test_each_is_trained_while_the_other_stands_still(self, circles, still, passes):
        config = RecVaeConfig(hidden=8, latent=4, epochs=1, encoder_passes=passes[0], decoder_passes=passes[1])
        start, end = RecVae(circles.training.shape[1], config, generator(config.seed)), RecVae.fit(circles, config)
        moved = {
            part: any(
                (before != after).any()
                for before, after in zip(
                    getattr(start, part).parameters(), getattr(end, part).parameters(), strict=True
                )
            )
            for part in ("encoder", "decoder")
        }
        assert moved == {"encoder": still == "decoder", "decoder": still == "encoder"}
