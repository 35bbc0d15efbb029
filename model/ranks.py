"""Training in several processes, its users shared out among them: the only file that knows torch.distributed.

Every process has all the data, the whole model and the same random generator. It draws what one process would draw for the
whole batch (the order of the users, the items, the concepts, the noise) and keeps what is of its own users. The sum of the
processes' gradients is then that of one process, but for rounding: how many there are is no setting of the training, and a
checkpoint goes on with another number of them. All see the same figures, so all stop at the same epoch without a word. The
price is that each draws the noise of everybody: a few per cent of an update (docs/training.md).
"""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn

from macrid.model.errors import RanksError

PATIENCE = timedelta(minutes=30)  # for another process, which may be cutting a large graph or inverting EASE's matrix
SET_BY_TORCHRUN = ("RANK", "MASTER_ADDR", "MASTER_PORT")


class Kept(Protocol):
    """What training has and changes, as tensors by name and JSON; see `TrainingState`."""

    def to_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, object]]: ...  # noqa: D102
    def from_checkpoint(self, tensors: dict[str, Tensor], about: dict[str, Any]) -> None: ...  # noqa: D102


class Ranks(Protocol):
    """This process among those that train together: its number, from 0, and how many they are."""

    @property
    def rank(self) -> int:
        """The first is 0; it alone prints and writes."""

    @property
    def size(self) -> int:
        """How many processes there are."""

    def part(self, users: int) -> slice | None:
        """Which of so many users are ours; None for all of them."""

    def total(self, value: Tensor) -> float:
        """Σ of a scalar over the processes, the same number in each."""

    def add_gradients(self, network: nn.Module) -> None:
        """Replace the gradient of every parameter by its sum over the processes."""

    def stitch(self, values: Tensor, part: slice, users: int) -> Tensor:
        """Everybody's columns together: ours, (n, those of `part`), -> (n, users), the same in each process."""

    def start_alike(self, state: Kept, settings: Mapping[str, object]) -> None:
        """Give every process the state of the first.

        Raises:
            RanksError: this process has other settings or data than the first.
        """


class Alone:
    """One process: nothing to share, nothing to say."""

    rank, size = 0, 1

    def part(self, users: int) -> None:
        """All of them."""

    def total(self, value: Tensor) -> float:
        """The value."""
        return value.item()

    def add_gradients(self, network: nn.Module) -> None:
        """They are complete."""

    def stitch(self, values: Tensor, part: slice, users: int) -> Tensor:
        """They are complete."""
        return values

    def start_alike(self, state: Kept, settings: Mapping[str, object]) -> None:
        """There is nobody else."""


class Group:
    """One of several processes that torch.distributed has brought together."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def part(self, users: int) -> slice:
        """Consecutive ones; the parts differ by one user at most, and may be empty."""
        return slice(users * self.rank // self.size, users * (self.rank + 1) // self.size)

    def total(self, value: Tensor) -> float:
        """Added in double precision."""
        summed = value.detach().double().reshape(1)
        self._add(summed)
        return summed.item()

    def add_gradients(self, network: nn.Module) -> None:
        """Sparse ones are of the same rows in every process, those of the sample, so only the rows travel."""
        for weights in network.parameters():
            if weights.grad is None:
                continue
            if weights.grad.is_sparse:
                weights.grad = weights.grad.coalesce()
                self._add(weights.grad.values())
            else:
                self._add(weights.grad)

    def stitch(self, values: Tensor, part: slice, users: int) -> Tensor:
        """Others' columns are 0 here, and ours there."""
        whole = values.new_zeros(len(values), users)
        whole[:, part] = values
        self._add(whole)
        return whole

    def start_alike(self, state: Kept, settings: Mapping[str, object]) -> None:
        """The first sends its settings, for comparison, and then its state, tensor by tensor, as bytes."""
        tensors, about = state.to_checkpoint()
        said = {"settings": dict(settings), "about": about, "tensors": {name: _kind(t) for name, t in tensors.items()}}
        first = self._header(json.dumps(said, allow_nan=False))
        self._refuse_others(first["settings"], json.loads(json.dumps(dict(settings))))
        if self.rank:
            tensors = {name: _empty(*kind) for name, kind in first["tensors"].items()}
        for tensor in tensors.values():
            if tensor.numel():
                with self._others():
                    dist.broadcast(tensor.detach().reshape(-1).view(torch.uint8), src=0)
        if self.rank:
            state.from_checkpoint(tensors, first["about"])

    def _header(self, text: str) -> Any:
        """The first's JSON."""
        content = torch.tensor(list(text.encode()), dtype=torch.uint8)
        length = torch.tensor([len(content)])
        with self._others():
            dist.broadcast(length, src=0)
            content = content if self.rank == 0 else torch.empty(int(length), dtype=torch.uint8)
            dist.broadcast(content, src=0)
        return json.loads(bytes(content.tolist()))

    def _refuse_others(self, first: dict[str, object], ours: dict[str, object]) -> None:
        for name in sorted(first.keys() | ours.keys()):
            if first.get(name) != ours.get(name):
                raise RanksError(
                    f"{name} is {ours.get(name)!s:.80} in process {self.rank} on {socket.gethostname()} and "
                    f"{first.get(name)!s:.80} in process 0; start all processes with the same command on the same data"
                )

    def _add(self, values: Tensor) -> None:
        with self._others():
            dist.all_reduce(values)

    @contextmanager
    def _others(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # torch's DistError and what gloo throws are both
            raise RanksError(
                f"process {self.rank} of {self.size} on {socket.gethostname()} lost another one, so training ends here and "
                f"nothing is written; what that one said is the reason. ({str(error).splitlines()[0]:.200})"
            ) from error


ALONE = Alone()


@contextmanager
def joined(environment: Mapping[str, str] = os.environ) -> Iterator[Ranks]:
    """Meet the other processes that torchrun has started, if it has, and leave them at the end.

    Raises:
        RanksError: the environment tells of several processes but not how to meet them, or they cannot be met.
    """
    size = _number(environment, "WORLD_SIZE", at_least=1) if "WORLD_SIZE" in environment else 1
    if size == 1:
        yield ALONE
        return
    _check(environment, size)
    try:
        dist.init_process_group("gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise RanksError(
            f"process {environment['RANK']} of {size} could not meet the others at {environment['MASTER_ADDR']}:"
            f"{environment['MASTER_PORT']}: {str(error).splitlines()[0]:.200}"
        ) from error
    try:
        yield Group()
    finally:
        dist.destroy_process_group()


def _check(environment: Mapping[str, str], size: int) -> None:
    missing = [name for name in SET_BY_TORCHRUN if not environment.get(name)]
    if missing:
        raise RanksError(
            f"WORLD_SIZE is {size} but {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set; start the processes "
            "with torchrun, which sets them all, or unset WORLD_SIZE to train in one"
        )
    if _number(environment, "RANK", at_least=0) >= size:
        raise RanksError(f"RANK is {environment['RANK']}, expected 0 to {size - 1}, as WORLD_SIZE is {size}")
    _number(environment, "MASTER_PORT", at_least=1)


def _number(environment: Mapping[str, str], name: str, at_least: int) -> int:
    text = environment[name]
    if not (text.isascii() and text.isdigit() and int(text) >= at_least):
        raise RanksError(f"{name} is {text!r:.80}, expected a whole number of at least {at_least}")
    return int(text)


def _kind(tensor: Tensor) -> tuple[str, list[int]]:
    return str(tensor.dtype).removeprefix("torch."), list(tensor.shape)


def _empty(dtype: str, shape: list[int]) -> Tensor:
    return torch.empty(shape, dtype=getattr(torch, dtype))
