"""The loop: it learns, keeps the best epoch, stops when told, and the same seed gives the same network to the bit."""

import dataclasses

import numpy as np
import pytest
import torch

from macrid.model import evaluation, training
from macrid.model.baselines.popularity import Popularity
from macrid.model.errors import TrainingError
from macrid.model.evaluation import evaluate
from tests.support.groups import CONFIG, groups_split


@pytest.fixture(scope="module")
def split():
    return groups_split()


@pytest.fixture(scope="module")
def trained(split):
    return training.train(split, CONFIG)


class TestTraining:
    def test_it_learns_what_popularity_cannot_know(self, split, trained):
        learned = evaluate(trained.network, split.test).mean("recall@20")
        assert learned > 0.8
        assert learned > 2 * evaluate(Popularity.fit(split.training), split.test).mean("recall@20")

    def test_the_loss_falls(self, trained):
        assert trained.history[-1].loss < trained.history[0].loss

    def test_the_network_is_that_of_the_epoch_best_on_validation(self, split, trained):
        values = [epoch.validation.mean("ndcg@100") for epoch in trained.history]
        assert trained.best_epoch == 1 + int(np.argmax(values))
        assert evaluate(trained.network, split.validation).mean("ndcg@100") == max(values)

    def test_the_same_seed_gives_the_same_network_to_the_bit_and_another_seed_another(self, split, trained):
        again, other = (training.train(split, dataclasses.replace(CONFIG, seed=seed)) for seed in (CONFIG.seed, 1))
        for name, value in trained.network.state_dict().items():
            assert torch.equal(value, again.network.state_dict()[name])
        assert not torch.equal(trained.network.item_embeddings, other.network.item_embeddings)

    def test_it_stops_after_so_many_epochs_without_a_better_one(self, split):
        patient = training.train(split, dataclasses.replace(CONFIG, epochs=60, patience=2, learning_rate=0.05))
        assert len(patient.history) == min(60, patient.best_epoch + 2)

    def test_ctrl_c_between_epochs_keeps_the_best_so_far(self, split):
        def stop_at_four(epoch):
            if epoch.number == 4:
                raise KeyboardInterrupt

        stopped = training.train(split, CONFIG, stop_at_four)
        assert len(stopped.history) == 4
        assert stopped.interrupted
        kept = evaluate(stopped.network, split.validation).mean("ndcg@100")
        assert kept == stopped.history[stopped.best_epoch - 1].validation.mean("ndcg@100")

    def test_test_users_do_not_influence_training(self, split, trained):
        blind = training.train(dataclasses.replace(split, test=split.validation), CONFIG)
        assert torch.equal(blind.network.prototypes, trained.network.prototypes)

    def test_a_loss_that_is_no_number_stops_with_advice(self, split):
        with pytest.raises(TrainingError, match=r"learning rate below 1e\+30"):
            training.train(split, dataclasses.replace(CONFIG, learning_rate=1e30))

    def test_a_loss_that_grows_stops_with_advice(self, split, monkeypatch):
        monkeypatch.setattr(training, "_update", lambda state, *_: 2.0**state.passes)
        with pytest.raises(TrainingError, match=r"rose from 1 in epoch 1 to 4 in epoch 3: training diverges; try a"):
            training.refit(split.training, CONFIG, 5)
        with pytest.raises(TrainingError, match=r"rose from 1 in epoch 1 to 4 in epoch 3: training diverges; try a"):
            training.train(split, CONFIG)

    def test_in_bf16_it_learns_the_same_within_a_hundredth(self, split, trained):
        narrow = training.train(split, dataclasses.replace(CONFIG, precision="bf16"))
        losses, expected = ([epoch.loss for epoch in each.history] for each in (narrow, trained))
        np.testing.assert_allclose(losses, expected, rtol=0.01)
        assert losses != expected
        assert narrow.network.item_embeddings.dtype == torch.float32

    @pytest.mark.parametrize(("fast", "precision"), [(True, "bf16"), (False, "float32")])
    def test_auto_is_what_the_processor_is_made_for_and_the_result_says_which(
        self, split, monkeypatch, fast, precision
    ):
        monkeypatch.setattr(training, "multiplies_bfloat16", lambda: fast)
        config = dataclasses.replace(CONFIG, epochs=2)
        chosen = training.train(split, dataclasses.replace(config, precision="auto"))
        named = training.train(split, dataclasses.replace(config, precision=precision))
        assert chosen.config.precision == precision
        assert [epoch.loss for epoch in chosen.history] == [epoch.loss for epoch in named.history]
        refitted = training.refit(split.training, dataclasses.replace(config, precision="auto"), 1)
        expected = training.refit(split.training, dataclasses.replace(config, precision=precision), 1)
        assert torch.equal(refitted.item_embeddings, expected.item_embeddings)

    @pytest.mark.parametrize("fast", [True, False])
    @pytest.mark.parametrize("precision", ["float32", "bf16"])
    def test_a_precision_that_is_named_is_taken_on_every_processor(self, monkeypatch, fast, precision):
        monkeypatch.setattr(training, "multiplies_bfloat16", lambda: fast)
        assert training.precision_here(dataclasses.replace(CONFIG, precision=precision)) == precision

    def test_by_default_an_eighth_of_the_users_makes_a_batch_within_bounds(self):
        assert [training.default_batch_size(users) for users in (10, 400, 100_000)] == [20, 50, 500]

    def test_random_initialisation_as_the_authors_do_is_still_there(self, split):
        paper = training.train(split, dataclasses.replace(CONFIG, initialisation="random", epochs=1))
        assert len(paper.history) == 1

    def test_a_refinement_comes_after_training_and_after_a_refit_and_changes_no_weight(self, split, trained):
        config = dataclasses.replace(CONFIG, refinement=0.5)
        again, refitted = training.train(split, config), training.refit(split.training, config, 1)
        assert again.network.refinement.step == refitted.refinement.step == 0.5
        assert trained.network.refinement is None
        for name, weights in trained.network.state_dict().items():
            assert torch.equal(again.network.state_dict()[name], weights)

    def test_a_refit_is_the_same_training_without_a_look_at_validation(self, split):
        config = dataclasses.replace(CONFIG, epochs=3, patience=3)
        trained = training.train(split, config)
        refitted = training.refit(split.training, config, trained.best_epoch)
        for name, value in trained.network.state_dict().items():
            assert torch.equal(refitted.state_dict()[name], value)


def test_an_evaluation_has_fewer_users_at_a_time_when_there_are_many_items(split, trained, monkeypatch):
    whole = evaluate(trained.network, split.test)
    sizes, rank = [], evaluation.rank
    monkeypatch.setattr(
        evaluation, "rank", lambda scorer, fold_in, n: sizes.append(fold_in.shape[0]) or rank(scorer, fold_in, n)
    )
    monkeypatch.setattr(evaluation, "SCORES", 7 * split.training.shape[1])
    for name, values in evaluate(trained.network, split.test).values.items():
        np.testing.assert_allclose(values, whole.values[name])
    assert sizes == [7, 7, 7, 7, 2]
