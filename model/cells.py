"""Dividing items into cells by direction: spherical k-means whose steps look only at centres in the neighbourhood.

With 16,384 cells, comparing every item with every centre takes minutes for a million items and hours for ten million. So
the centres themselves are grouped, and an item is compared with those of its own group and of the groups nearest to that. A
cell need not be the very nearest to be a good one, and the recall of what is built upon it is measured. (100,000 items,
4,166 cells in 65 groups: with 20 groups compared as many cells must be looked into as with all, with 8 twice as many.)
"""

import faiss
import numpy as np

from macrid.artifacts.schema import Float32Array, Int64Array

POINTS, ROUNDS = 24, 8  # of k-means, for each cell
ALL_COMPARED = 1024  # up to so many centres there are no groups
NEIGHBOURS = 20  # groups whose centres an item of a group is compared with, its own included
BLOCK = 65_536


class Cells:
    """Centres, and which of them an item belongs to."""

    def __init__(self, centres: Float32Array) -> None:
        """Group the centres, (cells, d) unit rows."""
        self.centres = centres
        groups = 1 if len(centres) <= ALL_COMPARED else int(np.sqrt(len(centres)))
        self._heads = centres[:1] if groups == 1 else k_means(centres, groups)  # (groups, d)
        group_of = (centres @ self._heads.T).argmax(axis=1)
        near = np.argsort(-(self._heads @ self._heads.T), axis=1, kind="stable")[
            :, :NEIGHBOURS
        ]  # (groups, ≤ NEIGHBOURS)
        self._members = [np.flatnonzero(np.isin(group_of, row)) for row in near]

    def __len__(self) -> int:
        return len(self.centres)

    def nearest(self, items: Float32Array) -> Int64Array:
        """Return the cell of each item: (n, d) -> (n,)."""
        cells = np.empty(len(items), dtype=np.int64)
        for start in range(0, len(items), BLOCK):
            block = items[start : start + BLOCK]
            group_of = (block @ self._heads.T).argmax(axis=1)
            order = np.argsort(group_of, kind="stable")
            ends = np.cumsum(np.bincount(group_of, minlength=len(self._heads)))
            for rows, members in zip(np.split(order, ends[:-1]), self._members, strict=True):
                cells[start + rows] = members[(block[rows] @ self.centres[members].T).argmax(axis=1)]
        return cells


def divide(items: Float32Array, cells: int, seed: int) -> Cells:
    """Find cells for items, (M, d) unit rows, from a sample of them; the same seed gives the same ones."""
    rng = np.random.default_rng(seed)
    sample = np.ascontiguousarray(
        items[np.sort(rng.choice(len(items), min(len(items), POINTS * cells), replace=False))]
    )
    centres = sample[rng.choice(len(sample), cells, replace=False)]
    for _ in range(ROUNDS):
        centres = means(sample, Cells(centres).nearest(sample), centres)
    return Cells(centres)


def means(items: Float32Array, cells: Int64Array, centres: Float32Array) -> Float32Array:
    """Return the mean direction of every cell's items; a cell without any keeps its centre."""
    order = np.argsort(cells, kind="stable")
    present, starts = np.unique(cells[order], return_index=True)
    sums = np.add.reduceat(items[order], starts, axis=0, dtype=np.float64)
    moved = centres.copy()
    moved[present] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return moved


def k_means(rows: Float32Array, groups: int) -> Float32Array:
    """Group a few thousand rows: (n, d) -> (groups, d) unit rows."""
    clustering = faiss.Kmeans(rows.shape[1], groups, niter=6, spherical=True, seed=1, min_points_per_centroid=1)
    clustering.train(np.ascontiguousarray(rows))
    return np.asarray(clustering.centroids, dtype=np.float32)
