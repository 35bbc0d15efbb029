"""Weighted sums of a table's rows, one bag for each concept of each user, and their gradients.

PyTorch's own gradient by the table sorts every click of every concept. Here the clicks are sorted once, by item, and the
gradient by the table is again a sum over bags: those of the items.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def weighted_sums(table: Tensor, weights: Tensor, items: Tensor, rows: Tensor, users: int) -> Tensor:
    """Σ_e weight_{e,k} · table_{item e} over the clicks e of each user, for every concept.

    Args:
        table: (R, d).
        weights: (E, K), a click's weight for each concept.
        items: (E,) int64, rows of the table.
        rows: (E,) int64 ascending, the clicks' users.
        users: B.

    Returns:
        (K·B, d), with gradients by table and weights.
    """
    clicks, concepts = weights.shape
    starts = torch.searchsorted(rows, torch.arange(users, device=rows.device))  # (B,)
    offsets = torch.arange(concepts, device=rows.device)[:, None] * clicks + starts  # (K, B)
    # The table is detached: what PyTorch differentiates here is the weights.
    sums = F.embedding_bag(
        items.repeat(concepts), table.detach(), offsets.flatten(), mode="sum", per_sample_weights=weights.T.flatten()
    )
    by_table: Tensor = _ByTable.apply(sums, table, weights.detach(), items, rows)  # type: ignore[no-untyped-call]
    return by_table


class _ByTable(torch.autograd.Function):
    """Hands sums on as they are, and adds their gradient by the table."""

    @staticmethod
    def forward(ctx: Any, sums: Tensor, table: Tensor, weights: Tensor, items: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(weights, items, rows)
        ctx.table_rows = len(table)
        return sums.view_as(sums)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        (grad,) = grad_outputs
        weights, items, rows = ctx.saved_tensors
        concepts, users = weights.shape[1], len(grad) // weights.shape[1]
        by_item = items.argsort(stable=True)
        clicks = torch.bincount(items, minlength=ctx.table_rows)  # (R,)
        bags = rows[by_item][:, None] + torch.arange(concepts, device=rows.device) * users  # (E, K), rows of grad
        grad_table = F.embedding_bag(
            bags.flatten(),
            grad.contiguous(),
            (clicks.cumsum(0) - clicks) * concepts,
            mode="sum",
            per_sample_weights=weights[by_item].flatten(),
        )
        return grad, grad_table, None, None, None
