"""Which items a walk shows: one per subrange, so that all resemble the start and each other (PAPER.md, 2.4).

    nearest_of_each   in very large subranges only the items nearest to the start
    beam_search       the paper's search: one subrange after another
    seeded_walks      walks that gather around single items, wherever those lie
    improve           one step at a time exchanged until nothing gains

The beam alone commits itself in the first subranges, before it can know that the items which resemble each other most
lie elsewhere: on clustered items with γ = 1 its worst walks were worse than a walk by chance. What the rest adds is
measured by `benchmarks/beam_quality.py`. Pure numpy, used by `walk.py`.
"""

from dataclasses import dataclass

import numpy as np

from macrid.service.arrays import Float32Array, Float64Array, Int64Array

# A vector shorter than this without coordinate j points nowhere; its cosine to anything is taken as 0.
SHORTEST = 1e-6
# How many items of a subrange are searched. What the rest would add is measured in `benchmarks/walk_cost.py`.
LARGEST_GROUP = 1024
# Three or four sweeps are usual. The limit is for exchanges between walks that are equal but for rounding.
MOST_SWEEPS = 20


@dataclass(frozen=True)
class Search:
    """What is searched; a walk is one position per group, walks are (b, B) int64.

    Attributes:
        target: (d,) the start without the coordinate, unit length.
        groups: per step (g, d), the candidates without the coordinate, unit rows; none empty.
        gamma: weight of the pairs.
    """

    target: Float32Array
    groups: list[Float32Array]
    gamma: float

    def gains(self, step: int, sums: Float32Array) -> Float32Array:
        """Return what each candidate of a step adds to walks whose other vectors sum to `sums`: (b, d) → (b, g).

        With unit vectors x of a candidate and u of the start and S the sum, it adds x·u + γ·x·S = x·(u + γ·S): one matrix
        product scores every candidate for every walk.
        """
        gains: Float32Array = (self.target + np.float32(self.gamma) * sums) @ self.groups[step].T
        return gains

    def sums(self, walks: Int64Array) -> Float32Array:
        """Return the sum of each walk's vectors: (b, B) → (b, d)."""
        total = np.zeros((len(walks), len(self.target)), dtype=np.float32)
        for group, picks in zip(self.groups, walks.T, strict=True):
            total += group[picks]
        return total

    def objectives(self, walks: Int64Array) -> Float64Array:
        """Return Σ_t u·x_t + γ Σ_{t<t'} x_t·x_t' of each walk, in float64: (b, B) → (b,).

        The pairs are (‖Σ x‖² − Σ ‖x‖²) / 2.
        """
        total = np.zeros((len(walks), len(self.target)))
        squares = np.zeros(len(walks))
        for group, picks in zip(self.groups, walks.T, strict=True):
            vectors = group[picks].astype(np.float64)
            total += vectors
            squares += np.square(vectors).sum(axis=1)
        pairs: Float64Array = (np.square(total).sum(axis=1) - squares) / 2
        return total @ self.target.astype(np.float64) + self.gamma * pairs


def choose_items(
    rows: Float32Array, start: Float32Array, dim: int, groups: list[Int64Array], beam: int, gamma: float
) -> tuple[Int64Array, float]:
    """Choose one row per group, maximising the objective of PAPER.md 2.4.

    The walks that the beam ends with and as many seeded ones are improved, and the best of all is taken. Of equal ones
    the earlier walk and the earlier row win, so the same request gives the same walk.

    Args:
        rows: (n, d) item embeddings.
        start: (d,).
        dim: the coordinate that does not count.
        groups: positions in `rows`, one array per step, none empty.
        beam: how many walks the beam keeps, and how many are seeded.
        gamma: weight of the pairs.

    Returns:
        The chosen positions, one per group, and the objective.
    """
    if not groups:
        return np.empty(0, dtype=np.int64), 0.0
    search = Search(without(start[None], dim)[0], [without(rows[group], dim) for group in groups], gamma)
    walks = improve(search, np.vstack([beam_search(search, beam), seeded_walks(search, beam)]))
    objectives = search.objectives(walks)
    best = int(np.argmax(objectives))
    chosen = np.array([group[pick] for group, pick in zip(groups, walks[best], strict=True)])
    return chosen, float(objectives[best])


def nearest_of_each(
    rows: Float32Array, start: Float32Array, dim: int, groups: list[Int64Array], limit: int = LARGEST_GROUP
) -> list[Int64Array]:
    """Return the groups, each cut to the rows nearest to the start without the coordinate, in their old order.

    A plain pass over the rows: it costs a fraction of one recommendation, so no index is needed here.
    """
    target = without(start[None], dim)[0]
    return [group if len(group) <= limit else group[nearest(rows[group], target, dim, limit)] for group in groups]


def nearest(rows: Float32Array, target: Float32Array, dim: int, n: int) -> Int64Array:
    """Return the positions, ascending, of the n rows with the largest cosine to the target, without the coordinate."""
    lengths = np.sqrt(np.maximum(np.einsum("nd,nd->n", rows, rows) - np.square(rows[:, dim]), np.float32(SHORTEST**2)))
    return np.sort(largest(((rows @ target) / lengths).astype(np.float64), n))


def beam_search(search: Search, beam: int) -> Int64Array:
    """Return the walks that remain when one step after another is added and the best `beam` are kept, best first."""
    sums = np.zeros((1, len(search.target)), dtype=np.float32)  # (b, d)
    scores = np.zeros(1)  # (b,)
    walks = np.empty((1, 0), dtype=np.int64)  # (b, t)
    for step, group in enumerate(search.groups):
        totals = (scores[:, None] + search.gains(step, sums)).ravel()  # (b·g,) float64
        kept = largest(totals, beam)
        parents, picks = np.divmod(kept, len(group))
        scores = totals[kept]
        sums = sums[parents] + group[picks]
        walks = np.column_stack([walks[parents], picks])
    return walks


def seeded_walks(search: Search, n: int) -> Int64Array:
    """Return walks that gather around single candidates, taken evenly from all groups.

    Each takes from every group the item that would gain the most if all other steps were the seed itself.
    """
    sizes = np.cumsum([len(group) for group in search.groups])
    seeds = np.unique(np.linspace(0, sizes[-1] - 1, n).astype(np.int64))
    steps = np.searchsorted(sizes, seeds, side="right")
    positions = seeds - np.concatenate([[0], sizes])[steps]
    vectors = np.stack([search.groups[step][position] for step, position in zip(steps, positions, strict=True)])
    sums = np.float32(len(search.groups) - 1) * vectors  # (s, d)
    picks = [search.gains(step, sums).argmax(axis=1) for step in range(len(search.groups))]
    return np.column_stack(picks)


def improve(search: Search, walks: Int64Array) -> Int64Array:
    """Exchange single steps for the better until no exchange of one step gains, in all walks at once."""
    walks = walks.copy()
    moving = np.arange(len(walks))
    for _ in range(MOST_SWEEPS):
        swept = sweep(search, walks[moving])
        changed = np.any(swept != walks[moving], axis=1)
        walks[moving] = swept
        moving = moving[changed]
        if not len(moving):
            break
    return walks


def sweep(search: Search, walks: Int64Array) -> Int64Array:
    """Give each step in turn the candidate that gains the most beside the others, if it gains more than rounding does."""
    walks = walks.copy()
    each = np.arange(len(walks))
    noise = 1e-6 * (1 + search.gamma * len(search.groups))
    sums = search.sums(walks)
    for step, group in enumerate(search.groups):
        old = walks[:, step]
        sums -= group[old]
        gains = search.gains(step, sums)
        best = gains.argmax(axis=1)
        walks[:, step] = np.where(gains[each, best] > gains[each, old] + noise, best, old)
        sums += group[walks[:, step]]
    return walks


def largest(values: Float64Array, n: int) -> Int64Array:
    """Return the positions of the n largest values, largest first; of equal ones the earlier."""
    if n < len(values):
        nth = np.partition(values, -n)[-n]
        positions = np.flatnonzero(values >= nth)
    else:
        positions = np.arange(len(values))
    return positions[np.argsort(-values[positions], kind="stable")][:n]


def without(rows: Float32Array, dim: int) -> Float32Array:
    """Return unit rows with one coordinate set to 0: (n, d) → (n, d); rows that are nothing else become all 0."""
    rest = rows.copy()
    rest[:, dim] = 0.0
    lengths = np.linalg.norm(rest, axis=1, keepdims=True)
    unit: Float32Array = np.where(lengths > SHORTEST, rest / np.maximum(lengths, np.float32(SHORTEST)), np.float32(0))
    return unit


def cosines_without(rows: Float32Array, start: Float32Array, dim: int) -> Float32Array:
    """Return the cosine of each row to the start, both without one coordinate: (n, d) → (n,)."""
    cosines: Float32Array = without(rows, dim) @ without(start[None], dim)[0]
    return cosines
