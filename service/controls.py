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
from macrid.service.control import move, quantile_of, scale_for
from macrid.service.encoder import Encoding
from macrid.service.loaded_model import LoadedModel
from macrid.service.ranking.scores import log_sum_exp
from macrid.service.walk_range import WalkRange, range_along
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
        return np.logaddexp(log_sum_exp(others), replaced), replaced >= others.max(axis=1)


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
    members = model.members(concept)
    entries = candidates(model.bundle.concepts[concept].dimensions, tried * dimensions)
    columns = [model.item_embeddings[members, entry.dim] for entry in entries]
    prototypes = model.bundle.prototypes
    ranges = [
        range_along(component, entry.dim, concept, prototypes, column)
        for entry, column in zip(entries, columns, strict=True)
    ]
    ends = turn(component, concept, prototypes, pool, [(e.dim, w) for e, w in zip(entries, ranges, strict=True)], n)
    effects = ends.effects()
    chosen = sorted(range(len(entries)), key=lambda at: (-effects[at], -entries[at].importance, entries[at].dim))
    return [
        Control(
            dimension=entries[at],
            value=float(component[entries[at].dim]),
            quantile=quantile_of(columns[at], component[entries[at].dim]),
            range=ranges[at],
            effect=float(effects[at]),
            low_item=preview(model, pool, ends, 2 * at, 2 * at + 1, eligible),
            high_item=preview(model, pool, ends, 2 * at + 1, 2 * at, eligible),
        )
        for at in chosen[:dimensions]
    ]


def shown_where_nothing_is_new(members: Int64Array, history: Int64Array, allowed: BoolArray | None) -> Int64Array:
    """Return the items of a concept that may show an end by themselves: those not clicked, or all where all are."""
    if allowed is not None:
        members = members[allowed[members]]
    unclicked = np.setdiff1d(members, history)
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
    rows = model.item_embeddings[items].astype(np.float64)  # (P, d)
    temperature = model.bundle.manifest.temperature
    affinities = rows @ model.bundle.prototypes.T.astype(np.float64) / temperature  # (P, K)
    shares = affinities - log_sum_exp(affinities)[:, None]
    terms = shares + rows @ components.T.astype(np.float64) / temperature
    return Pool(items, rows, shares, terms, temperature)


def turn(
    component: Float32Array,
    concept: int,
    prototypes: Float32Array,
    pool: Pool,
    dimensions: Sequence[tuple[int, WalkRange]],
    n: int,
) -> Ends:
    """Set one dimension after another to both ends of its range, each from the component as it is, and rank the pool."""
    vectors = []
    for dim, walked in dimensions:
        for value in (walked.used.low, walked.used.high):
            target = component.astype(np.float64)
            target[dim] = value
            # A range that the prototype limits stays in the concept; there t is 1, and most of the time would go into it.
            leaves = walked.source == "items"
            vectors.append(
                move(component, target, scale_for(component, target, concept, prototypes) if leaves else 1.0)
            )
    stacked = np.stack(vectors).astype(np.float64)  # (2·D, d)
    scores, own = pool.scores_with(stacked, concept)
    return Ends(stacked, scores, own, tops_of(scores, n))


def tops_of(scores: Float64Array, n: int) -> BoolArray:
    """Say of each row which n values are the largest, of equal ones the earlier: (E, P) → (E, P)."""
    tops = np.zeros(scores.shape, dtype=bool)
    for row, top in zip(scores, tops, strict=True):
        top[largest(row, n)] = True
    return tops


def preview(model: LoadedModel, pool: Pool, ends: Ends, end: int, other: int, eligible: Int64Array) -> int | None:
    """Return an item that shows what an end brings.

    The best-ranked item that the concept puts there and that is not in the top n at the other end: what would be new.
    Where there is none, the concept's item nearest to the component at this end, of those eligible.
    """
    fresh = ends.own[end] & ~ends.tops[other]
    if fresh.any():
        return int(pool.items[np.argmax(np.where(fresh, ends.scores[end], -np.inf))])
    if not len(eligible):
        return None
    return int(eligible[np.argmax(model.item_embeddings[eligible] @ ends.vectors[end])])
