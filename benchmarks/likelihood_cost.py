"""What the likelihood and its gradient cost: in float32, with factors of products in bfloat16, and through torch.compile.

python -m benchmarks.likelihood_cost [--items 3400 20000 100000] [--users 500] [--turns 5]

A batch of generated users with 60 clicks each, K = 7, d = 100; `bf16` is --precision bf16, `scores of any size` is what is done
where scores are not known to be small, `compiled` is torch.compile on the passes between the products, `what fits the cache` is
without FEWEST_USERS. The ways are measured in turns, after one that is not counted, in which torch.compile compiles; of each the
median is told, in seconds of the process. Also told: how far the loss and the gradients are from those of double precision, as a
share of the gradient's norm.
"""

import argparse
import time
from collections.abc import Callable
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.machine import describe
from macrid.model import likelihood
from macrid.model.network import Histories

SEED, K, D, CLICKS, TEMPERATURE = 98765, 7, 100, 60, 0.1
Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[3_400, 20_000, 100_000])
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{describe()}, {torch.get_num_threads()} thread; seed {SEED}; K = {K}, d = {D}, {CLICKS} clicks\n")
    print(
        "| items | users | way | ms for 100 users | of float32 | loss off by | gradients off by |\n" + "|---" * 7 + "|"
    )
    for items in arguments.items:
        users = max(8, min(arguments.users, 20_000_000 // items))
        measure(items, users, arguments.turns)


def measure(items: int, users: int, turns: int) -> None:
    """Print the rows of one size."""
    inputs, histories = generated(items, users)
    exact, gradients = evaluated([each.double() for each in inputs], histories, None)
    seconds: dict[str, list[float]] = {}
    off: dict[str, tuple[float, float]] = {}
    compiled = torch.compile(likelihood._bounded_slice, dynamic=True)
    ways: dict[str, Callable[[], tuple[float, list[torch.Tensor]]]] = {
        "float32": lambda: evaluated(inputs, histories, None),
        "bf16": lambda: evaluated(inputs, histories, torch.bfloat16),
        "float32, scores of any size": lambda: patched("BOUNDED", 0.0, inputs, histories),
        "float32, compiled": lambda: patched("_bounded_slice", compiled, inputs, histories),
    }
    if likelihood.FEWEST_USERS * K * items > likelihood.SLICE_FLOATS:
        ways["float32, what fits the cache"] = lambda: patched("FEWEST_USERS", 1, inputs, histories)
    for _ in range(turns + 1):
        for way, run in ways.items():
            began = time.process_time()
            loss, found = run()
            seconds.setdefault(way, []).append(time.process_time() - began)
            distances = [float((f - g).norm() / g.norm()) for f, g in zip(found, gradients, strict=True)]
            off[way] = (abs(loss / exact - 1), max(distances))
    medians = {way: float(np.median(taken[1:])) for way, taken in seconds.items()}
    for way, median in medians.items():
        cells = (
            f"{1e5 * median / users:.1f} | {median / medians['float32']:.2f} | {off[way][0]:.1e} | {off[way][1]:.1e}"
        )
        print(f"| {items:,} | {users} | {way} | {cells} |", flush=True)


def patched(name: str, value: object, inputs: Inputs, histories: Histories) -> tuple[float, list[torch.Tensor]]:
    """The same with something else in the likelihood."""
    with mock.patch.object(likelihood, name, value):
        return evaluated(inputs, histories, None)


def evaluated(
    inputs: Inputs | list[torch.Tensor], histories: Histories, factors: torch.dtype | None
) -> tuple[float, list[torch.Tensor]]:
    """Loss and gradients."""
    tensors = [each.clone().requires_grad_() for each in inputs]
    loss = likelihood.negative_log_likelihood(*tensors, histories, TEMPERATURE, factors=factors)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item(), [each.grad for each in tensors if each.grad is not None]


def generated(items: int, users: int) -> tuple[Inputs, Histories]:
    """Components, unit items, log concepts, and histories."""
    generator = torch.Generator().manual_seed(SEED)
    z = F.normalize(torch.randn(K, users, D, generator=generator), dim=2)
    h = F.normalize(torch.randn(items, D, generator=generator), dim=1)
    log_concepts = torch.randn(items, K, generator=generator).log_softmax(dim=1)
    clicked = torch.stack([torch.randperm(items, generator=generator)[:CLICKS] for _ in range(users)]).flatten()
    return (z, h, log_concepts), Histories(clicked, torch.arange(users).repeat_interleave(CLICKS), users)


if __name__ == "__main__":
    main()
