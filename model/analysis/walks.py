"""Does a walk along a dimension move one factor and leave the others still? Asked where factors are known.

For each group of items (a category) and factor the dimension is chosen on one half of the items, the largest |Spearman| of
coordinate and factor; walks then start from items of the other half and go over items of the other half. Everything is asked once
more of factors shuffled within the group, since the best of a hundred dimensions looks like something even there.

How to walk is handed in: the server owns the walk, and the trainer never imports the server.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from macrid.artifacts.bundle import Bundle
from macrid.model.analysis.factors import rank_correlations

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

Walker = Callable[[int, int, IntArray], Sequence[int]]
"""(start item, dimension, items that may appear) -> the items of a walk, coordinates rising."""

STEPS = 7  # as many as the page shows
BEAM = 32


def walker_over(bundle: Bundle, walk: Callable[..., Any]) -> Walker:
    """Walk as the server does over a bundle's items.

    Args:
        bundle: an opened one.
        walk: the server's own `service.walk.walk`.
    """
    main_concepts = bundle.concept_weights.argmax(axis=1)
    members = [np.flatnonzero(main_concepts == k) for k in range(bundle.manifest.concepts)]

    def along(start: int, dim: int, allowed: IntArray) -> list[int]:
        concept = int(main_concepts[start])
        found = walk(
            bundle.item_embeddings[start],
            dim,
            concept=concept,
            prototypes=bundle.prototypes,
            item_embeddings=bundle.item_embeddings,
            members=members[concept],
            candidates=np.intersect1d(members[concept], allowed),
            steps=STEPS,
            beam=BEAM,
            gamma=None,
        )
        return [int(step.item) for step in found.steps]

    return along


@dataclass(frozen=True)
class Movement:
    """What walks along one dimension do to the factor it was chosen for, and to the others.

    Signs are those of the correlation seen when choosing, so that 1 is what was promised.

    Attributes:
        factor: mean over walks of Spearman's ρ of step and factor.
        others: largest |mean over walks of ρ| of any other factor; NaN with one factor.
        others_each: largest mean over walks of |ρ| of any other factor: how much a single walk wanders.
        change: mean over walks of the factor's change from end to end, in standard deviations within the group.
        others_change: largest |mean change| of any other factor.
        others_change_each: largest mean |change| of any other factor.
    """

    factor: float
    others: float
    others_each: float
    change: float
    others_change: float
    others_change_each: float


@dataclass(frozen=True)
class WalkQuality:
    """One group and factor: the dimension, what chose it, and what walking along it did; the same for shuffled factors."""

    group: str
    factor: str
    dim: int
    chosen_at: float
    walks: int
    real: Movement
    shuffled: Movement


def walk_quality(
    embeddings: npt.NDArray[np.float32],
    groups: Sequence[tuple[str, IntArray]],
    factors: FloatArray,
    names: Sequence[str],
    walker: Walker,
    *,
    starts: int,
    rng: np.random.Generator,
) -> list[WalkQuality]:
    """Choose and walk for every group and factor.

    Args:
        embeddings: (M, d).
        groups: names and item rows, at least 4 each.
        factors: (M, F), finite in the rows of the groups.
        names: of the F factors.
        walker: see `Walker`.
        starts: how many items of the second half to walk from; all of them where there are fewer.
        rng: deals halves and shuffles.
    """
    results = []
    for group, rows in groups:
        members = rng.permutation(rows)
        null = factors.copy()
        null[members] = factors[rng.permutation(rows)]
        for f, name in enumerate(names):
            dim, chosen_at, real, walks = _try(embeddings, members, factors, f, walker, starts)
            _, _, shuffled, _ = _try(embeddings, members, null, f, walker, starts)
            results.append(WalkQuality(group, name, dim, chosen_at, walks, real, shuffled))
    return results


def _try(
    embeddings: npt.NDArray[np.float32], members: IntArray, factors: FloatArray, f: int, walker: Walker, starts: int
) -> tuple[int, float, Movement, int]:
    choosing, walking = members[: len(members) // 2], members[len(members) // 2 :]
    correlations = rank_correlations(embeddings[choosing], factors[choosing, f : f + 1])[:, 0]  # (d,)
    dim = int(np.abs(correlations).argmax())
    scale = factors[members].std(axis=0)
    paths = [walker(int(start), dim, np.sort(walking[walking != start])) for start in walking[:starts]]
    frames = [factors[list(path)] for path in paths if len(path) > 1]  # each (steps, F)
    moved = movement(frames, f, scale, float(np.sign(correlations[dim])))
    return dim, float(abs(correlations[dim])), moved, len(frames)


def movement(frames: Sequence[FloatArray], f: int, scale: FloatArray, sign: float) -> Movement:
    """Sum up walks.

    Args:
        frames: the factors of each walk's items, (steps, F) with at least two steps; no frame gives NaN everywhere.
        f: the factor that the dimension was chosen for.
        scale: (F,) standard deviations.
        sign: of the correlation of coordinate and factor, −1 or 1.
    """
    if not frames:
        return Movement(*[float("nan")] * 6)
    rho = sign * np.array(
        [rank_correlations(np.arange(float(len(frame)))[:, None], frame)[0] for frame in frames]
    )  # (W, F)
    change = sign * np.array([(frame[-1] - frame[0]) / np.where(scale > 0, scale, 1) for frame in frames])
    return Movement(
        factor=float(rho[:, f].mean()),
        others=_largest(np.abs(rho.mean(axis=0)), f),
        others_each=_largest(np.abs(rho).mean(axis=0), f),
        change=float(change[:, f].mean()),
        others_change=_largest(np.abs(change.mean(axis=0)), f),
        others_change_each=_largest(np.abs(change).mean(axis=0), f),
    )


def _largest(values: FloatArray, but: int) -> float:
    return float(np.delete(values, but).max()) if len(values) > 1 else float("nan")


@dataclass(frozen=True)
class WalkSummary:
    """The mean over groups and factors, and how many of them do all that is asked of a walk.

    Attributes:
        pairs: how many groups times factors there are.
        real: means over them.
        shuffled: the same for shuffled factors, |mean ρ| and |mean change| where the sign means nothing.
        reached: pairs whose factor moves by at least .8, no other by more than .3, and none from end to end by a third as much.
    """

    pairs: int
    reached: int
    real: Movement
    shuffled: Movement


FACTOR_MOVES, OTHERS_STAY, CHANGE_RATIO = 0.8, 0.3, 1 / 3


def summarise(qualities: Sequence[WalkQuality]) -> WalkSummary:
    """The summary of at least one."""
    return WalkSummary(
        pairs=len(qualities),
        reached=sum(_reached(quality.real) for quality in qualities),
        real=_mean([quality.real for quality in qualities]),
        shuffled=_mean([quality.shuffled for quality in qualities]),
    )


def _reached(moved: Movement) -> bool:
    still = np.isnan(moved.others) or (
        moved.others <= OTHERS_STAY and moved.others_change < CHANGE_RATIO * abs(moved.change)
    )
    return abs(moved.factor) >= FACTOR_MOVES and bool(still)


def _mean(moved: Sequence[Movement]) -> Movement:
    table = np.abs([list(vars(each).values()) for each in moved])
    return Movement(*(float(value) for value in table.mean(axis=0)))
