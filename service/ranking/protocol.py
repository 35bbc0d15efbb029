"""What a ranker is, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from macrid.service.arrays import BoolArray, Float32Array, Float64Array, Int64Array

RankerName = Literal["exact", "by_concept"]


@dataclass(frozen=True)
class Ranking:
    """The best items, best first; equal scores stand in the order of their item indices.

    Attributes:
        indices: (n,) int64 item indices.
        scores: (n,) float64, log Σ_k ω_k · c_{i,k} · exp(⟨z_k, h_i⟩ / τ); every ω_k is 1 unless the request says otherwise.
        concepts: (n,) int64, the concept that contributes most to each item's score.
        certified: whether this is proved to be what scoring every item would give.
    """

    indices: Int64Array
    scores: Float64Array
    concepts: Int64Array
    certified: bool


class Ranker(Protocol):
    """Ranks the items of one bundle for a user's components."""

    @property
    def name(self) -> RankerName:
        """Which ranker this is, as requests and settings call it."""

    def rank(
        self,
        components: Float32Array,
        n: int,
        excluded: Int64Array,
        weights: Float64Array | None = None,
        allowed: BoolArray | None = None,
    ) -> Ranking:
        """Return the best items that are allowed and not excluded.

        Args:
            components: (K, d) float32, unit rows.
            n: how many items, ≥ 1; fewer come back only when fewer are left.
            excluded: item indices, sorted and without repeats, that must not be returned.
            weights: (K,) ω_k ≥ 0, at least one above 0; a concept of weight 0 counts for nothing. None for all 1.
            allowed: (M,) which items may be returned at all, None for every one. For many items at once, as `excluded` is for
                a few.
        """

    def rank_each(self, components: Float32Array, n: int, excluded: Sequence[Int64Array]) -> list[Ranking]:
        """Rank for each of some users: what `rank` answers them, to the last bit, in less time than one after the other.

        Args:
            components: (U, K, d) float32, unit rows.
            n: how many items for each.
            excluded: as in `rank`, of each user.
        """
