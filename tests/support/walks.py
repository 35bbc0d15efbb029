"""The objective of a walk, written out as PAPER.md 2.4 does."""

import itertools

import numpy as np


def objective(rows, start, dim, choice, gamma):
    """Σ_t cos(i_t, start) + γ Σ_{t<t'} cos(i_t, i_t'), without the coordinate."""

    def cosine(a, b):
        a, b = np.delete(a.astype(np.float64), dim), np.delete(b.astype(np.float64), dim)
        return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))

    chosen = [rows[position] for position in choice]
    pairs = sum(cosine(a, b) for a, b in itertools.combinations(chosen, 2))
    return sum(cosine(row, start) for row in chosen) + gamma * pairs
