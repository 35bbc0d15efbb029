"""Where the items lie on a map: two coordinates for each, so that items with alike embeddings lie near each other.

The last thing the trainer computes before it writes a bundle. For eyes only: nothing is ranked by it. Must not import torch.
"""

import numpy as np
from openTSNE import TSNE

from macrid.artifacts.schema import Float32Array

# Fitted together; a larger catalogue is fitted on this many of its items. 2,000 take 4 s on one core, 10,000 about 30.
MOST_FITTED = 10_000
# 375 steps keep as many of an item's ten nearest neighbours as the library's 750 do (66 % on the demo shop), in half the time.
EXAGGERATED_STEPS, STEPS = 125, 250
PERPLEXITY = 30
NEIGHBOURS = 5
FEWEST = 8  # fewer items have no neighbourhoods worth an optimisation


def item_places(item_embeddings: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Place every item on a map, by t-SNE (van der Maaten and Hinton 2008), begun from the principal plane.

    More items than MOST_FITTED are not fitted together: a random sample is, and every other item goes to the median of its
    nearest sampled neighbours' places, so that the cost stays bounded.

    Args:
        item_embeddings: (M, d), unit rows; on them Euclidean distance orders as the cosine does.
        rng: draws the sample and the seed; the same state gives the same places.

    Returns:
        (M, 2), centred, the farther of the two axes from -1 to 1.
    """
    items = len(item_embeddings)
    fitted = np.sort(rng.permutation(items)[:MOST_FITTED])  # (S,)
    places = np.empty((items, 2))
    if items < FEWEST:
        places[:] = principal_plane(item_embeddings)
        return scaled(places)
    start = 1e-4 * scaled(principal_plane(item_embeddings[fitted])).astype(np.float64)
    embedding = tsne(len(fitted), int(rng.integers(2**31))).fit(item_embeddings[fitted], initialization=start)
    places[fitted] = embedding
    others = np.setdiff1d(np.arange(items), fitted, assume_unique=True)
    if len(others):
        places[others] = embedding.prepare_partial(item_embeddings[others], initialization="median", k=NEIGHBOURS)
    return scaled(places)


def tsne(items: int, seed: int) -> TSNE:
    """The projection of so many items, deterministic for a seed."""
    return TSNE(
        perplexity=min(PERPLEXITY, (items - 1) / 3),
        early_exaggeration_iter=EXAGGERATED_STEPS,
        n_iter=STEPS,
        neighbors="exact",
        n_jobs=1,
        random_state=seed,
    )


def principal_plane(rows: Float32Array) -> np.ndarray:
    """The rows in the plane of their largest spread, (n, d) -> (n, 2)."""
    centred = rows - rows.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    plane = np.zeros((len(rows), 2))
    plane[:, : len(axes[:2])] = centred @ axes[:2].T
    return plane


def scaled(places: np.ndarray) -> Float32Array:
    """Centre places and fit them into the square from -1 to 1, both axes alike."""
    low, high = places.min(axis=0), places.max(axis=0)
    half = max(float((high - low).max()) / 2, np.finfo(np.float64).tiny)
    return np.ascontiguousarray((places - (low + high) / 2) / half, dtype=np.float32)
