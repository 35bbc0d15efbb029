"""What the neural baselines share: sparse input rows, the multinomial likelihood, and a loop that keeps the best epoch.

Letters: B users of a batch, E their clicks together, M items.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor, nn

from macrid.artifacts.schema import Float32Array
from macrid.model.errors import TrainingError
from macrid.model.evaluation import evaluate
from macrid.model.splitting import HeldOut
from macrid.model.training import default_batch_size

OnEpoch = Callable[[int, float], None]


@dataclass(frozen=True)
class AutoencoderConfig:
    """How a neural baseline is trained.

    Attributes:
        epochs: upper bound; the epoch with the best validation NDCG@100 is kept.
        patience: stop after so many epochs without a better one.
        batch_size: users per update; None: as many as MacridVAE takes.
        learning_rate: of Adam.
        keep_probability: of the dropout on the normalised input row.
        seed: of everything random.
    """

    epochs: int = 200
    patience: int = 50
    batch_size: int | None = None
    learning_rate: float = 1e-3
    keep_probability: float = 0.5
    seed: int = 98765


@dataclass(frozen=True)
class Clicks:
    """Clicks of B users, row after row: `items` (E,), `rows` (E,) ascending, `starts` (B,), `counts` (B,), all int64."""

    items: Tensor
    rows: Tensor
    starts: Tensor
    counts: Tensor

    @staticmethod
    def of(matrix: sparse.csr_matrix) -> "Clicks":
        """(B, M) implicit matrix -> its clicks."""
        counts = np.diff(matrix.indptr).astype(np.int64)
        rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), counts)
        arrays = (matrix.indices.astype(np.int64), rows, matrix.indptr[:-1].astype(np.int64), counts)
        return Clicks(*(torch.from_numpy(array) for array in arrays))


class SparseLinear(nn.Module):
    """x W + b for rows of unit length, x = clicks / √n: only the clicked rows of W (M, width) are touched."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)  # (M, width)
        self.bias = nn.Parameter(bias)  # (width,)

    def forward(self, clicks: Clicks, keep: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """(B, width); with `keep` below 1 each click is dropped with probability 1 - keep, the others scaled up."""
        values = clicks.counts.float().rsqrt()[clicks.rows]  # (E,)
        if keep < 1:
            values = values * (torch.rand(values.shape, generator=generator) < keep) / keep
        summed = F.embedding_bag(clicks.items, self.weight, clicks.starts, mode="sum", per_sample_weights=values)
        return summed + self.bias


class Autoencoder(nn.Module, ABC):
    """A network from clicks to logits over all items. An `evaluation.Scorer`."""

    @abstractmethod
    def logits(self, clicks: Clicks) -> Tensor:
        """(B, M), without dropout and noise."""

    @torch.no_grad()
    def score(self, histories: sparse.csr_matrix) -> Float32Array:
        """Logits of all items, (B, M) float32."""
        return self.logits(Clicks.of(histories)).numpy()


def negative_log_likelihood(logits: Tensor, clicks: Clicks) -> Tensor:
    """−Σ_i x_i log softmax_i of each user, (B,), from (B, M): the multinomial likelihood of Liang et al. 2018, eq. (2)."""
    clicked = torch.zeros(len(logits)).index_add(0, clicks.rows, logits[clicks.rows, clicks.items])
    return clicks.counts * torch.logsumexp(logits, dim=1) - clicked


def xavier(inputs: int, outputs: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A layer's weight (inputs, outputs) and bias as Liang et al. start them."""
    bound = (6.0 / (inputs + outputs)) ** 0.5
    bias = nn.init.trunc_normal_(torch.empty(outputs), std=0.001, a=-0.002, b=0.002, generator=generator)
    return (torch.rand(inputs, outputs, generator=generator) * 2 - 1) * bound, bias


def dense(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A linear layer from (inputs, outputs) and (outputs,); nothing is drawn from torch's global generator."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, *weight.shape)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        layer.weight.copy_(weight.T)
        layer.bias.copy_(bias)
    return layer


def batches(training: sparse.csr_matrix, size: int | None, generator: torch.Generator) -> Iterator[Clicks]:
    """All users once in random order, `size` at a time, or as many as MacridVAE takes."""
    users = training.shape[0]
    size = size or default_batch_size(users)
    order = torch.randperm(users, generator=generator).numpy()
    for at in range(0, users, size):
        yield Clicks.of(training[order[at : at + size]])


def updates_per_epoch(users: int, size: int | None) -> int:
    """Number of batches that `batches` gives."""
    return -(-users // (size or default_batch_size(users)))


def step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One update.

    Raises:
        TrainingError: the loss is not finite.
    """
    if not torch.isfinite(loss):
        rate = optimizer.param_groups[0]["lr"]
        raise TrainingError(f"the loss became {loss.item()}; try a learning rate below {rate}")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def keep_best(
    network: Autoencoder,
    train_epoch: Callable[[int], None],
    validation: HeldOut,
    config: AutoencoderConfig,
    on_epoch: OnEpoch | None = None,
) -> int:
    """Train epoch after epoch, numbered from 1, and leave the network as it ranked the validation users best.

    Args:
        network: trained in place by `train_epoch(number)`.
        train_epoch: one pass, or as many as the method calls an epoch.
        validation: chooses the epoch; test users never do.
        config: epochs and patience.
        on_epoch: called with the epoch and its validation NDCG@100; may raise to end the training.

    Returns:
        The number of the epoch kept.
    """
    best_state, best, best_number = copy.deepcopy(network.state_dict()), -1.0, 0
    for number in range(1, config.epochs + 1):
        train_epoch(number)
        ndcg = evaluate(network, validation).mean("ndcg@100")
        if ndcg > best:
            best_state, best, best_number = copy.deepcopy(network.state_dict()), ndcg, number
        if on_epoch is not None:
            on_epoch(number, ndcg)
        if number - best_number >= config.patience:
            break
    network.load_state_dict(best_state)
    return best_number
