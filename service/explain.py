"""Why an item stands in a ranking: its concepts' shares, the clicks that speak for it, the dimensions that agree.

    concept_shares         of an item's score, which part each concept contributes              exact
    click_contributions    what its score would lose without one click, the rest re-encoded     leave-one-out, batched
    agreements             the parts of the inner product of component and item                 exact

A click's contribution is score(history) − score(history without it): what this model would say had the click not
happened. It is not a cause, nor a share: contributions do not sum to the score, and of two clicks on nearly equal items
each may contribute little because the other says the same. Anyone can reproduce one with two calls of the encoder. Pure
numpy on arrays of a bundle; knows neither HTTP nor the catalogue.
"""

from dataclasses import dataclass

import numpy as np

from macrid.service.arrays import Float32Array, Float64Array, Int64Array
from macrid.service.encoder import SHORTEST, Encoder
from macrid.service.ranking.scores import log_sum_exp

# Re-encoding costs d² per click and concept. A history of more than twice this many clicks is screened first, see
# `most_telling`; below that the screening would cost as much as it saves (150 clicks: 2.7 ms all, 3.8 ms screened; 300
# clicks: 7 ms all, 4.4 ms screened; 1,900 clicks: 34 ms all, 13 ms screened; 20 items, K = 7, d = 100, one core).
CLICKS_REENCODED = 100
# Items whose scores without each click are held at a time: bounds the working memory of an answer of 1,000 items.
ITEMS_AT_ONCE = 64
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Target:
    """The items to explain, in the arrays that every part of an explanation needs.

    Attributes:
        rows: (L, d) float64, their embeddings.
        log_weights: (K, L) float64, log ω_k c_{i,k}; −inf where a concept is muted.
        temperature: τ.
    """

    rows: Float64Array
    log_weights: Float64Array
    temperature: float

    @staticmethod
    def of(
        items: Float32Array, prototypes: Float32Array, temperature: float, concept_weights: Float64Array | None = None
    ) -> "Target":
        """Prepare items: (L, d), with prototypes (K, d) and the weights ω (K,) of the concepts, 1 when None."""
        rows = items.astype(np.float64)
        affinities = rows @ prototypes.astype(np.float64).T / temperature  # (L, K)
        log_weights = np.ascontiguousarray((affinities - log_sum_exp(affinities)[:, None]).T)
        if concept_weights is not None:
            with np.errstate(divide="ignore"):  # a muted concept: log 0 = −inf, and its share is 0
                log_weights += np.log(concept_weights)[:, None]
        return Target(rows, log_weights, temperature)

    def terms(self, components: Float32Array) -> Float64Array:
        """Return log ω_k c_{i,k} + ⟨z_k, h_i⟩/τ, what each concept adds to a score: (K, …, d) → (K, …, L)."""
        flat = components.reshape(-1, components.shape[-1])
        products = flat @ (self.rows / self.temperature).astype(components.dtype).T  # one GEMM for all left-out clicks
        concepts = len(components)
        terms: Float64Array = products.reshape(concepts, -1, len(self.rows)) + self.log_weights[:, None, :]
        return terms.reshape(*components.shape[:-1], -1)

    def scores(self, components: Float32Array) -> Float64Array:
        """Return the items' scores for one user or many: (K, …, d) → (…, L)."""
        terms = self.terms(components)
        top = terms.max(axis=0)  # concepts first: the sums over them run along whole rows, three times as fast
        terms -= top
        scores: Float64Array = np.log(np.exp(terms, out=terms).sum(axis=0)) + top
        return scores

    def part(self, chosen: slice) -> "Target":
        """Return some of the items."""
        return Target(self.rows[chosen], self.log_weights[:, chosen], self.temperature)


# --- Concepts ----------------------------------------------------------------------------------------------------


def concept_shares(target: Target, components: Float32Array) -> Float64Array:
    """Return the share of each item's score that each concept contributes: ω_k c_{i,k} exp(⟨z_k, h_i⟩/τ) over its sum.

    Args:
        target: the items.
        components: (K, d) as they were ranked by, edits included.

    Returns:
        (L, K), rows sum to 1; a muted concept's share is 0.
    """
    terms = target.terms(components.astype(np.float64)).T  # (L, K)
    shares: Float64Array = np.exp(terms - log_sum_exp(terms)[:, None])
    return shares


# --- Dimensions --------------------------------------------------------------------------------------------------


def agreements(rows: Float64Array, component: Float32Array, n: int) -> tuple[Int64Array, Float64Array]:
    """Return the dimensions on which items and a component agree most: those that add most to their inner product.

    Args:
        rows: (L, d) the items.
        component: (L, d) for each item the component of the concept that put it there.
        n: how many dimensions.

    Returns:
        (L, n) dimensions, largest part first and of equal ones the lower, and (L, n) their parts z_kj · h_ij, which
        may be zero or less where fewer than n agree.
    """
    parts = rows * component.astype(np.float64)  # (L, d)
    order = np.argsort(-parts, axis=1, kind="stable")[:, :n]
    return order, np.take_along_axis(parts, order, axis=1)


# --- Clicks ------------------------------------------------------------------------------------------------------


def click_contributions(encoder: Encoder, history: Int64Array, target: Target) -> tuple[Int64Array, Float64Array]:
    """Return what each item's score loses when one click is taken out of the history.

    In a history of one click it is compared with an empty one, which the encoder answers from its biases alone. Of a
    history with more than twice `CLICKS_REENCODED` clicks only that many are re-encoded, those that `most_telling` picks.

    Args:
        encoder: of the bundle.
        history: (n,) item indices, n ≥ 1. A set, as everywhere: a repeated click is one click.
        target: the items.

    Returns:
        (b,) the item indices of the clicks that were re-encoded, ascending, and (L, b) their contributions.
    """
    sums = HistorySums.of(encoder, np.unique(history))
    chosen = np.arange(len(sums.clicks))
    if len(chosen) > 2 * CLICKS_REENCODED:
        screened = target.part(slice(0, CLICKS_REENCODED))  # beyond that the first of an answer speak for the rest
        chosen = most_telling(first_order(encoder, sums, screened), CLICKS_REENCODED)
    whole = encoder.components_of(sums.inputs[:, None])  # (K, 1, d)
    without = encoder.components_of(sums.inputs_without(chosen))  # (K, b, d)
    if encoder.refinement is not None:
        whole = encoder.refinement.refined(whole, sums.clicks, sums.weights)
        without = encoder.refinement.refined(without, sums.clicks, sums.weights, left_out=chosen)
    lost = [
        (part.scores(whole) - part.scores(without)).T  # (l, b)
        for part in (target.part(slice(at, at + ITEMS_AT_ONCE)) for at in range(0, len(target.rows), ITEMS_AT_ONCE))
    ]
    return sums.clicks[chosen], np.concatenate(lost)


@dataclass(frozen=True)
class HistorySums:
    """The sums that the encoder takes over a history, and the same sums without one click.

    Subtracting a click from a sum is safe for every click but the one with the concept's largest weight: without any
    other click, Σ c² keeps at least half of its value. Without the largest it may keep 1e-16 of it (a concept that the
    user clicked once), which subtraction would drown in rounding, so those K sums are taken anew.

    Attributes:
        clicks: (n,) item indices, ascending, without repeats.
        weights: (n, K) float64, c_{i,k}.
        contexts: (n, d) float32, t_i.
        lengths: (K,) float64, √Σ_i c_{i,k}².
        inputs: (K, d) float32, Σ_i c_{i,k} t_i over that length: what the encoder's network is given.
    """

    clicks: Int64Array
    weights: Float64Array
    contexts: Float32Array
    lengths: Float64Array
    inputs: Float32Array

    @staticmethod
    def of(encoder: Encoder, clicks: Int64Array) -> "HistorySums":
        """Sum over a history."""
        weights = encoder.concept_weights[clicks].astype(np.float64)
        contexts = encoder.context_embeddings[clicks]
        return HistorySums(clicks, weights, contexts, *sums_over(weights, contexts))

    def inputs_without(self, chosen: Int64Array) -> Float32Array:
        """Return the inputs without one click, for each of some clicks: (b,) positions → (K, b, d)."""
        left_out = self.weights[chosen].T  # (K, b)
        largest = self.weights.argmax(axis=0)  # (K,) each concept's weightiest click
        rest = self.weights.copy()
        np.put_along_axis(rest, largest[None], 0.0, axis=0)
        concepts, at = np.nonzero(chosen == largest[:, None])
        squares = np.square(self.lengths)[:, None] - np.square(left_out)  # (K, b)
        squares[concepts, at] = 1.0  # replaced below, whatever rounding left of it
        lengths = np.sqrt(np.maximum(squares, _TINY))
        kept, taken = (self.lengths[:, None] / lengths).astype(np.float32), (left_out / lengths).astype(np.float32)
        inputs: Float32Array = kept[:, :, None] * self.inputs[:, None, :]  # (K, b, d)
        inputs -= taken[:, :, None] * self.contexts[chosen]
        _, anew = sums_over(rest, self.contexts)
        inputs[concepts, at] = anew[concepts]
        return inputs


def sums_over(weights: Float64Array, contexts: Float32Array) -> tuple[Float64Array, Float32Array]:
    """Return √Σ c² (K,) and Σ c t over it (K, d), 0 where there is nothing to sum: the encoder's own arithmetic."""
    lengths = np.sqrt(np.square(weights).sum(axis=0))
    inputs = (weights / np.maximum(lengths, _TINY)).astype(np.float32).T @ contexts
    return lengths, inputs


def most_telling(estimates: Float64Array, n: int) -> Int64Array:
    """Pick the clicks that are worth re-encoding: in turns each item's best, each item's second best, and so on.

    In turns and not by the largest estimate of all, which a few items would fill with their clicks: of the true three
    best clicks of 20 items, 100 clicks chosen in turns held all in histories of 250 to 1,900 clicks, the 100 largest
    estimates 71 to 97 % (benchmarks/explain_cost.py).

    Args:
        estimates: (L, n_clicks), see `first_order`.
        n: how many.

    Returns:
        (n,) positions among the clicks, ascending.
    """
    places = np.argsort(np.argsort(-estimates, axis=1, kind="stable"), axis=1)  # (L, n_clicks) 0: the item's best
    order = np.lexsort((-estimates.max(axis=0), places.min(axis=0)))
    return np.sort(order[:n])


def first_order(encoder: Encoder, sums: HistorySums, target: Target) -> Float64Array:
    """Return every click's contribution to every item to first order: (L, n).

    With x the input of one concept, s = softmax of the item's terms, and a = tanh(x + b) W + b', z = a/‖a‖:
    ∂score/∂x = s_k/τ · (1 − tanh²) ∘ W (h − ⟨h, z⟩z)/‖a‖. A click's part of x is c t/√Q − x c²/2Q, Q = Σ c².
    A refinement of the components is left out: the estimates choose as well without (docs/decisions/0010).
    """
    hidden = np.tanh(sums.inputs + encoder.input_bias)  # (K, d)
    means = hidden @ encoder.mean_weight + encoder.mean_bias
    lengths = np.maximum(np.linalg.norm(means, axis=1), np.float32(SHORTEST))  # (K,)
    components = means / lengths[:, None]
    shares = concept_shares(target, components)  # (L, K)
    weights = sums.weights / np.maximum(sums.lengths, _TINY)  # (n, K) c/√Q
    rows = target.rows.astype(np.float32)
    estimates = np.zeros((len(rows), len(sums.clicks)))
    for k, component in enumerate(components):
        across = rows - np.outer(rows @ component, component)  # (L, d) what turns the component
        gradient = (across @ encoder.mean_weight.T) * (1 - np.square(hidden[k]))  # (L, d)
        gradient *= (shares[:, k, None] / (lengths[k] * target.temperature)).astype(np.float32)
        along = gradient @ sums.contexts.T  # (L, n)
        estimates += along * weights[:, k] - np.outer(gradient @ sums.inputs[k], np.square(weights[:, k]) / 2)
    return estimates
