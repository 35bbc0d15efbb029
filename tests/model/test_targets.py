"""What users are asked: weights of users, and a teacher who has never seen them."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import sparse

from macrid.model import objective, training
from macrid.model.baselines.ease import Ease
from macrid.model.baselines.popularity import Popularity
from macrid.model.errors import DataError
from macrid.model.evaluation import evaluate
from macrid.model.network import Histories, Refinement
from macrid.model.objective import training_loss
from macrid.model.targets import LEAST_SCORE, TEACHER_TEMPERATURE, Question, Teacher
from tests.support.groups import CONFIG, groups_split

LAMBDA = 5.0


@pytest.fixture(scope="module")
def clicks():
    generator = np.random.default_rng(0)
    matrix = (generator.random((23, 12)) < 0.3).astype(np.float32)
    matrix[:, 0] = 1  # nobody has nothing
    return sparse.csr_matrix(matrix)


@pytest.fixture(scope="module", params=["softmax", "square"])
def teacher(clicks, request):
    return Teacher(clicks, LAMBDA, request.param)


class TestWeights:
    def test_they_fall_with_the_history_as_balance_says_and_a_click_weighs_one_on_average(self, clicks):
        n = np.diff(clicks.indptr)
        for balance in (0.5, 1.0):
            weights = Question.of(clicks, balance, 0.0, LAMBDA).weights.numpy()
            np.testing.assert_allclose(weights / weights[0], (n / n[0]) ** -balance, rtol=1e-5)
            assert (weights * n).sum() / n.sum() == pytest.approx(1)
        np.testing.assert_allclose(weights * n, (weights * n)[0], rtol=1e-5)  # at 1 every user counts alike

    def test_without_balance_and_teacher_nothing_is_asked_that_the_paper_does_not_ask(self, clicks):
        asked = Question.of(clicks, 0.0, 0.0, LAMBDA).of_users(torch.arange(4))
        assert asked.weights is None
        assert not asked.taught


class TestTeacher:
    @pytest.mark.parametrize("kind", ["softmax", "square"])
    def test_each_user_is_asked_of_an_ease_that_was_fitted_to_all_the_others(self, clicks, kind):
        users, some = torch.tensor([4, 0, 19]), clicks[[4, 0, 19]].copy()
        some.data[::3] = 0  # a part of their histories is asked with
        some.eliminate_zeros()
        opinion = Question.of(clicks, 0.0, 0.5, LAMBDA, kind).teacher.opinion(Histories.from_matrix(some), users)
        for at, user in enumerate(users.tolist()):
            others = np.arange(clicks.shape[0]) != user
            scores = Ease.fit(clicks[others], regularization=LAMBDA).score(some[[at]])[0]
            expected = np.exp(scores / TEACHER_TEMPERATURE)
            if kind == "square":
                expected = (np.maximum(scores, 0) + LEAST_SCORE) ** 2
            expected[some[[at]].indices] = 0
            np.testing.assert_allclose(opinion[at], expected / expected.sum(), rtol=1e-4, atol=1e-7)

    def test_of_whom_nothing_is_seen_every_item_is_as_likely(self, teacher):
        nobody = Histories(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64), 2)
        torch.testing.assert_close(teacher.opinion(nobody, torch.tensor([1, 2])), torch.full((2, 12), 1 / 12))


class TestTargets:
    def test_they_are_the_clicks_not_seen_and_the_teachers_opinion_with_the_mass_of_all_clicks(self, clicks, teacher):
        rows = torch.tensor([7, 2])
        histories = Histories.from_matrix(clicks[[7, 2]])
        seen = torch.arange(len(histories.items)) % 2 == 0
        targets = Question(teacher=teacher, share=0.25).of_users(rows).targets(histories, seen)
        opinion = teacher.opinion(histories.only(seen), rows)
        dense = torch.from_numpy(clicks[[7, 2]].toarray())
        left = dense.clone()
        left[histories.rows[seen], histories.items[seen]] = 0
        expected = 0.75 * left / left.sum(dim=1, keepdim=True) + 0.25 * opinion
        torch.testing.assert_close(targets.shares, expected * dense.sum(dim=1, keepdim=True))
        assert torch.equal(targets.left_out.items, histories.items[seen])

    def test_of_whom_every_item_is_seen_they_are_asked_as_if_nothing_were(self, clicks, teacher):
        everything = Histories(torch.arange(12), torch.zeros(12, dtype=torch.int64), 1)
        asked = Question(teacher=teacher, share=0.5).of_users(torch.tensor([3]))
        targets = asked.targets(everything, torch.ones(12, dtype=torch.bool))
        assert len(targets.left_out.items) == 0
        torch.testing.assert_close(targets.shares, torch.ones(1, 12))


def test_a_network_learns_from_a_teacher_and_the_same_again_to_the_bit():
    split = groups_split()
    config = dataclasses.replace(CONFIG, teacher=0.5, balance=0.5, teacher_regularization=50.0)
    taught = training.train(split, config)
    popular = evaluate(Popularity.fit(split.training), split.validation).mean("ndcg@100")
    assert evaluate(taught.network, split.validation).mean("ndcg@100") > 1.2 * popular
    again = training.train(split, config)
    assert [epoch.loss for epoch in again.history] == [epoch.loss for epoch in taught.history]


def test_refined_throughout_the_network_learns_another_thing_is_chosen_by_what_is_served_and_keeps_the_step():
    split = groups_split()
    taught = dataclasses.replace(CONFIG, teacher=0.5, teacher_regularization=50.0)
    config = dataclasses.replace(taught, refinement=1.0, refined="throughout")
    plain, trained = training.train(split, taught), training.train(split, config)
    refitted = training.refit(split.training, config, trained.best_epoch)
    assert trained.history[0].loss < plain.history[0].loss
    assert trained.network.refinement == refitted.refinement == Refinement(1.0)
    best = trained.history[trained.best_epoch - 1].validation
    for measure, values in evaluate(trained.network, split.validation).values.items():
        np.testing.assert_allclose(values, best.values[measure])
    for name, weights in trained.network.state_dict().items():
        assert torch.equal(refitted.state_dict()[name], weights)


@pytest.mark.parametrize("kept", [1e-6, 1.0])
def test_refined_throughout_the_step_goes_by_what_is_seen_alone(monkeypatch, kept):
    split = groups_split()
    config = training.resolved(dataclasses.replace(CONFIG, teacher=0.5), *split.training.shape)
    config = dataclasses.replace(config, network=dataclasses.replace(config.network, keep_probability=kept))
    state, _ = training._begin(split.training, config, None, "", None)
    batch, rows = Histories.from_matrix(split.training[:9]), torch.arange(9)
    seen, refined = [], objective.refined_in_training
    monkeypatch.setattr(objective, "refined_in_training", lambda *args: seen.append(args[2]) or refined(*args))
    question = training._question(split.training, config).of_users(rows)
    training_loss(state.network, batch, 0.2, torch.Generator().manual_seed(1), question=question, refinement=1.0)
    assert [len(each.items) for each in seen] == [len(batch.items) if kept == 1 else 0]


@pytest.mark.parametrize("changes", [{"teacher": 0.5}, {"refinement": 1.0}])
def test_refined_throughout_asks_for_a_step_and_for_a_teacher(changes):
    config = dataclasses.replace(CONFIG, refined="throughout", **changes)
    with pytest.raises(
        DataError, match=r"refined is throughout, refinement is .* and teacher is .*; expected both above 0"
    ):
        training.resolved(config, 100, 40)


def test_settings_of_training_say_what_the_teachers_opinion_is():
    split = groups_split()
    nobody = Histories(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64), 1)
    seen = Histories(torch.tensor(split.training[0].indices[:2].astype(np.int64)), torch.zeros(2, dtype=torch.int64), 1)
    said = {}
    for kind in ("softmax", "square"):
        config = dataclasses.replace(CONFIG, teacher=0.5, teacher_opinion=kind, teacher_regularization=20.0)
        teacher = training._question(split.training, config).teacher
        expected = Teacher(split.training, 20.0, kind).opinion(seen, torch.tensor([0]))
        said[kind] = teacher.opinion(seen, torch.tensor([0]))
        torch.testing.assert_close(said[kind], expected)
        assert teacher.opinion(nobody, torch.tensor([0])).std() == pytest.approx(0, abs=1e-6)
    assert not torch.allclose(said["softmax"], said["square"])


def test_a_teacher_beside_a_sample_of_items_is_refused():
    with pytest.raises(DataError, match=r"teacher is 0.5 and samples are 10; expected one of them at 0"):
        training.resolved(dataclasses.replace(CONFIG, teacher=0.5, samples=10), 100, 40)


def test_losses_of_parts_of_a_batch_add_up_to_that_of_the_batch():
    split = groups_split()
    config = dataclasses.replace(CONFIG, teacher=0.5, balance=0.5)
    state, _ = training._begin(split.training, training.resolved(config, *split.training.shape), None, "", None)
    rows = torch.arange(9)
    batch, asked = Histories.from_matrix(split.training[:9]), training._question(split.training, config).of_users(rows)

    def loss(part):
        generator = torch.Generator().manual_seed(1)
        return training_loss(state.network, batch, 0.2, generator, part=part, question=asked).total

    torch.testing.assert_close(loss(slice(0, 4)) + loss(slice(4, 9)), loss(None))
