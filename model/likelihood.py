"""The multinomial likelihood over all items, fused with its gradient and computed in slices of users.

Written plainly, −log p needs several passes over B·K·M floats and keeps them for the backward pass; that is where training
spends its time and memory. Here every slice of users is scored, differentiated and forgotten while it is in the cache:
memory is bounded by `SLICE_FLOATS`, and each exponential is taken once. A test holds it to plain autograd.
"""

from typing import Any

import torch
from torch import Tensor

from macrid.model.network import Histories

SLICE_FLOATS = 1_000_000  # of the K·b·M scores at work at a time: 4 MB, near the size of a core's cache


def negative_log_likelihood(
    components: Tensor, unit_items: Tensor, log_concepts: Tensor, histories: Histories, temperature: float
) -> Tensor:
    """−Σ_u Σ_{i in x_u} log softmax_i( log Σ_k c_{i,k} exp(⟨z_k, h_i⟩ / τ) ), a scalar summed over the batch, eq. (1)-(2).

    Args:
        components: z, (K, B, d), unit vectors.
        unit_items: h, (M, d), unit rows.
        log_concepts: log C, (M, K).
        histories: x, the clicks of the B users.
        temperature: τ.
    """
    loss: Tensor = _FusedLikelihood.apply(  # type: ignore[no-untyped-call]
        components, unit_items, log_concepts, histories, temperature
    )
    return loss


class _FusedLikelihood(torch.autograd.Function):
    """Computes value and gradients together; backward only scales what forward has stored."""

    @staticmethod
    def forward(
        ctx: Any, components: Tensor, unit_items: Tensor, log_concepts: Tensor, histories: Histories, temperature: float
    ) -> Tensor:
        K, B, d = components.shape
        M = len(unit_items)
        users = max(1, SLICE_FLOATS // (K * M))
        scaled = components / temperature
        by_concept = log_concepts.T.contiguous()  # (K, M)
        grad_components = torch.empty_like(components)
        grad_items, grad_concepts = torch.zeros_like(unit_items), torch.zeros_like(by_concept)
        loss = components.new_zeros(())
        count = torch.bincount(histories.rows, minlength=B)  # (B,)
        clicks_end = [0, *count.cumsum(0).tolist()]
        for start in range(0, B, users):
            end = min(start + users, B)
            clicks = slice(clicks_end[start], clicks_end[end])
            rows, items = histories.rows[clicks] - start, histories.items[clicks]
            z = scaled[:, start:end].reshape(-1, d)  # (K·b, d)
            scores = (z @ unit_items.T).view(K, -1, M).add_(by_concept[:, None])  # (K, b, M)
            largest = scores.amax(dim=0)  # (b, M)
            total = scores.sub_(largest).exp_().sum(dim=0)  # (b, M); scores now hold the terms of the sum over k
            log_scores = total.log().add_(largest)
            normaliser = log_scores.logsumexp(dim=1)  # (b,)
            n = count[start:end].to(normaliser.dtype)
            loss += n @ normaliser - log_scores[rows, items].sum()
            slope = log_scores.sub_(normaliser[:, None]).exp_().mul_(n[:, None])  # n·softmax − x: (b, M)
            slope.index_put_((rows, items), slope.new_tensor(-1.0), accumulate=True)
            scores.mul_(slope.div_(total))  # d loss / d scores, (K, b, M)
            flat = scores.view(-1, M)
            grad_components[:, start:end] = (flat @ unit_items).view(K, -1, d)
            grad_items.addmm_(flat.T, z)
            grad_concepts.add_(scores.sum(dim=1))
        ctx.save_for_backward(grad_components.div_(temperature), grad_items, grad_concepts.T)
        return loss

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        grad_components, grad_items, grad_concepts = ctx.saved_tensors
        scale = grad_outputs[0]
        return grad_components * scale, grad_items * scale, grad_concepts * scale, None, None
