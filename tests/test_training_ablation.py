"""The ways of training that are tried: what their targets are."""

import numpy as np
import pytest
import torch
from scipy import sparse

from benchmarks.training_ablation import objective, recommended, settings_of, soft_loss
from macrid.model import objective as usual
from macrid.model import training
from macrid.model.baselines.ease import Ease
from macrid.model.errors import DataError
from macrid.model.network import Histories, MacridVAE, NetworkConfig

CLICKS = sparse.csr_matrix(
    np.array([[1, 1, 0, 0, 1, 0], [0, 0, 1, 1, 0, 1], [1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 1]], dtype=np.float32)
)
BATCH = Histories.from_matrix(CLICKS)


def drawn():
    return torch.Generator().manual_seed(5)


@pytest.fixture
def network():
    return MacridVAE(6, NetworkConfig(concepts=2, dimensions=4), drawn())


def test_with_the_usual_targets_it_is_the_usual_loss_and_gradient(network):
    losses, gradients = [], []
    for loss in (
        soft_loss(network, BATCH, 0.3, drawn(), None, 0.0, withheld=False),
        usual.training_loss(network, BATCH, 0.3, drawn()),
    ):
        network.zero_grad()
        loss.total.backward()
        losses.append(loss.total.item())
        gradients.append(network.item_embeddings.grad.clone())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-5)


def test_a_teacher_recommends_what_was_not_clicked_and_goes_with_what_was():
    found = recommended(Ease.fit(CLICKS, regularization=1.0), torch.from_numpy(CLICKS.toarray()))
    assert torch.equal(found > 0, torch.from_numpy(CLICKS.toarray() == 0))
    torch.testing.assert_close(found.sum(dim=1), torch.ones(4))
    assert found[2].argmax() == 4 or found[2].argmax() == 5  # not item 3, which nobody has beside items 0 and 1


def test_a_share_of_the_targets_comes_from_the_teacher_and_the_rest_are_clicks(network):
    teacher = Ease.fit(CLICKS, regularization=1.0)
    clicks, taught, half = (
        soft_loss(network, BATCH, 0.3, drawn(), teacher if share else None, share, withheld=False)
        for share in (0.0, 1.0, 0.5)
    )
    mean = (clicks.negative_log_likelihood + taught.negative_log_likelihood) / 2
    torch.testing.assert_close(half.negative_log_likelihood, mean)
    assert not torch.isclose(clicks.negative_log_likelihood, taught.negative_log_likelihood)


def test_clicks_that_the_encoder_sees_are_no_targets(network):
    with torch.no_grad():  # everything seen: nothing is left to predict
        network.config = NetworkConfig(concepts=2, dimensions=4, keep_probability=1.0)
        assert soft_loss(network, BATCH, 0.3, drawn(), None, 0.0, withheld=True).negative_log_likelihood == 0


def test_training_minimises_it_only_for_a_while():
    with objective(CLICKS, {"withheld": True}):
        assert training.training_loss is not usual.training_loss  # type: ignore[attr-defined]
    assert training.training_loss is usual.training_loss  # type: ignore[attr-defined]


def test_a_way_is_read_and_checked():
    assert settings_of("batch_size=20 distilled=0.5 withheld=true sampling=uniform") == {
        "batch_size": 20, "distilled": 0.5, "withheld": True, "sampling": "uniform",
    }  # fmt: skip
    with pytest.raises(DataError, match="batchsize"):
        settings_of("batchsize=20")
