"""What can a user turn? The dimensions that would change the top of the ranking the most, found by turning them.

Stands beside the rankers (`encoder → ranking → controls`): each candidate dimension of each component is set to both ends
of its range, as `control.py` does for a request, and the two rankings are compared. Two things keep that cheap:

- Not all d dimensions are tried, but the few that matter most and are named best: see `candidates`.
- Not all M items are ranked again, but the best `POOL` of the ranking as it is. Turning one coordinate moves a component
  by a few tenths, and nothing rises from thousands of ranks below.

Pure numpy on a loaded model; knows neither HTTP nor the catalogue.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from macrid.artifacts.schema import Dimension
from macrid.service.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from macrid.service.control import moves, quantile_of, scale_for
from macrid.service.encoder import Encoding
from macrid.service.loaded_model import LoadedModel
from macrid.service.ranking.scores import log_sum_exp
from macrid.service.walk_range import Interval, WalkRange, is_nearest, ranges_along
from macrid.service.walk_search import largest

# How many of the best items are ranked again at each end, at least.
POOL = 500
# How many dimensions are tried for each that is returned.
TRIED_PER_RETURNED = 4
# What a name is worth: a dimension without one is tried before a perfectly named one that matters ten times less.
UNNAMED = 0.1


@dataclass(frozen=True)
class Control:
    """A dimension of a component that can be turned.

    Attributes:
        dimension: which, as seen from the concept.
        value: the component's coordinate.
        quantile: share of the concept's items below it, equal ones counted half.
        range: how far it can be turned.
        effect: share of the top n that is replaced on the way from one end to the other.
        low_item: item index, what the low end brings: see `preview`; None where no item of the concept is allowed.
        high_item: the same for the high end.
    """

    dimension: Dimension
    value: float
    quantile: float
    range: WalkRange
    effect: float
    low_item: int | None
    high_item: int | None


@dataclass(frozen=True)
class Pool:
    """The items that compete for the top, and what they are scored by.

    Attributes:
        items: (P,) item indices, ascending.
        rows: (P, d) float64, their embeddings.
        shares: (P, K) float64, log c_{i,k}.
        terms: (P, K) float64, log c_{i,k} + ⟨z_k, h_i⟩/τ of the components as they are.
        temperature: τ.
    """

    items: Int64Array
    rows: Float64Array
    shares: Float64Array
    terms: Float64Array
    temperature: float

    @staticmethod
    def of(
        items: Int64Array, rows: Float32Array, prototypes: Float32Array, components: Float32Array, temperature: float
    ) -> "Pool":
        """Prepare items (P,) with their embeddings (P, d) for a user's components (K, d)."""
        exact = rows.astype(np.float64)
        affinities = exact @ prototypes.T.astype(np.float64) / temperature  # (P, K)
        shares = affinities - log_sum_exp(affinities)[:, None]
        return Pool(items, exact, shares, shares + exact @ components.T.astype(np.float64) / temperature, temperature)

    def scores_with(self, vectors: Float64Array, concept: int) -> tuple[Float64Array, BoolArray]:
        """Score the pool with one component replaced, by each vector in turn.

        Args:
            vectors: (E, d) that replace the concept's component.
            concept: k.

        Returns:
            (E, P) scores, and (E, P) whether the concept contributes at least as much as any other.
        """
        replaced = self.shares[:, concept] + vectors @ self.rows.T / self.temperature  # (E, P)
        others = np.delete(self.terms, concept, axis=1)  # (P, K−1)
        if not others.shape[1]:
            return replaced, np.ones(replaced.shape, dtype=bool)
        rest = log_sum_exp(others)  # (P,)
        # As np.logaddexp, in a quarter of its time.
        scores = np.abs(replaced - rest)
        np.exp(np.negative(scores, out=scores), out=scores)
        np.log1p(scores, out=scores)
        scores += np.maximum(replaced, rest)
        return scores, replaced >= others.max(axis=1)


@dataclass(frozen=True)
class Ends:
    """What the ranking becomes at both ends of some dimensions of one component, in pairs of rows: low, high and so on.

    Attributes:
        vectors: (2·D, d) the component at each end.
        scores: (2·D, P) of the pool.
        own: (2·D, P) whether the component's concept is the one that puts the item there.
        tops: (2·D, P) whether the item is among the top n.
    """

    vectors: Float64Array
    scores: Float64Array
    own: BoolArray
    tops: BoolArray

    def newcomers(self) -> Int64Array:
        """Return which item of the pool is new at each end: (2·D,) positions, −1 where none is.

        The best of those that the component's concept puts there and that are not in the top n at the other end.
        """
        if not self.tops.shape[1]:
            return np.full(len(self.tops), -1)
        elsewhere = self.tops[np.arange(len(self.tops)) ^ 1]  # low and high exchanged
        fresh = self.own & ~elsewhere
        best = np.where(fresh, self.scores, -np.inf).argmax(axis=1)
        return np.where(fresh[np.arange(len(fresh)), best], best, -1)

    def effects(self) -> Float64Array:
        """Return the share of the top n at one end that is gone at the other: (D,)."""
        gone = (self.tops[::2] & ~self.tops[1::2]).sum(axis=1)
        effects: Float64Array = gone / np.maximum(self.tops[::2].sum(axis=1), 1)  # nothing is left to rank: no effect
        return effects


def find_controls(
    model: LoadedModel,
    encoding: Encoding,
    history: Int64Array,
    n: int,
    dimensions: int,
    allowed: BoolArray | None = None,
    *,
    tried: int = TRIED_PER_RETURNED,
    pool: int = POOL,
) -> dict[int, list[Control]]:
    """Return what can be turned, by concept, in the order of the concepts.

    A concept is among them when there is evidence for it: it is the main concept of at least one item of the history.

    Args:
        model: the model.
        encoding: of the history.
        history: (h,) item indices, sorted and without repeats, h ≥ 1; they are not recommended.
        n: how many items the ranking shows, ≥ 1.
        dimensions: how many of each component are returned, ≥ 1.
        allowed: (M,) which items may be ranked and shown, None for every one.
        tried: how many are tried for each that is returned, ≥ 1.
        pool: how many of the best items are ranked again, at least.
    """
    best = best_items(model, encoding.components, history, max(pool, 4 * n), allowed)
    return {
        concept: controls_of(
            model,
            encoding.components[concept],
            concept,
            best,
            shown_where_nothing_is_new(model.members(concept), history, allowed),
            n,
            dimensions,
            tried,
        )
        for concept in np.unique(model.main_concepts[history]).tolist()
    }


def controls_of(
    model: LoadedModel,
    component: Float32Array,
    concept: int,
    pool: Pool,
    eligible: Int64Array,
    n: int,
    dimensions: int,
    tried: int,
) -> list[Control]:
    """Return the controls of one component, largest effect first; of equal ones those that matter more to the concept."""
    entries = candidates(model.bundle.concepts[concept].dimensions, tried * dimensions)
    dims = [entry.dim for entry in entries]
    prototypes = model.bundle.prototypes
    items = [Interval(*ends) for ends in model.items_range(concept)[:, dims].T.tolist()]
    ranges = ranges_along(component, dims, concept, prototypes, items)
    ends = turn(component, concept, prototypes, pool, list(zip(dims, ranges, strict=True)), n)
    effects, newcomers = ends.effects(), ends.newcomers().tolist()
    chosen = sorted(range(len(entries)), key=lambda at: (-effects[at], -entries[at].importance, entries[at].dim))
    return [
        Control(
            dimension=entries[at],
            value=float(component[dims[at]]),
            quantile=quantile_of(model.item_embeddings[model.members(concept), dims[at]], component[dims[at]]),
            range=ranges[at],
            effect=float(effects[at]),
            low_item=preview(model, pool, newcomers[2 * at], ends.vectors[2 * at], eligible),
            high_item=preview(model, pool, newcomers[2 * at + 1], ends.vectors[2 * at + 1], eligible),
        )
        for at in chosen[:dimensions]
    ]


def shown_where_nothing_is_new(members: Int64Array, history: Int64Array, allowed: BoolArray | None) -> Int64Array:
    """Return the items of a concept that may show an end by themselves: those not clicked, or all where all are."""
    if allowed is not None:
        members = members[allowed[members]]
    unclicked = members[~np.isin(members, history)]
    return unclicked if len(unclicked) else members


def candidates(dimensions: Sequence[Dimension], n: int) -> list[Dimension]:
    """Return the n dimensions with the largest importance · (strength + `UNNAMED`).

    Importance is the variance the dimension explains in the concept's scores, so it says how far turning it can move
    them; strength says whether a person can know what the ends mean. `benchmarks/controls.py` measures what is lost
    against trying all.
    """
    order = sorted(dimensions, key=lambda entry: (-entry.importance * (entry.strength + UNNAMED), entry.dim))
    return order[:n]


def best_items(
    model: LoadedModel, components: Float32Array, history: Int64Array, size: int, allowed: BoolArray | None = None
) -> Pool:
    """Return the best `size` items of the ranking as it is, those allowed, the history left out."""
    items = np.sort(model.ranker.rank(components, size, history, None, allowed).indices)
    temperature = model.bundle.manifest.temperature
    return Pool.of(items, model.item_embeddings[items], model.bundle.prototypes, components, temperature)


def turn(
    component: Float32Array,
    concept: int,
    prototypes: Float32Array,
    pool: Pool,
    dimensions: Sequence[tuple[int, WalkRange]],
    n: int,
) -> Ends:
    """Set one dimension after another to both ends of its range, each from the component as it is, and rank the pool."""
    at_home = is_nearest(component, concept, prototypes)
    targets = np.repeat(component.astype(np.float64)[None], 2 * len(dimensions), axis=0)  # (2·D, d)
    for at, (dim, walked) in enumerate(dimensions):
        targets[2 * at : 2 * at + 2, dim] = walked.used.low, walked.used.high
    # Where the prototype limits a range its ends stay in the concept, and elsewhere there is no staying: in both cases
    # t is 1, see `scale_for`. What remains is a range of items that the prototype's does not touch.
    scales = np.ones(len(targets))
    for at, target in enumerate(targets):
        if at_home and dimensions[at // 2][1].source == "items":
            scales[at] = scale_for(component, target, concept, prototypes)
    vectors = moves(component, targets, scales).astype(np.float64)
    scores, own = pool.scores_with(vectors, concept)
    return Ends(vectors, scores, own, tops_of(scores, n))


def tops_of(scores: Float64Array, n: int) -> BoolArray:
    """Say of each row which n values are the largest, of equal ones the earlier: (E, P) → (E, P)."""
    if n >= scores.shape[1]:
        return np.ones(scores.shape, dtype=bool)
    nth = np.partition(scores, -n, axis=1)[:, -n, None]  # (E, 1)
    tops: BoolArray = scores >= nth
    for row in np.flatnonzero(tops.sum(axis=1) > n):  # where several equal the n-th
        tops[row] = False
        tops[row, largest(scores[row], n)] = True
    return tops


def preview(model: LoadedModel, pool: Pool, newcomer: int, vector: Float64Array, eligible: Int64Array) -> int | None:
    """Return an item that shows what an end brings.

    The newcomer at this end; where there is none, the concept's item nearest to the component there, of those eligible.
    """
    if newcomer >= 0:
        return int(pool.items[newcomer])
    return int(eligible[np.argmax(model.item_embeddings[eligible] @ vector)]) if len(eligible) else None
