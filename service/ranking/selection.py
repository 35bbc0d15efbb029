"""What is shown of a ranking: a least score, a cap for each concept, and diversity; always as many items as there are.

Places are filled one after the other, whatever number is asked for, so pages fit together. For each place the `WINDOW` items with
the highest scores are looked at that are not placed yet, and whose concept is not full; of these the one is placed for which

    (1 − δ) · τ · score − δ · (largest cosine to an item placed before)

is largest (maximal marginal relevance, Carbonell and Goldstein 1998); τ · score is a cosine with what the user wants, so both
terms are of one kind. Without diversity, δ = 0, that is the item with the highest score. Where the ranking is used up before the
places are, a deeper one is asked for: nothing is filtered after the search without being searched for again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from macrid.service.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from macrid.service.ranking.protocol import Ranking

WINDOW = 200
SHALLOWEST = 32
DEEPER = 4  # times as deep, when a ranking is used up


@dataclass(frozen=True)
class Selection:
    """What to show.

    Attributes:
        n: how many places to fill, ≥ 1, counted from the best.
        min_score: the least score of an item that may be shown; None for any.
        per_concept: how many items may be shown that the same concept puts there, ≥ 1; None for any number.
        diversity: δ, from 0 to 1.
    """

    n: int
    min_score: float | None = None
    per_concept: int | None = None
    diversity: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether this is the ranking as it is."""
        return self.min_score is None and self.per_concept is None and not self.diversity


def select(
    rank: Callable[[int], Ranking], wanted: Selection, item_embeddings: Float32Array, temperature: float
) -> Ranking:
    """Fill the places.

    Args:
        rank: returns the best items, as many as it is asked for where there are so many, the fewer the same first.
        wanted: what to show.
        item_embeddings: (M, d), unit rows.
        temperature: τ.
    """
    if wanted.is_plain:
        return rank(wanted.n)
    depth = wanted.n + (WINDOW if wanted.diversity else 0)
    if wanted.min_score is not None:
        depth = rung(depth)
    while True:
        ranking = rank(depth)
        used_up = len(ranking.indices) < depth
        if wanted.min_score is not None:
            ranking, ended = high_enough(ranking, wanted.min_score)
            used_up = used_up or ended
        chosen = choose(ranking, wanted, item_embeddings, temperature, used_up=used_up)
        if chosen is not None:
            return taken(ranking, chosen)
        depth *= DEEPER


def high_enough(ranking: Ranking, min_score: float) -> tuple[Ranking, bool]:
    """Return the items that reach a score, and whether no more are looked for.

    Where a ranking is not proved, scores may rise again below one that is too low. So it is looked through to the next
    rung: where it ends must not depend on how deep it was asked for, or pages would not fit together. An item that such
    a search did not find by then stays missed: to be sure, every item would have to be scored for each list that ends early.
    """
    too_low = np.flatnonzero(ranking.scores < min_score)
    if len(too_low):
        ranking = taken(ranking, slice(rung(int(too_low[0]) + 1)))
    return taken(ranking, np.flatnonzero(ranking.scores >= min_score)), len(too_low) > 0


def rung(depth: int) -> int:
    """Return the least of 32, 128, 512, … that is as deep as this."""
    found = SHALLOWEST
    while found < depth:
        found *= DEEPER
    return found


def choose(
    ranking: Ranking, wanted: Selection, item_embeddings: Float32Array, temperature: float, *, used_up: bool
) -> Int64Array | None:
    """Return the positions in a ranking that fill the places, in their order; None if a deeper ranking is needed."""
    if not wanted.diversity:
        chosen = np.flatnonzero(places_within_concepts(ranking.concepts) < (wanted.per_concept or np.inf))
        return chosen[: wanted.n] if used_up or len(chosen) >= wanted.n else None
    window = Window(ranking, wanted, item_embeddings, temperature)
    chosen_ones: list[int] = []
    while len(chosen_ones) < wanted.n:
        if not window.fill() and not used_up:
            return None
        if not window.positions:
            break
        chosen_ones.append(window.place_best())
    return np.array(chosen_ones, dtype=np.int64)


class Window:
    """The items that may take the next place."""

    def __init__(self, ranking: Ranking, wanted: Selection, item_embeddings: Float32Array, temperature: float) -> None:
        self._ranking, self._items = ranking, item_embeddings
        self._relevance: Float64Array = (1 - wanted.diversity) * temperature * ranking.scores
        self._diversity = wanted.diversity
        self._room = np.full(int(ranking.concepts.max(initial=0)) + 1, wanted.per_concept or len(ranking.indices) + 1)
        self._next = 0
        self._placed: list[int] = []
        self._nearest: list[float] = []  # of each position in the window, the largest cosine to a placed item
        self.positions: list[int] = []  # in the ranking, ascending

    def fill(self) -> bool:
        """Let the next items in; says whether the window is full."""
        while len(self.positions) < WINDOW and self._next < len(self._ranking.indices):
            if self._room[self._ranking.concepts[self._next]]:
                self.positions.append(self._next)
                self._nearest.append(self._nearest_placed(self._next))
            self._next += 1
        return len(self.positions) == WINDOW

    def place_best(self) -> int:
        """Take the best item out of the window and return its position; of equal ones the first in the ranking."""
        nearest = np.array(self._nearest) if self._placed else np.zeros(len(self.positions))
        at = int(np.argmax(self._relevance[self.positions] - self._diversity * nearest))
        placed = self.positions.pop(at)
        self._nearest.pop(at)
        self._placed.append(int(self._ranking.indices[placed]))
        self._room[self._ranking.concepts[placed]] -= 1
        self._leave_full_concepts(self._ranking.concepts[placed])
        if self.positions:
            cosines = self._cosines(self._ranking.indices[self.positions], self._placed[-1:])[:, 0]
            self._nearest = np.maximum(self._nearest, cosines).tolist()
        return placed

    def _leave_full_concepts(self, concept: int) -> None:
        if not self._room[concept]:
            kept = [at for at, position in enumerate(self.positions) if self._ranking.concepts[position] != concept]
            self.positions = [self.positions[at] for at in kept]
            self._nearest = [self._nearest[at] for at in kept]

    def _nearest_placed(self, position: int) -> float:
        if not self._placed:
            return -1.0
        return float(self._cosines(self._ranking.indices[position : position + 1], self._placed).max())

    def _cosines(self, items: Int64Array, others: list[int]) -> Float64Array:
        """Return cosines (a, b), each pair by itself: the same to the last bit whatever else is asked."""
        cosines: Float64Array = np.einsum(
            "ad,bd->ab", self._items[items].astype(np.float64), self._items[others].astype(np.float64)
        )
        return cosines


def places_within_concepts(concepts: Int64Array) -> Int64Array:
    """Return for each item of a ranking how many before it have its concept: (n,) → (n,)."""
    order = np.argsort(concepts, kind="stable")
    present, starts, sizes = np.unique(concepts[order], return_index=True, return_counts=True)
    places = np.empty(len(concepts), dtype=np.int64)
    places[order] = np.arange(len(concepts)) - np.repeat(starts, sizes) if len(present) else 0
    return places


def taken(ranking: Ranking, positions: Int64Array | BoolArray | slice) -> Ranking:
    """Return some places of a ranking."""
    return Ranking(
        ranking.indices[positions], ranking.scores[positions], ranking.concepts[positions], ranking.certified
    )
