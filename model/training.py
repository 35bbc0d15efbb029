"""The training loop, visible from end to end: batches, loss, step, validation, and the best epoch kept."""

import copy
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, cast

import torch
from scipy import sparse
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from macrid.model.errors import TrainingError
from macrid.model.evaluation import Evaluation, evaluate
from macrid.model.initialisation import start_from_co_clicks
from macrid.model.network import Histories, MacridVAE, NetworkConfig
from macrid.model.objective import anchoring, annealed_beta, training_loss
from macrid.model.splitting import Split


@dataclass(frozen=True)
class TrainingConfig:
    """How to train. The defaults are the authors' where their code says, ours where it is silent.

    Attributes:
        network: shapes and scales.
        epochs: upper bound; the epoch with the best validation NDCG@100 is kept.
        patience: stop after so many epochs without a better one.
        batch_size: users per update; None: an eighth of the training users, at most the authors' 500 and at least 20, so that
            a small data set gets enough updates in an epoch.
        learning_rate: of Adam.
        beta: weight of the KL once annealed.
        anneal_epochs: β reaches 1 (and before that `beta`) after so many epochs.
        averaging: decay per update of the exponential average of the weights, which is what is validated and kept; 0 for
            none, as the authors do. With few users it makes the choice of the epoch less a matter of luck.
        basis: "independent" chooses the axes of the exported model after training (see basis.py), which changes no score;
            "trained" leaves them as training did.
        anchor: how strongly an item is held to the concept it started in: the weight, per item, of the cross entropy between its
            concept weights and that concept. Items with many clicks can still move, those with few stay where their co-clicks
            put them. 0 for none; of no effect with a random start.
        initialisation: "co_clicks" starts concepts from the co-click graph (see initialisation.py), "random" as the authors do.
        seed: of everything random in training: the same seed gives the same network.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    epochs: int = 200
    patience: int = 50
    batch_size: int | None = None
    learning_rate: float = 1e-3
    beta: float = 0.2
    anneal_epochs: int = 5
    averaging: float = 0.98
    initialisation: Literal["co_clicks", "random"] = "co_clicks"
    anchor: float = 1.0
    basis: Literal["independent", "trained"] = "independent"
    seed: int = 98765


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch: its 1-based number, the mean loss, and the validation result."""

    number: int
    loss: float
    validation: Evaluation
    is_best: bool


@dataclass(frozen=True)
class Trained:
    """The network of the best epoch, the configuration with every default resolved, and every epoch's record."""

    network: MacridVAE
    config: TrainingConfig
    best_epoch: int
    history: tuple[Epoch, ...]
    interrupted: bool = False


def train(split: Split, config: TrainingConfig, on_epoch: Callable[[Epoch], None] | None = None) -> Trained:
    """Train on the split's training users; keep the epoch that ranks its validation users best.

    Ctrl-C ends training with the best epoch so far, unless there is none yet.

    Args:
        split: never looked at: `split.test`.
        config: see `TrainingConfig`.
        on_epoch: called after every epoch, for progress.

    Raises:
        TrainingError: the loss is not finite.
    """
    config = dataclasses.replace(config, batch_size=config.batch_size or default_batch_size(split.training.shape[0]))
    generator = torch.Generator().manual_seed(config.seed)
    network = MacridVAE(split.training.shape[1], config.network, generator)
    groups = None
    if config.initialisation == "co_clicks":
        groups = start_from_co_clicks(network, split.training, generator)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(config.averaging))  # type: ignore[no-untyped-call]
    optimizer.register_step_post_hook(lambda *_: averaged.update_parameters(network))
    kept = cast(MacridVAE, averaged.module)
    history: list[Epoch] = []
    best_state, best = copy.deepcopy(kept.state_dict()), -1.0
    interrupted = False
    try:
        for number in range(1, config.epochs + 1):
            loss = _train_epoch(network, optimizer, split.training, groups, config, number, generator)
            validation = evaluate(kept, split.validation)
            is_best = validation.mean("ndcg@100") > best
            if is_best:
                best_state, best = copy.deepcopy(kept.state_dict()), validation.mean("ndcg@100")
            history.append(Epoch(number, loss, validation, is_best))
            if on_epoch is not None:
                on_epoch(history[-1])
            if number - best_epoch(history) >= config.patience:
                break
    except KeyboardInterrupt:
        if not history:
            raise
        interrupted = True
    network.load_state_dict(best_state)
    return Trained(network, config, best_epoch(history), tuple(history), interrupted)


def default_batch_size(users: int) -> int:
    """Users per update when nobody says."""
    return min(500, max(20, users // 8))


def best_epoch(history: list[Epoch]) -> int:
    """Number of the last epoch that was the best so far."""
    return max(epoch.number for epoch in history if epoch.is_best)


def _train_epoch(
    network: MacridVAE,
    optimizer: torch.optim.Optimizer,
    training: sparse.csr_matrix,
    groups: torch.Tensor | None,
    config: TrainingConfig,
    number: int,
    generator: torch.Generator,
) -> float:
    """One pass over the users in random order; returns the mean loss per user."""
    assert config.batch_size is not None
    batches_per_epoch = -(-training.shape[0] // config.batch_size)
    total = 0.0
    for step, batch in enumerate(_batches(training, config.batch_size, generator)):
        updates = (number - 1) * batches_per_epoch + step
        beta = annealed_beta(config.beta, updates, config.anneal_epochs * batches_per_epoch)
        optimizer.zero_grad(set_to_none=True)
        loss = training_loss(network, batch, beta, generator).total
        if groups is not None and config.anchor:
            loss = loss + config.anchor * anchoring(network, groups) / training.shape[0]
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss.item()} in epoch {number}, update {updates + 1}; "
                f"try a learning rate below {config.learning_rate}, or a higher temperature than {config.network.temperature}"
            )
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.item() * batch.users
    return total / float(training.shape[0])


def _batches(training: sparse.csr_matrix, size: int, generator: torch.Generator) -> Iterator[Histories]:
    order = torch.randperm(training.shape[0], generator=generator).numpy()
    for at in range(0, len(order), size):
        yield Histories.from_matrix(training[order[at : at + size]])
