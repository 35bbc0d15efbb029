"""Which rows of the tables an update looks at when the catalogue is large: the batch's clicks, and a sample of all items.

The sample is stratified: every item has an expected count, given by its rank in popularity, and one draw falls into each part
of equal expected count. An item that would be expected more than once is always in, and counts once. So the sum over
all items is estimated without bias by the sampled items, each weighted by count / expected count (Hansen and Hurwitz 1943), with
less variance than that of independent draws, and a sample of every item is no estimate at all but the sum itself. What is
biased is the logarithm of that sum, and so the gradient, the less the larger the sample (Bengio and Senécal 2008).

Nothing here or in an update is in proportion to the number of items.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from macrid.model.errors import DataError
from macrid.model.network import Histories

Distribution = Literal["log_uniform", "uniform"]


@dataclass(frozen=True)
class Sample:
    """R items of an update: first the C that its users clicked, ascending, then those that were only sampled.

    Attributes:
        items: (R,) int64, the items' rows in the tables.
        log_weights: (R,) float32, log(count / expected count); −inf for an item that was clicked but not sampled.
        histories: the batch's clicks as positions in `items`, all of them below C.
        clicked: C.
    """

    items: Tensor
    log_weights: Tensor
    histories: Histories
    clicked: int

    def weights_in_a_sum(self) -> Tensor:
        """(R,) weights with which f(items) adds up, on average, to its sum over all M items: 1 for what was clicked."""
        weights = self.log_weights.exp()
        weights[: self.clicked] = 1.0
        return weights

    def touched(self) -> Mapping[str, Tensor]:
        """Parameter of the network -> its rows that the update changes."""
        return {"item_embeddings": self.items, "context_embeddings": self.items[: self.clicked]}


class ItemSampler:
    """Draws samples of items; the more popular ones more often, or all alike.

    log_uniform: the item at rank r, from 0, has a share of log((r + 2) / (r + 1)), Zipf's law, which needs no counts.
    """

    def __init__(self, training: sparse.csr_matrix, samples: int, distribution: Distribution) -> None:
        """Rank the M items by their clicks in training, (U, M).

        Args:
            training: implicit matrix.
            samples: how many items to draw, 1 to M; repeated ones are looked at once.
            distribution: see the class.
        """
        items = training.shape[1]
        check_samples(samples, items)
        clicks = np.bincount(training.indices, minlength=items)
        self._by_rank = torch.from_numpy(np.argsort(-clicks, kind="stable"))  # (M,)
        ranks = np.arange(items)
        shares = np.log1p(1 / (ranks + 1)) if distribution == "log_uniform" else np.ones(items)
        left = np.cumsum(shares[::-1])[::-1]  # of this rank and all below
        drawn = (samples - ranks) * shares < left  # expected less than once, when all above are in
        self._certain = int(drawn.argmax()) if drawn.any() else items
        self._draws = samples - self._certain
        tail = shares[self._certain :]
        expected = np.concatenate([np.ones(self._certain), self._draws * tail / tail.sum()])
        self._cumulative = torch.from_numpy(np.cumsum(tail))
        self._log_expected = torch.from_numpy(np.log(expected))  # (M,) by rank

    def draw(self, batch: Histories, generator: torch.Generator) -> Sample:
        """A sample for one update, from as many random numbers as there are draws."""
        ranks, counts = self._draw(generator)
        sampled, log_weights = self._by_rank[ranks], counts.double().log() - self._log_expected[ranks]
        clicked, positions = torch.unique(batch.items, return_inverse=True)
        at = torch.searchsorted(clicked, sampled).clamp_max(len(clicked) - 1)
        also_clicked = clicked[at] == sampled
        at = torch.where(also_clicked, at, len(clicked) - 1 + (~also_clicked).cumsum(0))
        items = torch.cat([clicked, sampled[~also_clicked]])
        spread = torch.full((len(items),), -torch.inf)
        spread[at] = log_weights.float()
        return Sample(items, spread, Histories(positions, batch.rows, batch.users), len(clicked))

    def _draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Ranks, ascending and each once, and how often each was drawn."""
        certain = torch.arange(self._certain)
        if not self._draws:
            return certain, torch.ones_like(certain)
        uniform = torch.rand(self._draws, generator=generator, dtype=torch.float64)
        places = (torch.arange(self._draws) + uniform) * (self._cumulative[-1] / self._draws)
        found = torch.searchsorted(self._cumulative, places, right=True).clamp_max(len(self._cumulative) - 1)
        ranks, counts = torch.unique_consecutive(found, return_counts=True)
        return torch.cat([certain, self._certain + ranks]), torch.cat([torch.ones_like(certain), counts])


def check_samples(samples: int, items: int) -> None:
    """Refuse a sample that cannot be drawn.

    Raises:
        DataError: names the number and what was expected.
    """
    if not 1 <= samples <= items:
        raise DataError(f"samples is {samples}, expected 1 to {items}, the number of items; or 0 for all items")
