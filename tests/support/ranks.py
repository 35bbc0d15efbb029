"""What each process of tests/model/test_ranks.py does: train with the other, and write down what it found."""

import dataclasses
import os
import signal
from pathlib import Path

import numpy as np
import torch

from macrid.model import training
from macrid.model.checkpoint import Checkpoints
from macrid.model.errors import RanksError
from macrid.model.network import Histories
from macrid.model.ranks import ALONE, Ranks, joined
from tests.support.groups import CONFIG, groups_split

EPOCHS = 2
CONFIGS = {
    "all items": dataclasses.replace(CONFIG, epochs=EPOCHS),
    "sampled": dataclasses.replace(CONFIG, epochs=EPOCHS, samples=25),
    "taught": dataclasses.replace(CONFIG, epochs=EPOCHS, teacher=0.5, balance=0.5),
    "without noise": dataclasses.replace(
        CONFIG,
        epochs=EPOCHS,
        initialisation="random",
        network=dataclasses.replace(CONFIG.network, keep_probability=1.0, prior_std=1e-12),
    ),
}
BATCHES = (7, 1)  # users: of unequal parts, and one with none for the first process


def found(name: str, ranks: Ranks = ALONE) -> dict[str, np.ndarray]:
    """Gradients of two batches and the outcome of a training, by name."""
    split, config = groups_split(), CONFIGS[name]
    state, _ = training._begin(split.training, training.resolved(config, *split.training.shape), None, "", None, ranks)
    figures = {}
    for users in BATCHES:
        asked = training._question(split.training, config).of_users(torch.arange(users))
        losses = training._update(state, Histories.from_matrix(split.training[:users]), config, 1, users, ranks, asked)
        figures[f"loss of {users}"] = np.array(losses)
        for weights, value in state.network.named_parameters():
            figures[f"gradient of {users}: {weights}"] = value.grad.to_dense().numpy().copy()
    trained = training.train(split, config, ranks=ranks)
    return figures | outcome(trained)


def outcome(trained: training.Trained) -> dict[str, np.ndarray]:
    """Losses, validation users' values, the best epoch and its weights."""
    return {
        "losses": np.array([epoch.loss for epoch in trained.history]),
        "validation": np.array([epoch.validation.values["ndcg@100"] for epoch in trained.history]),
        "best epoch": np.array(trained.best_epoch),
        **{f"weights: {name}": value.numpy() for name, value in trained.network.state_dict().items()},
    }


def work(folder: Path, environment: dict[str, str]) -> None:
    """Everything, one after the other; the last thing is a training in which the other process is lost."""
    os.environ.update(environment)
    torch.set_num_threads(1)
    with joined() as ranks:
        for name in CONFIGS:
            np.savez(folder / f"{name} {ranks.rank}.npz", **found(name, ranks))
        short = dataclasses.replace(CONFIGS["all items"], epochs=EPOCHS - 1)
        checkpoints = Checkpoints(folder / "state.npz") if ranks.rank == 0 else Checkpoints(folder / "none.npz")
        training.train(groups_split(), short, checkpoints=checkpoints, ranks=ranks)
        try:
            training.train(groups_split(), dataclasses.replace(CONFIG, seed=ranks.rank), ranks=ranks)
        except RanksError as error:
            (folder / f"error {ranks.rank}").write_text(str(error))
            if ranks.rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
