"""The multinomial likelihood over all items, fused with its gradient and computed in slices of users.

Written plainly, −log p needs several passes over B·K·M floats and keeps them for the backward pass; that is where training
spends its time and memory. Here every slice of users is scored, differentiated and forgotten while it is in the cache: memory
is bounded by `SLICE_FLOATS` or, in a large catalogue, by the scores of `FEWEST_USERS`, and each exponential is taken once. A
test holds it to plain autograd.

With weights of sampled items (sampling.py) the normaliser of a user is estimated: their own clicks count as they are, every other
sampled item by its weight. That a user's own clicks are always there keeps the estimate of p below 1. The clicks of the whole
batch could be counted as they are too, for a smaller variance, but 375 users of alishop-7c click 11,000 of its 19,000 items, and
scoring those for everybody would cost more than what sampling saves.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from macrid.model.network import Histories

SLICE_FLOATS = 1_000_000  # of the K·b·M scores at work at a time: 4 MB, near the size of a core's cache
FEWEST_USERS = (
    8  # at a time where that is more: with fewer, the products read all items from memory for hardly any work
)
# Clicks of a slice for each sampled item, at most: they are scored for all its users, in vain for most.
CLICKS_BESIDE_SAMPLES = 0.25
FEWEST_CLICKS = 500  # of a slice, whatever the samples: smaller products cost more to call than to compute


def negative_log_likelihood(
    components: Tensor,
    unit_items: Tensor,
    log_concepts: Tensor,
    histories: Histories,
    temperature: float,
    log_weights: Tensor | None = None,
    factors: torch.dtype | None = None,
) -> Tensor:
    """−Σ_u Σ_{i in x_u} log softmax_i( log Σ_k c_{i,k} exp(⟨z_k, h_i⟩ / τ) ), a scalar summed over the batch, eq. (1)-(2).

    Args:
        components: z, (K, B, d), unit vectors.
        unit_items: h, (M, d), unit rows; or of R items, those clicked among them.
        log_concepts: log C, (M, K) or (R, K).
        histories: x, the clicks of the B users, as rows of `unit_items`.
        temperature: τ.
        log_weights: None where `unit_items` are all items. Otherwise (R,): logarithm of the weight with which an item counts
            in the normaliser of a user who has not clicked it, −inf for not at all.
        factors: what the matrix products take, such as bfloat16; sums, exponentials and results stay as they are. None: the same.
    """
    loss: Tensor = _FusedLikelihood.apply(  # type: ignore[no-untyped-call]
        components, unit_items, log_concepts, histories, temperature, log_weights, factors
    )
    return loss


class _FusedLikelihood(torch.autograd.Function):
    """Computes value and gradients together; backward only scales what forward has stored."""

    @staticmethod
    def forward(
        ctx: Any,
        components: Tensor,
        unit_items: Tensor,
        log_concepts: Tensor,
        histories: Histories,
        temperature: float,
        log_weights: Tensor | None,
        factors: torch.dtype | None,
    ) -> Tensor:
        K, B, d = components.shape
        narrow = components.dtype if factors is None else factors
        scaled = (components / temperature).to(narrow)
        narrow_items = unit_items.to(narrow)
        by_concept = log_concepts.T.contiguous()  # (K, M)
        grad_components = torch.empty_like(components)
        grad_items, grad_concepts = torch.zeros_like(unit_items), torch.zeros_like(by_concept)
        loss = components.new_zeros(())
        count = torch.bincount(histories.rows, minlength=B)  # (B,)
        clicks_end = [0, *count.cumsum(0).tolist()]
        sampled = None if log_weights is None else torch.isfinite(log_weights)
        for start, end in _slices(clicks_end, K, len(unit_items), sampled):
            clicks = slice(clicks_end[start], clicks_end[end])
            rows, items = histories.rows[clicks] - start, histories.items[clicks]
            z = scaled[:, start:end].reshape(-1, d)  # (K·b, d)
            n = count[start:end].to(loss.dtype)
            if log_weights is None or sampled is None:
                value, slopes = _slice(z, narrow_items, by_concept, rows, items, n)
                flat = slopes.view(len(z), -1).to(narrow)
                grad_components[:, start:end] = (flat @ narrow_items).view(K, -1, d)
                _add_product(grad_items, flat.T, z)
                grad_concepts.add_(slopes.sum(dim=1))
            else:
                looked_at = sampled.index_fill(0, items, True)
                columns = looked_at.nonzero().flatten()  # (S + those clicked in this slice,)
                items = (looked_at.cumsum(0) - 1)[items]
                h, concepts = narrow_items.index_select(0, columns), by_concept.index_select(1, columns)
                value, slopes = _slice(z, h, concepts, rows, items, n, log_weights[columns])
                flat = slopes.view(len(z), -1).to(narrow)
                grad_components[:, start:end] = (flat @ h).view(K, -1, d)
                grad_items.index_add_(0, columns, (flat.T @ z).to(grad_items.dtype))
                grad_concepts.index_add_(1, columns, slopes.sum(dim=1))
            loss += value
        ctx.save_for_backward(grad_components.div_(temperature), grad_items, grad_concepts.T)
        return loss

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None, None]:
        grad_components, grad_items, grad_concepts = ctx.saved_tensors
        scale = grad_outputs[0]
        return grad_components * scale, grad_items * scale, grad_concepts * scale, None, None, None, None


def _slice(
    z: Tensor,
    unit_items: Tensor,
    by_concept: Tensor,
    rows: Tensor,
    items: Tensor,
    n: Tensor,
    log_weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The loss of b users, z (K·b, d) divided by τ, and its derivative by the scores, (K, b, M)."""
    products = (z @ unit_items.T).to(by_concept.dtype)
    scores = products.view(len(by_concept), -1, len(unit_items)).add_(by_concept[:, None])  # (K, b, M)
    largest = scores.amax(dim=0)  # (b, M)
    total = scores.sub_(largest).exp_().sum(dim=0)  # (b, M); scores now hold the terms of the sum over k
    log_scores = total.log().add_(largest)
    clicked = log_scores[rows, items]
    if log_weights is not None:
        log_scores.add_(log_weights)
        log_scores[rows, items] = clicked
    normaliser = log_scores.logsumexp(dim=1)  # (b,)
    slope = log_scores.sub_(normaliser[:, None]).exp_().mul_(n[:, None])  # n·softmax − x: (b, M)
    slope.index_put_((rows, items), slope.new_tensor(-1.0), accumulate=True)
    return n @ normaliser - clicked.sum(), scores.mul_(slope.div_(total))


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add a product of factors that may be narrower than the total."""
    if left.dtype == total.dtype:
        total.addmm_(left, right)
    else:
        total.add_(left @ right)


def _slices(clicks_end: list[int], concepts: int, items: int, sampled: Tensor | None) -> Iterator[tuple[int, int]]:
    """First and last + 1 of the users of each slice."""
    users, start = len(clicks_end) - 1, 0
    if sampled is None:
        step = max(FEWEST_USERS, SLICE_FLOATS // (concepts * items))
        yield from ((start, min(start + step, users)) for start in range(0, users, step))
        return
    samples = int(sampled.sum())
    most_clicks = max(FEWEST_CLICKS, CLICKS_BESIDE_SAMPLES * samples)
    most_users = max(1, int(SLICE_FLOATS / (concepts * (samples + most_clicks))))
    while start < users:
        end = start + 1
        while end < min(start + most_users, users) and clicks_end[end + 1] - clicks_end[start] <= most_clicks:
            end += 1
        yield start, end
        start = end
