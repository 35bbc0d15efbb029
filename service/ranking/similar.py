"""The items whose embeddings are nearest to an item's, by cosine."""

import numpy as np

from macrid.service.arrays import Float32Array, Float64Array, Int64Array
from macrid.service.ranking.scores import UNIT_ROUNDOFF, within_reach_of_the_best


def most_similar(item_embeddings: Float32Array, item: int, n: int) -> tuple[Int64Array, Float64Array]:
    """Return an item's nearest neighbours, itself left out; of equal ones the lower index first.

    Like the rankers: float32 for all to find candidates, float64 for the few to order them.

    Args:
        item_embeddings: (M, d), unit rows.
        item: item index.
        n: how many; fewer come back when there are no more.

    Returns:
        (n,) item indices, nearest first, and (n,) their cosines.
    """
    row = item_embeddings[item]
    approximate = item_embeddings @ row  # (M,)
    approximate[item] = -np.inf
    candidates = np.flatnonzero(within_reach_of_the_best(approximate, n, error=1.02 * UNIT_ROUNDOFF * (len(row) + 2)))
    cosines = np.einsum("ld,d->l", item_embeddings[candidates].astype(np.float64), row.astype(np.float64))
    order = np.lexsort((candidates, -cosines))[:n]
    return candidates[order], cosines[order]
