"""The soft score of MacridVAE, in float64, and the selection of the best items by it.

With c_{i,k} = exp(⟨h_i, m_k⟩/τ − A_i) and A_i = log Σ_k exp(⟨h_i, m_k⟩/τ) (PAPER.md, equation 6) the score is

    score_i = log Σ_k c_{i,k} · exp(⟨z_k, h_i⟩/τ) = log Σ_k exp(⟨h_i, z_k + m_k⟩/τ) − A_i.

A concept weight ω_k multiplies the concept's term, which adds log ω_k to its exponent; 0 takes the concept out.

Whole catalogues are scored in float32, in whatever order BLAS likes, and that only to find candidates; the few that
remain are scored here. The products are `vecdot`, each pair of rows by itself, and not `@`: BLAS rounds the same row differently
at different places of a matrix, which would break ties between equal items by accident instead of by their index.
"""

import numpy as np

from macrid.artifacts import derived
from macrid.service.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from macrid.service.ranking.protocol import Ranking

# Half the distance from 1 to the next float32: the relative error of one rounding.
UNIT_ROUNDOFF = float(np.finfo(np.float32).eps) / 2
# Items scored at a time.
BLOCK = 8192
BLOCK_OF_MANY = 4096  # for many users
# OpenBLAS multiplies matrices of at most so many products without copying them first, which for few columns takes as
# long as multiplying them.
SMALL_PRODUCT = 1_000_000
# How many values make a group, of which the largest is looked at, and how many groups there must be for each value wanted.
GROUPED, GROUPS_FOR_EACH = 32, 4
# The exponentials of numbers up to here, and of their negatives, can be summed in float32.
LARGEST_EXPONENT = 80.0


def log_sum_exp(values: Float64Array, axis: int = -1) -> Float64Array:
    """Return log Σ exp over an axis, without overflow: (…, K, …) → (…, …)."""
    top = values.max(axis=axis, keepdims=True)
    total: Float64Array = np.log(np.exp(values - top).sum(axis=axis)) + top.squeeze(axis)
    return total


def log_concept_weights(weights: Float64Array) -> Float64Array:
    """Return log ω_k: (K,) → (K,) float64, −inf for a muted concept."""
    logarithms = np.full(len(weights), -np.inf)
    return np.log(weights, out=logarithms, where=weights > 0)


def soft_scores(
    items: Float32Array,
    components: Float32Array,
    prototypes: Float32Array,
    temperature: float,
    log_weights: Float64Array | None = None,
    log_partition: Float64Array | None = None,
) -> tuple[Float64Array, Int64Array]:
    """Score items, each by itself: equal rows get equal scores.

    Args:
        items: (…, L, d) item embeddings.
        components: (…, K, d).
        prototypes: (K, d).
        temperature: τ.
        log_weights: (K,) log ω_k, not all −inf; None for weights of 1.
        log_partition: (…, L) A_i of these items; computed where it is not given, for (L, d) items.

    Returns:
        (…, L) scores and (…, L) the concept that contributes most to each; of equal ones the first.
    """
    if log_partition is None:
        log_partition = derived.log_partition(items, prototypes, temperature)
    queries = components.astype(np.float64) + prototypes  # (…, K, d)
    contributions = np.vecdot(queries[..., :, None, :], items.astype(np.float64)[..., None, :, :])  # (…, K, L)
    contributions /= temperature
    contributions -= log_partition[..., None, :]  # log c_{i,k} + ⟨z_k, h_i⟩/τ
    if log_weights is not None:
        contributions += log_weights[:, None]
    return log_sum_exp(contributions, axis=-2), contributions.argmax(axis=-2)


def log_sum_over_concepts(
    items: Float32Array,
    queries: Float32Array,
    temperature: float,
    log_weights: Float64Array | None = None,
    rows: Int64Array | None = None,
) -> Float32Array:
    """Return log Σ_k ω_k exp(⟨h_i, q_k⟩/τ) of items, fast and in float32: see `approximation_error`.

    In blocks whose K rows stay in the processor's cache, so that working memory does not grow with the catalogue.

    Args:
        items: (M, d).
        queries: (K, d): z + m for scores, m for the partition A_i.
        temperature: τ.
        log_weights: (K,) log ω_k, all finite; None for weights of 1.
        rows: (r,) which items, None for all.

    Returns:
        (M,) or (r,) float32.
    """
    scaled = np.ascontiguousarray((queries / np.float32(temperature)).T)  # (d, K)
    offsets = None if log_weights is None else log_weights.astype(np.float32)[:, None]  # (K, 1)
    totals = np.empty(len(items) if rows is None else len(rows), dtype=np.float32)
    for start in range(0, len(totals), BLOCK):
        chosen = slice(start, start + BLOCK)
        block = items[chosen] if rows is None else items[rows[chosen]]  # (b, d)
        logits = np.ascontiguousarray(product(block, scaled).T)  # (K, b): sums run along whole rows
        if offsets is not None:
            logits += offsets
        totals[chosen] = log_sum_exp_of_rows(logits, temperature if offsets is None else None)
    return totals


def log_sums_over_concepts(
    items: Float32Array, queries: Float32Array, temperature: float, log_weights: Float64Array | None = None
) -> Float32Array:
    """Return log Σ_k ω_k exp(⟨h_i, q_k⟩/τ) of all items for U users: (M, d), (U, K, d), (K,) → (U, M) float32."""
    users, concepts, dimensions = queries.shape
    if users == 1:
        return log_sum_over_concepts(items, queries[0], temperature, log_weights)[None]
    stacked: Float32Array = (queries / np.float32(temperature)).swapaxes(0, 1).reshape(-1, dimensions)  # (K·U, d)
    totals = np.empty((users, len(items)), dtype=np.float32)
    for start in range(0, len(items), BLOCK_OF_MANY):
        rows = items[start : start + BLOCK_OF_MANY]  # (b, d)
        logits: Float32Array = (stacked @ rows.T).reshape(concepts, users, len(rows))
        if log_weights is not None:
            logits += log_weights.astype(np.float32)[:, None, None]
        chosen = slice(start, start + len(rows))
        totals[:, chosen] = log_sum_exp_of_rows(logits, temperature if log_weights is None else None)
    return totals


def exponentials_fit(temperature: float, log_weights: Float64Array | None = None, *, with_shares: bool = False) -> bool:
    """Say whether exponentials of ⟨h, z + m⟩/τ + log ω can be summed in float32; (K,) log ω_k, all finite, None for 0.

    The products are between ±2, and rows of a bundle unit to within .1 %. Where the sums are to be multiplied with exp(−A), A is
    at most as large as one product with a unit prototype, and log K. Without weights that makes nothing too small: sums over
    all concepts come to at least the smallest ⟨h, z⟩/τ. Some concepts may come to less, of an item that belongs to others.
    """
    if log_weights is None:
        return 2.1 / temperature < LARGEST_EXPONENT
    products = 3.2 if with_shares else 2.1
    return products / temperature + float(np.abs(log_weights).max()) < LARGEST_EXPONENT


def log_sum_exp_of_rows(logits: Float32Array, temperature: float | None) -> Float32Array:
    """Return log Σ exp over the first axis, float32: (K, …) → (…). What it is given is used up.

    Args:
        logits: ⟨h, z + m⟩/τ.
        temperature: τ where these are all; None where concept weights have been added, which may take them anywhere.
    """
    if temperature is not None and exponentials_fit(temperature):
        np.exp(logits, out=logits)
        small: Float32Array = np.log(logits.sum(axis=0))
        return small
    top = logits.max(axis=0)
    logits -= top
    np.exp(logits, out=logits)
    total: Float32Array = np.log(logits.sum(axis=0)) + top
    return total


def product(rows: Float32Array, columns: Float32Array) -> Float32Array:
    """Return rows @ columns, (n, d) @ (d, K), in parts that OpenBLAS takes as they are."""
    result = np.empty((len(rows), columns.shape[1]), dtype=np.float32)
    step = max(1, SMALL_PRODUCT // columns.size)
    for start in range(0, len(rows), step):
        np.matmul(rows[start : start + step], columns, out=result[start : start + step])
    return result


def approximation_error(dimensions: int, temperature: float, log_weights: Float64Array | None = None) -> float:
    """Bound how far float32 may put a score from its true value.

    A dot product of d terms is off by at most (d + 2) roundings of ‖a‖·‖b‖, in any order of summation. Two of them
    enter a score, one with ‖z + m‖ ≤ 2 and one with ‖m‖ = 1; log Σ exp passes an error on without enlarging it
    and adds a few roundings of its own, of values up to 2/τ + log K. Rows of a bundle are unit to within 0.1 %: the 1.02.
    Weights add their logarithms, rounded, to values that are rounded again a few times: at most four roundings of each.
    """
    roundings = (3 * (dimensions + 2) + 16) / temperature + 32
    if log_weights is not None:
        roundings += 4 * float(np.abs(log_weights).max())
    return 1.02 * UNIT_ROUNDOFF * roundings


def within_reach_of_the_best(
    approximate: Float32Array, n: int, error: float | Float64Array, *, exponentials: bool = False
) -> BoolArray:
    """Say which values may belong to the n largest once their error is removed; and of some more, which may not.

    Args:
        approximate: (…, M) float32 values, each off by at most `error`; −inf never belongs to them.
        n: 1 ≤ n.
        error: the bound, or (…, 1) one for each line. Two values within twice of it may stand in either order.
        exponentials: whether these are the exponentials of such values, and 0 stands for −inf.

    Returns:
        (…, M), of the n largest along the last axis.
    """
    nothing = np.float32(0 if exponentials else -np.inf)
    if n >= approximate.shape[-1]:
        there: BoolArray = approximate > nothing
        return there
    nth = below_the_best(approximate, n).astype(np.float64)
    lowest = nth * np.exp(-2 * error) if exponentials else nth - 2 * error
    lowest32 = np.nextafter(lowest.astype(np.float32), -np.float32(np.inf))  # float32, or all values are made float64
    near: BoolArray = approximate >= lowest32
    if (lowest32 <= nothing).any():
        near &= approximate > nothing
    return near


def below_the_best(values: Float32Array, n: int) -> Float32Array:
    """Return for each line a number that its n largest reach, n ≤ M, and few others: (…, M) → (…, 1).

    Of many, the largest in each of many groups are looked at alone: the n-th of those is reached by n of all.
    """
    groups = values.shape[-1] // GROUPED
    if groups >= GROUPS_FOR_EACH * n:
        grouped = values[..., : groups * GROUPED].reshape(*values.shape[:-1], GROUPED, groups)
        values = grouped.max(axis=-2)  # of items that are far from each other, for neighbours may be alike
    return np.partition(values, -n, axis=-1)[..., -n, None]


def best(indices: Int64Array, scores: Float64Array, concepts: Int64Array, n: int, *, certified: bool) -> Ranking:
    """Order candidates by score, then by item index, and keep n."""
    order = np.lexsort((indices, -scores))[:n]
    return Ranking(indices[order], scores[order], concepts[order], certified)
