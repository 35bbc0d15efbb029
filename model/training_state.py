"""All that training needs to go on from where it is, and how that becomes tensors and JSON for a checkpoint and back."""

import copy
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from macrid.model.averaging import RowAverage
from macrid.model.evaluation import Evaluation
from macrid.model.network import MacridVAE
from macrid.model.sampling import ItemSampler, Sample

TABLES = ("item_embeddings", "context_embeddings")  # one row for each item


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One pass over the training users: its 1-based number, the mean loss per user, and how long its updates took.

    `of` is how many passes there will be at most.
    """

    number: int
    loss: float
    seconds: float
    users_per_second: float
    of: int


@dataclass(frozen=True, kw_only=True)
class Epoch(Pass):
    """A pass and what validation users say of the network after it."""

    validation: Evaluation
    is_best: bool


@dataclass
class TrainingState:
    """What changes while training goes on.

    Attributes:
        network: the weights that are trained.
        averaged: their exponential average.
        optimizers: with their moments: one, or one for the tables and one for the rest.
        sampler: of the items that an update looks at; None for all of them.
        generator: of everything random.
        groups: (M, K) the concept weights that items started with; None for a random start.
        epochs: finished and validated.
        best: the weights of the best of them.
        order: of the users in the pass that is under way; None between passes.
        step: updates done in it.
        total: Σ of the losses of its users so far.
        seconds: that its updates took so far.
        passes: over all users that are done.
    """

    network: MacridVAE
    averaged: AveragedModel | RowAverage
    optimizers: tuple[torch.optim.Optimizer, ...]
    generator: torch.Generator
    sampler: ItemSampler | None = None
    groups: torch.Tensor | None = None
    epochs: list[Epoch] = field(default_factory=list)
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    order: torch.Tensor | None = None
    step: int = 0
    total: float = 0.0
    seconds: float = 0.0
    passes: int = 0

    @staticmethod
    def start(
        network: MacridVAE,
        learning_rate: float,
        averaging: float,
        generator: torch.Generator,
        groups: torch.Tensor | None,
        sampler: ItemSampler | None,
    ) -> "TrainingState":
        """The state before the first update; with a sampler, updates and averages are of rows."""
        if sampler is None:
            averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(averaging))  # type: ignore[no-untyped-call]
            optimizers: tuple[torch.optim.Optimizer, ...] = (
                torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True),
            )
            return TrainingState(network, averaged, optimizers, generator, None, groups)
        tables = [weights for name, weights in network.named_parameters() if name in TABLES]
        others = [weights for name, weights in network.named_parameters() if name not in TABLES]
        optimizers = (torch.optim.SparseAdam(tables, lr=learning_rate), torch.optim.Adam(others, lr=learning_rate))
        return TrainingState(network, RowAverage(network, TABLES, averaging), optimizers, generator, sampler, groups)

    @property
    def kept(self) -> MacridVAE:
        """The network whose weights are the average: what is validated and kept."""
        if isinstance(self.averaged, RowAverage):
            self.averaged.settle_all(self.network)
        return cast(MacridVAE, self.averaged.module)

    @property
    def best_epoch(self) -> int:
        """Number of the best epoch so far; 0 when there is none."""
        return max((epoch.number for epoch in self.epochs if epoch.is_best), default=0)

    @property
    def best_value(self) -> float:
        """Its NDCG@100 on validation users; −1 when there is none."""
        return self.epochs[self.best_epoch - 1].validation.mean("ndcg@100") if self.epochs else -1.0

    def begin_pass(self, users: int) -> torch.Tensor:
        """Draw the order of the users; where a pass is under way already, it is that one's."""
        if self.order is None:
            self.order = torch.randperm(users, generator=self.generator)
            self.step, self.total, self.seconds = 0, 0.0, 0.0
        return self.order

    def take_step(self, sample: Sample | None) -> None:
        """Let the optimisers change the weights, of the sample's rows where there is one, and average them."""
        if sample is not None and isinstance(self.averaged, RowAverage):
            self.averaged.settle(self.network, sample.touched())
        for optimizer in self.optimizers:
            optimizer.step()
        self.averaged.update_parameters(self.network)

    def end_pass(self, of: int) -> Pass:
        """The record of the pass that is over."""
        assert self.order is not None
        self.passes += 1
        users, self.order = len(self.order), None
        return Pass(
            number=self.passes,
            loss=self.total / users,
            seconds=self.seconds,
            users_per_second=users / max(self.seconds, 1e-9),
            of=of,
        )

    def add(self, done: Pass, validation: Evaluation) -> Epoch:
        """Take an epoch in, and its weights when it is the best so far."""
        is_best = validation.mean("ndcg@100") > self.best_value
        if is_best:
            self.best = copy.deepcopy(self.kept.state_dict())
        self.epochs.append(Epoch(**vars(done), validation=validation, is_best=is_best))
        return self.epochs[-1]

    def to_checkpoint(self) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
        """Tensors by name, and the rest as JSON can say it; floats survive JSON to the bit."""
        tensors = {
            **_named("network", self.network.state_dict()),
            **_named("averaged", self.averaged.state_dict()),
            **_named("best", self.best),
            **_named("validation", {str(e.number): _values(e.validation) for e in self.epochs}),
            "generator": self.generator.get_state(),
        }
        for at, optimizer in enumerate(self.optimizers):
            for number, state in optimizer.state_dict()["state"].items():
                moments = {key: torch.as_tensor(value) for key, value in state.items()}
                tensors |= _named(f"optimizer/{at}/{number}", moments)
        for name in ("groups", "order"):
            if getattr(self, name) is not None:
                tensors[name] = getattr(self, name)
        epochs = [{key: value for key, value in vars(epoch).items() if key != "validation"} for epoch in self.epochs]
        numbers = {name: getattr(self, name) for name in ("step", "total", "seconds", "passes")}
        measures = list(self.epochs[0].validation.values) if self.epochs else []
        return tensors, {"epochs": epochs, "measures": measures, **numbers}

    def from_checkpoint(self, tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
        """Become the state that `to_checkpoint` told of; the network must be of the same shape."""
        self.network.load_state_dict(_below("network", tensors))
        self.averaged.load_state_dict(_below("averaged", tensors))
        self.best = _below("best", tensors)
        self.generator.set_state(tensors["generator"])
        self.groups, self.order = tensors.get("groups"), tensors.get("order")
        for at, optimizer in enumerate(self.optimizers):
            moments: dict[int, dict[str, torch.Tensor | int]] = {}
            for name, tensor in _below(f"optimizer/{at}", tensors).items():
                number, key = name.split("/")
                moments.setdefault(int(number), {})[key] = int(tensor) if tensor.dtype == torch.int64 else tensor
            optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        validations = _below("validation", tensors)
        self.epochs = [
            Epoch(**known, validation=_evaluation(about["measures"], validations[str(known["number"])]))
            for known in about["epochs"]
        ]
        for name in ("step", "total", "seconds", "passes"):
            setattr(self, name, about[name])


def _values(evaluation: Evaluation) -> torch.Tensor:
    return torch.from_numpy(np.stack(list(evaluation.values.values())))  # (measures, B) float64


def _evaluation(measures: list[str], values: torch.Tensor) -> Evaluation:
    return Evaluation(dict(zip(measures, values.numpy(), strict=True)))


def _named(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(prefix + "/")}
