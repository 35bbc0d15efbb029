"""Sampled items: with every item it is the full objective, with fewer it comes near; and only the sample's rows change."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import sparse
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from macrid.model import likelihood, objective, training
from macrid.model.baselines.popularity import Popularity
from macrid.model.errors import DataError
from macrid.model.evaluation import evaluate
from macrid.model.network import Histories, MacridVAE, NetworkConfig
from macrid.model.sampling import ItemSampler
from tests.support.groups import CONFIG, groups_split

ITEMS, USERS = 200, 12
SHAPE = NetworkConfig(concepts=3, dimensions=6)


@pytest.fixture(scope="module")
def clicks():
    """Of 12 users on 200 items, the first ones far more popular."""
    rng = np.random.default_rng(3)
    chance = 8 / (8 + np.arange(ITEMS))
    return sparse.csr_matrix((rng.random((USERS, ITEMS)) < chance[None]).astype(np.float32))


@pytest.fixture
def network():
    return MacridVAE(ITEMS, SHAPE, torch.Generator().manual_seed(1)).double()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def gradients(network, loss):
    network.zero_grad()
    loss.backward()
    return {name: value.grad.to_dense().clone() for name, value in network.named_parameters()}


class TestSampler:
    @pytest.mark.parametrize("distribution", ["log_uniform", "uniform"])
    @pytest.mark.parametrize("samples", [1, 20, 150])
    def test_weights_make_the_expected_number_of_every_item_one(self, clicks, distribution, samples):
        sampler, nobody = ItemSampler(clicks, samples, distribution), Histories.from_matrix(clicks[:1])
        totals, draws = torch.zeros(ITEMS), 1500
        for seed in range(draws):
            sample = sampler.draw(nobody, generator(seed))
            totals.index_add_(0, sample.items, sample.log_weights.exp())
        # a weight w comes with probability 1 / w, so the mean of the draws has variance (w - 1) / draws at most
        largest = torch.exp(-sampler._log_expected.min()).item()
        assert (totals / draws - 1).abs().max() < 5 * (largest / draws) ** 0.5
        assert (totals.sum() / draws / ITEMS).item() == pytest.approx(1, abs=0.05)

    def test_popular_items_are_drawn_more_often_and_all_alike_when_uniform(self, clicks):
        popular = set(np.argsort(-np.asarray(clicks.sum(axis=0)).ravel())[:50].tolist())

        def share(distribution):
            sampler, nobody = ItemSampler(clicks, 20, distribution), Histories.from_matrix(clicks[:1])
            drawn = [sampler.draw(nobody, generator(seed)) for seed in range(200)]
            kept = torch.cat([sample.items[sample.log_weights.isfinite()] for sample in drawn]).tolist()
            return sum(item in popular for item in kept) / len(kept)

        assert share("uniform") == pytest.approx(0.25, abs=0.03)
        assert share("log_uniform") > 0.5

    def test_the_clicked_items_come_first_and_histories_point_at_them(self, clicks):
        batch = Histories.from_matrix(clicks)
        sample = ItemSampler(clicks, 30, "log_uniform").draw(batch, generator())
        assert torch.equal(sample.items[sample.histories.items], batch.items)
        assert sample.histories.items.max() == sample.clicked - 1
        assert len(sample.items.unique()) == len(sample.items)
        assert len(sample.items) <= sample.clicked + 30
        assert sample.log_weights[sample.clicked :].isfinite().all()
        in_a_sum, drawn = sample.weights_in_a_sum(), sample.log_weights.exp()
        assert (in_a_sum[: sample.clicked] == 1).all()
        assert torch.equal(in_a_sum[sample.clicked :], drawn[sample.clicked :])

    def test_a_sample_of_every_item_has_each_once_with_weight_one(self, clicks):
        for distribution in ("log_uniform", "uniform"):
            sample = ItemSampler(clicks, ITEMS, distribution).draw(Histories.from_matrix(clicks[:2]), generator())
            assert torch.equal(sample.items.sort().values, torch.arange(ITEMS))
            assert (sample.log_weights == 0).all()

    @pytest.mark.parametrize("samples", [-1, 201])
    def test_a_number_that_cannot_be_drawn_is_named(self, clicks, samples):
        with pytest.raises(DataError, match=rf"samples is {samples}, expected 1 to 200, the number of items; or 0"):
            ItemSampler(clicks, samples, "uniform")


class TestObjective:
    @pytest.mark.parametrize("slice_floats", [1_000_000, 2_000])
    def test_with_every_item_once_loss_and_gradients_are_the_full_ones(
        self, network, clicks, monkeypatch, slice_floats
    ):
        """The sample has the items in another order, in which their random numbers are drawn: so has the full network here."""
        monkeypatch.setattr(likelihood, "SLICE_FLOATS", slice_floats)
        sample = ItemSampler(clicks, ITEMS, "log_uniform").draw(Histories.from_matrix(clicks), generator())
        full = MacridVAE(ITEMS, SHAPE, generator()).double()
        full.load_state_dict(network.state_dict())
        start = torch.rand(ITEMS, 3, generator=generator(), dtype=torch.float64)
        with torch.no_grad():
            full.item_embeddings.copy_(network.item_embeddings[sample.items])
            full.context_embeddings.copy_(network.context_embeddings[sample.items])
        expected = objective.training_loss(full, sample.histories, 0.2, generator(5)).total
        expected = expected + objective.anchoring(full, start[sample.items])
        found = objective.training_loss(network, Histories.from_matrix(clicks), 0.2, generator(5), sample).total
        found = found + objective.anchoring(network, start, sample)
        assert found.item() == pytest.approx(expected.item(), rel=1e-12)
        ours = gradients(network, found)
        for name, theirs in gradients(full, expected).items():
            rows = sample.items if name.endswith("embeddings") else slice(None)
            torch.testing.assert_close(ours[name][rows], theirs, rtol=1e-9, atol=1e-10)

    def test_the_sampled_likelihood_is_its_definition_written_out(self, network, clicks):
        batch = Histories.from_matrix(clicks)
        sample = ItemSampler(clicks, 40, "log_uniform").draw(batch, generator())
        h = network.unit_items().detach()
        z = torch.nn.functional.normalize(torch.randn(3, USERS, 6, generator=generator(), dtype=torch.float64), dim=2)
        log_concepts = network.concept_logits(h).log_softmax(dim=1).detach()
        scores = network.log_scores(z, h, log_concepts).numpy()
        weight = dict(zip(sample.items.tolist(), sample.log_weights.double().exp().tolist(), strict=True))
        expected = 0.0
        for user, own in enumerate(clicks.toarray() > 0):
            others = sum(weight[i] * np.exp(scores[user, i]) for i in weight if not own[i])
            expected += own.sum() * np.log(np.exp(scores[user, own]).sum() + others) - scores[user, own].sum()
        found = likelihood.negative_log_likelihood(
            z, h[sample.items], log_concepts[sample.items], sample.histories, 0.1, sample.log_weights
        )
        assert found.item() == pytest.approx(expected, rel=1e-6)  # the weights are float32

    @pytest.mark.parametrize("distribution", ["log_uniform", "uniform"])
    def test_the_bias_of_the_gradient_falls_as_samples_grow(self, network, clicks, distribution):
        """The mean over many draws against the full gradient; components and concepts are given, so nothing else is random."""
        batch = Histories.from_matrix(clicks[:3])
        h = network.unit_items().detach()
        log_concepts = network.concept_logits(h).log_softmax(dim=1).detach()
        z = torch.nn.functional.normalize(torch.randn(3, 3, 6, generator=generator(), dtype=torch.float64), dim=2)

        def gradient(sample):
            by = z.clone().requires_grad_()
            items, histories, weights = (
                (slice(None), batch, None) if sample is None else (sample.items, sample.histories, sample.log_weights)
            )
            likelihood.negative_log_likelihood(by, h[items], log_concepts[items], histories, 0.1, weights).backward()
            return by.grad

        full, bias = gradient(None), []
        for samples in (8, 32, 128):
            sampler = ItemSampler(clicks, samples, distribution)
            mean = sum(gradient(sampler.draw(batch, generator(seed))) for seed in range(200)) / 200
            bias.append(((mean - full).norm() / full.norm()).item())
        assert bias[0] > 1.5 * bias[1] > 1.5 * 1.5 * bias[2], bias

    def test_the_anchor_is_estimated_without_bias(self, network, clicks):
        start = torch.rand(ITEMS, 3, generator=generator(), dtype=torch.float64)
        sampler, batch = ItemSampler(clicks, 50, "log_uniform"), Histories.from_matrix(clicks[:3])
        values = torch.stack(
            [objective.anchoring(network, start, sampler.draw(batch, generator(seed))) for seed in range(300)]
        )
        expected = objective.anchoring(network, start)
        assert (values.mean() - expected).abs() < 4 * values.std() / 300**0.5
        assert values.std() > 0


@pytest.fixture(scope="module")
def split():
    return groups_split()


SAMPLED = dataclasses.replace(CONFIG, samples=20, epochs=25)


class TestTraining:
    def test_it_learns_as_all_items_do(self, split):
        trained = training.train(split, SAMPLED)
        assert trained.config.samples == 20
        found = evaluate(trained.network, split.test).mean("recall@20")
        assert found > 2 * evaluate(Popularity.fit(split.training), split.test).mean("recall@20")

    def test_an_update_changes_the_rows_of_its_sample_and_no_other(self, split, monkeypatch):
        samples, draw = [], ItemSampler.draw
        monkeypatch.setattr(ItemSampler, "draw", lambda *given: samples.append(draw(*given)) or samples[-1])
        state, _ = training._begin(split.training, training.resolved(SAMPLED, *split.training.shape), None, "", None)
        before = {name: value.clone() for name, value in state.network.state_dict().items()}
        state.begin_pass(4)
        training._update(state, Histories.from_matrix(split.training[:4]), SAMPLED, 1, 4)
        (sample,) = samples
        assert sample.clicked < len(sample.items) < split.training.shape[1]
        for table, rows in sample.touched().items():
            changed = (state.network.state_dict()[table] != before[table]).any(dim=1).nonzero().flatten()
            assert set(changed.tolist()) <= set(rows.tolist())
            assert len(changed) > 0.8 * len(rows)  # a slope can be nought
        assert not torch.equal(state.network.output_weight, before["output_weight"])

    def test_what_is_kept_is_the_average_over_all_updates_as_with_all_items(self, split):
        config = training.resolved(SAMPLED, *split.training.shape)
        state, _ = training._begin(split.training, config, None, "", None)
        expected = AveragedModel(state.network, multi_avg_fn=get_ema_multi_avg_fn(config.averaging))
        for at in range(0, 60, 5):
            training._update(state, Histories.from_matrix(split.training[at : at + 5]), config, 1, 5)
            expected.update_parameters(state.network)
        for name, value in expected.module.state_dict().items():
            torch.testing.assert_close(state.kept.state_dict()[name], value, rtol=1e-4, atol=1e-6)

    def test_the_number_is_chosen_by_the_size_of_the_catalogue_unless_it_is_given(self):
        def chosen(items, samples=None):
            return training.resolved(dataclasses.replace(CONFIG, samples=samples), 100, items).samples

        assert chosen(training.SAMPLED_FROM - 1) == 0
        assert chosen(training.SAMPLED_FROM) == training.SAMPLES
        assert chosen(10**6, samples=0) == 0
        assert chosen(100, samples=100) == 100
        with pytest.raises(DataError, match="samples is 101, expected 1 to 100"):
            chosen(100, samples=101)
