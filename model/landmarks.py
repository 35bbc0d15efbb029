"""Landmarks: a few vectors that stand for all items of a concept, where what a model expects of a user is computed.

The expectation over all items costs as much as ranking them. It changes slowly with a user's component, and means of like items,
weighted by how much of them belongs to the concept, give it nearly as well: docs/decisions/0010.
"""

import faiss
import numpy as np
import torch
from scipy import sparse

from macrid.artifacts.schema import ARRAYS, Float32Array, Int64Array
from macrid.model.network import Landmarks, MacridVAE, Refinement

LANDMARKS = int(ARRAYS["landmarks"].shape[1])  # S, of each concept
SAMPLED = 256 * LANDMARKS  # items that k-means looks at
ROUNDS = 8
BLOCK = 65_536
SEED = 1


def refinement_of(network: MacridVAE, step: float, *, by_landmarks: bool = True) -> Refinement | None:
    """The refinement of a trained network's components, by landmarks or by every item; None for a step of 0."""
    if not step:
        return None
    if not by_landmarks:
        return Refinement(step)
    unit_items = network.unit_items().detach()
    weights = network.concept_logits(unit_items).detach().softmax(dim=1)
    return Refinement(step, Landmarks(*map(torch.from_numpy, landmarks(unit_items.numpy(), weights.numpy()))))


def landmarks(items: Float32Array, weights: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Group the items of every concept by likeness: the means of the groups, and how much of the concept is in each.

    Args:
        items: (M, d), unit rows.
        weights: (M, K), above 0. With S items or fewer each stands for itself.

    Returns:
        (K, S, d) and (K, S), both 0 for groups that are empty.
    """
    concepts, d = weights.shape[1], items.shape[1]
    rng = np.random.default_rng(SEED)
    sample = np.sort(rng.choice(len(items), min(len(items), SAMPLED), replace=False))
    masses, sums = np.zeros((concepts, LANDMARKS)), np.zeros((concepts, LANDMARKS, d))
    for k in range(concepts):
        share = np.ascontiguousarray(weights[:, k])
        centres = items if len(items) <= LANDMARKS else _centres(items[sample], share[sample])
        for at in range(0, len(items), BLOCK):
            rows, parts = items[at : at + BLOCK], share[at : at + BLOCK].astype(np.float64)
            belongs = sparse.csc_array(
                (parts, nearest(rows, centres), np.arange(len(rows) + 1)), shape=(LANDMARKS, len(rows))
            )
            masses[k] += belongs.sum(axis=1)
            sums[k] += belongs @ rows
    means = sums / np.where(masses > 0, masses, 1.0)[:, :, None]
    return means.astype(np.float32), masses.astype(np.float32)


def _centres(items: Float32Array, shares: Float32Array) -> Float32Array:
    clustering = faiss.Kmeans(items.shape[1], LANDMARKS, niter=ROUNDS, seed=SEED, min_points_per_centroid=1)
    clustering.train(items, weights=shares)
    return np.asarray(clustering.centroids, dtype=np.float32)


def nearest(rows: Float32Array, centres: Float32Array) -> Int64Array:
    """Of each row the nearest centre; of equally near ones the first."""
    return np.asarray((rows @ centres.T - np.square(centres).sum(axis=1) / 2).argmax(axis=1), dtype=np.int64)
