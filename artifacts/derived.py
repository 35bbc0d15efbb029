"""Arrays that follow from the others, written once so that every worker maps them instead of making its own.

A bundle of a format that did not have them gets them when it is opened, in memory of the process that opens it.
"""

from collections.abc import Mapping

import numpy as np

from macrid.artifacts.schema import Float64Array

BLOCK = 65_536  # items at a time: working memory stays bounded at any catalogue size


def derive(arrays: Mapping[str, np.ndarray], temperature: float) -> dict[str, np.ndarray]:
    """Make the derived arrays of `schema.ARRAYS` from the others, which must be valid."""
    main = arrays["concept_weights"].argmax(axis=1).astype(np.int64)
    return {
        "log_partition": log_partition(arrays["item_embeddings"], arrays["prototypes"], temperature),
        "main_concepts": main,
        "items_by_concept": np.argsort(main, kind="stable").astype(np.int64),
        "items_by_popularity": np.argsort(-arrays["popularity"], kind="stable").astype(np.int64),
    }


def log_partition(items: np.ndarray, prototypes: np.ndarray, temperature: float) -> Float64Array:
    """Return A_i = log Σ_k exp(⟨h_i, m_k⟩ / τ), each item by itself: equal rows get equal numbers. (M, d), (K, d) -> (M,)."""
    totals = np.empty(len(items))
    centres = prototypes.astype(np.float64)
    for start in range(0, len(items), BLOCK):
        rows = items[start : start + BLOCK].astype(np.float64)
        # einsum and not @: BLAS rounds the same row differently at different places of a matrix.
        affinities = np.einsum("md,kd->mk", rows, centres) / temperature  # (b, K)
        top = affinities.max(axis=1)
        totals[start : start + BLOCK] = top + np.log(np.exp(affinities - top[:, None]).sum(axis=1))
    return totals
