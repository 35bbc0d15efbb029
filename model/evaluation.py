"""Scorer + held-out users -> NDCG@100, Recall@20, Recall@50 with standard errors."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

from macrid.artifacts.schema import Float32Array
from macrid.model import metrics
from macrid.model.splitting import HeldOut

BATCH = 500
SCORES = 64_000_000  # at work at a time, 256 MB: with more than 128,000 items a batch has fewer users
DEPTH = 100
MEASURES: dict[str, Callable[[metrics.Hits, npt.NDArray[np.int64]], metrics.PerUser]] = {
    "ndcg@100": partial(metrics.ndcg_at_k, k=100),
    "recall@20": partial(metrics.recall_at_k, k=20),
    "recall@50": partial(metrics.recall_at_k, k=50),
}


class Scorer(Protocol):
    """Anything that scores all items for histories."""

    def score(self, histories: sparse.csr_matrix) -> Float32Array:
        """(B, M) histories -> (B, M) float32, higher is better; the history's own items need not be masked."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """Per-user values of every measure, each (B,) float64."""

    values: dict[str, metrics.PerUser]

    def mean(self, measure: str) -> float:
        """Mean over users."""
        return float(self.values[measure].mean())

    def summary(self) -> dict[str, dict[str, float]]:
        """Measure -> mean and standard error, as manifests and tables show it."""
        return {
            name: {"mean": float(values.mean()), "standard_error": metrics.standard_error(values)}
            for name, values in self.values.items()
        }


def rank(scorer: Scorer, histories: sparse.csr_matrix, n: int) -> np.ndarray:
    """The n best items outside each history, (B, min(n, M)) int64, best first."""
    scores = scorer.score(histories)
    scores[histories.nonzero()] = -np.inf
    return metrics.top_items(scores, n)


def evaluate(scorer: Scorer, held_out: HeldOut) -> Evaluation:
    """Rank all items outside each fold-in and look for the withheld ones."""
    users = max(1, min(BATCH, SCORES // held_out.fold_in.shape[1]))
    parts = [_evaluate_rows(scorer, held_out, slice(at, at + users)) for at in range(0, len(held_out.user_ids), users)]
    return Evaluation({name: np.concatenate([np.zeros(0), *(part[name] for part in parts)]) for name in MEASURES})


def _evaluate_rows(scorer: Scorer, held_out: HeldOut, rows: slice) -> dict[str, metrics.PerUser]:
    ranked = rank(scorer, held_out.fold_in[rows], DEPTH)
    withheld = held_out.withheld[rows]
    hits = np.take_along_axis(withheld.toarray() > 0, ranked, axis=1)
    count = np.diff(withheld.indptr)
    return {name: measure(hits, count) for name, measure in MEASURES.items()}
