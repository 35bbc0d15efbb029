"""The multinomial likelihood over all items, fused with its gradient and computed in slices of users.

Written plainly, −log p needs several passes over B·K·M floats and keeps them for the backward pass; that is where training
spends its time and memory. Here every slice of users is scored, differentiated and forgotten while it is in the cache: memory
is bounded by `SLICE_FLOATS` or, in a large catalogue, by the scores of `FEWEST_USERS`, and each exponential is taken once. A
test holds it to plain autograd. With bfloat16 factors scores stay as narrow from product to product, and slices are larger.

With weights of sampled items (sampling.py) the normaliser of a user is estimated: their own clicks count as they are, every other
sampled item by its weight. That a user's own clicks are always there keeps the estimate of p below 1. The clicks of the whole
batch could be counted as they are too, for a smaller variance, but 375 users of alishop-7c click 11,000 of its 19,000 items, and
scoring those for everybody would cost more than what sampling saves.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from macrid.model.network import Histories
from macrid.model.targets import Targets

SLICE_FLOATS = 1_000_000  # of the K·b·M scores at work at a time: 4 MB, near the size of a core's cache
# The same where scores stay narrow: products of narrow factors are so quick that what each call prepares would cost more.
SLICE_NARROW = 12_000_000
TILE = 32  # narrow factors of a length that this divides are multiplied faster
PARTS = 16  # in which narrow numbers are added
FEWEST_USERS = (
    24  # at a time where that is more: with fewer, the products read all items from memory for hardly any work
)
# Where no score is larger, positive or negative, all exponentials and their sums over millions of items keep float32's digits.
BOUNDED = 20.0
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
    user_weights: Tensor | None = None,
    targets: Targets | None = None,
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
        factors: what the matrix products take, such as bfloat16, and what scores and their exponentials stay in between them
            where none can be too large; sums and results stay as they are. None: the same.
        user_weights: (B,) what each user's part of the sum is multiplied by; None for 1.
        targets: what is asked instead of x, where all items are looked at: −Σ_u Σ_i share_{u,i} log softmax_i over the items
            that are not left out.
    """
    loss: Tensor = _FusedLikelihood.apply(  # type: ignore[no-untyped-call]
        components, unit_items, log_concepts, histories, temperature, log_weights, factors, user_weights, targets
    )
    return loss


class _FusedLikelihood(torch.autograd.Function):
    """Computes value and gradients together; backward only scales what forward has stored.

    Logarithms of concept weights are K more dimensions of an item, of which a component takes that of its concept: score_k =
    ⟨[z_k / τ, e_k], [h, log c]⟩. So two products give scores and gradients by h and log c, without a pass for each.
    """

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
        user_weights: Tensor | None,
        targets: Targets | None,
    ) -> Tensor:
        K, B, d = components.shape
        scaled = components / temperature
        bounded = _largest_score(scaled, unit_items) <= BOUNDED
        room = _Room(components, factors or components.dtype, stay_narrow=bounded)
        right, own = room.with_concepts(unit_items, log_concepts)  # (M, A), (K, A - d)
        left = torch.cat([scaled, own[:, None].expand(-1, B, -1)], dim=2)  # (K, B, A)
        grad_components, grad_right = torch.empty_like(components), unit_items.new_zeros(right.shape[1], len(right))
        loss = components.new_zeros(())
        count = torch.bincount(histories.rows, minlength=B)  # (B,)
        of_users = loss.new_ones(B) if user_weights is None else user_weights
        clicks_end = [0, *count.cumsum(0).tolist()]
        sampled = None if log_weights is None else torch.isfinite(log_weights)
        for start, end in _slices(clicks_end, K, len(unit_items), sampled, room.floats):
            clicks = slice(clicks_end[start], clicks_end[end])
            rows, items = histories.rows[clicks] - start, histories.items[clicks]
            looked_at, weights, columns = right, None, None
            if log_weights is not None and sampled is not None:
                found = sampled.index_fill(0, items, True)
                columns = found.nonzero().flatten()  # (S + those clicked in this slice,)
                items = (found.cumsum(0) - 1)[items]
                looked_at, weights = right.index_select(0, columns), log_weights[columns]
            z = left[:, start:end]  # (K, b, A)
            terms = room.scores(z.flatten(0, 1), looked_at).view(K, end - start, -1)
            w = of_users[start:end]
            if targets is not None:
                value, scale = _taught_slice(terms, targets.part(slice(start, end)), w, bounded)
            else:
                differentiate = _bounded_slice if bounded else _slice
                value, scale = differentiate(terms, rows, items, count[start:end].to(loss.dtype), w, weights)
            factor = room.narrowed_scores(terms).flatten(0, 1)  # (K·b, S)
            by_component = (factor @ looked_at).view(K, end - start, -1)  # (K, b, A), of which d are asked for
            torch.mul(by_component[..., :d], scale[:, None], out=grad_components[:, start:end])
            narrow_z = room.narrowed((z * scale[:, None]).flatten(0, 1).T.contiguous())  # (A, K·b)
            if columns is None:
                _add_product(grad_right, narrow_z, factor)
            else:
                grad_right.index_add_(1, columns, (narrow_z @ factor).to(grad_right.dtype))
            loss += value
        by_item = grad_right.T.contiguous()  # (M, A)
        ctx.save_for_backward(grad_components.div_(temperature), by_item[:, :d], by_item[:, d : d + K])
        return loss

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        grad_components, grad_items, grad_concepts = ctx.saved_tensors
        scale = grad_outputs[0]
        return grad_components * scale, grad_items * scale, grad_concepts * scale, *[None] * 6


class _Room:
    """Memory for the scores of a slice, used again for the next: fresh memory is cleared by the machine each time.

    Knows how narrow the factors of products are, and whether scores stay as narrow as their product was.
    """

    def __init__(self, like: Tensor, narrow: torch.dtype, stay_narrow: bool) -> None:
        self._scores, self._narrow = like.new_empty(0), like.new_empty(0, dtype=narrow)
        self._narrows = narrow != like.dtype
        self._widens = self._narrows and not stay_narrow

    @property
    def floats(self) -> int:
        """How many scores there should be at a time."""
        return SLICE_NARROW if self._narrows and not self._widens else SLICE_FLOATS

    def with_concepts(self, items: Tensor, log_concepts: Tensor) -> tuple[Tensor, Tensor]:
        """[h, log c], (M, A), and what chooses each concept's log c when it stands beside a component, (K, A - d).

        Narrowed, they have zeros behind them that fill the last tile.
        """
        columns, own = torch.cat([items, log_concepts], dim=1), torch.eye(log_concepts.shape[1]).to(items)
        filled = -columns.shape[1] % TILE if self._narrows else 0
        return pad(self.narrowed(columns), (0, filled)), pad(own, (0, filled))

    def scores(self, z: Tensor, items: Tensor) -> Tensor:
        """⟨z, item⟩, (K·b, S), of (K·b, A) and of items `with_concepts`, (S, A)."""
        size = len(z) * len(items)
        if size > len(self._narrow):
            self._narrow = self._narrow.new_empty(size)
            self._scores = self._scores.new_empty(size if self._widens else 0)
        scores = torch.mm(self.narrowed(z), items.T, out=self._narrow[:size].view(len(z), len(items)))
        return self._scores[:size].view_as(scores).copy_(scores) if self._widens else scores

    def narrowed(self, factor: Tensor) -> Tensor:
        """A factor of a product, as it is taken."""
        return factor.to(self._narrow.dtype)

    def narrowed_scores(self, scores: Tensor) -> Tensor:
        """What has been made of `scores`, as a factor."""
        return self._narrow[: scores.numel()].view_as(scores).copy_(scores) if self._widens else scores


def _largest_score(scaled: Tensor, items: Tensor) -> float:
    """What no ⟨z, h⟩ / τ exceeds: the product of the largest lengths; 0 where there are no users."""
    if not scaled.shape[1]:
        return 0.0
    return float(torch.linalg.vector_norm(scaled, dim=2).max() * torch.linalg.vector_norm(items, dim=1).max())


def _bounded_slice(
    scores: Tensor, rows: Tensor, items: Tensor, n: Tensor, w: Tensor, log_weights: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """As `_slice`, where no exponential of a score can be too large or too small for its sums: half as many passes.

    With the terms t_k = c_k exp(⟨z_k, h⟩ / τ), times an item's weight, and Z their sum over all items of a user, the derivative
    by a score is w (n t_k / Z − x t_k / Σ_k t_k): but for what was clicked, a term times one number of the user's.
    """
    terms = scores.exp_()
    by_user = terms.view(len(terms), -1)  # (K, b·M)
    at = rows * terms.shape[2] + items
    clicked = by_user.index_select(1, at)  # (K, nnz)
    if log_weights is not None:
        terms.mul_(log_weights.exp().to(terms.dtype))
        by_user.index_copy_(1, at, clicked)
    normaliser = _sums(terms, n.dtype).sum(dim=0)  # (b,)
    of_clicked = clicked.sum(dim=0, dtype=n.dtype)
    scale = w * n / normaliser
    by_user.index_copy_(1, at, clicked.mul_(1 - w[rows] / (of_clicked * scale[rows])))
    return (w * n) @ normaliser.log() - w[rows] @ of_clicked.log(), scale


def _sums(terms: Tensor, dtype: torch.dtype) -> Tensor:
    """Sums over the last dimension of (K, b, S), of this type: (K, b). A narrow sum is narrow, so it is taken in parts."""
    if terms.dtype == dtype:
        return terms.sum(dim=2)
    return sum(
        (part.sum(dim=2).to(dtype) for part in terms.chunk(PARTS, dim=2)), start=terms.new_zeros((), dtype=dtype)
    )


def _slice(
    scores: Tensor, rows: Tensor, items: Tensor, n: Tensor, w: Tensor, log_weights: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The loss of b users with n clicks and weights w from their scores, (K, b, M), which are replaced.

    Returns:
        The loss, and (b,) numbers that, times what the scores are replaced by, are its derivative by what they were.
    """
    largest = scores.amax(dim=0)  # (b, M)
    total = scores.sub_(largest).exp_().sum(dim=0)  # (b, M); scores now hold the terms of the sum over k
    log_scores = total.log().add_(largest)
    clicked = log_scores[rows, items]
    if log_weights is not None:
        log_scores.add_(log_weights)
        log_scores[rows, items] = clicked
    normaliser = log_scores.logsumexp(dim=1)  # (b,)
    slope = log_scores.sub_(normaliser[:, None]).exp_().mul_((w * n)[:, None])  # w (n·softmax − x): (b, M)
    slope.index_put_((rows, items), -w[rows], accumulate=True)
    scores.mul_(slope.div_(total))
    return (w * n) @ normaliser - w[rows] @ clicked, torch.ones_like(n)


def _taught_slice(scores: Tensor, targets: Targets, w: Tensor, bounded: bool) -> tuple[Tensor, Tensor]:
    """As `_slice`, for targets of every item. Where scores are bounded no maximum is taken first."""
    largest = scores.new_zeros(()) if bounded else scores.amax(dim=0)
    terms = (scores if bounded else scores.sub_(largest)).exp_()  # (K, b, M)
    total = terms[0].to(w.dtype, copy=True)  # (b, M)
    for of_concept in terms[1:]:
        total += of_concept
    log_scores = total.log().add_(largest)
    found = torch.linalg.vecdot(targets.shares, log_scores)  # (b,)
    log_scores[targets.left_out.rows, targets.left_out.items] = -torch.inf
    mass, normaliser = targets.shares.sum(dim=1), log_scores.logsumexp(dim=1)
    slope = log_scores.sub_(normaliser[:, None]).exp_().mul_(mass[:, None]).sub_(targets.shares).mul_(w[:, None])
    terms.mul_(slope.div_(total).to(terms.dtype))
    return w @ (mass * normaliser - found), torch.ones_like(w)


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add a product of factors that may be narrower than the total."""
    if left.dtype == total.dtype:
        total.addmm_(left, right)
    else:
        total.add_(left @ right)


def _slices(
    clicks_end: list[int], concepts: int, items: int, sampled: Tensor | None, floats: int
) -> Iterator[tuple[int, int]]:
    """First and last + 1 of the users of each slice, of about so many scores."""
    users, start = len(clicks_end) - 1, 0
    if sampled is None:
        step = max(FEWEST_USERS, floats // (concepts * items))
        yield from ((start, min(start + step, users)) for start in range(0, users, step))
        return
    samples = int(sampled.sum())
    most_clicks = max(FEWEST_CLICKS, CLICKS_BESIDE_SAMPLES * samples)
    most_users = max(1, int(floats / (concepts * (samples + most_clicks))))
    while start < users:
        end = start + 1
        while end < min(start + most_users, users) and clicks_end[end + 1] - clicks_end[start] <= most_clicks:
            end += 1
        yield start, end
        start = end
