"""The average of the weights (decision 3) where an update changes few rows of the tables: the others are averaged when needed.

A row that does not change for n updates draws its average nearer by the factor decay^n, so that the average of every row
can wait until the row changes, or until somebody looks: exactly the average of torch's AveragedModel, but for rounding.
"""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from macrid.model.network import MacridVAE


class RowAverage(nn.Module):
    """An exponential average over updates, whose first update is taken over as it is."""

    updates: Tensor

    def __init__(self, network: MacridVAE, tables: tuple[str, ...], decay: float) -> None:
        """Begin with the network as it is.

        Args:
            network: before its first update.
            tables: the parameters that are changed by rows.
            decay: of the average, per update; 0 for none.
        """
        super().__init__()
        self.module = copy.deepcopy(network)
        self._decay, self._tables = decay, tables
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        for table in tables:  # (M,) the update up to which each row has been averaged
            self.register_buffer(f"{table}_until", torch.zeros(len(getattr(network, table)), dtype=torch.int64))

    @torch.no_grad()
    def settle(self, network: MacridVAE, touched: Mapping[str, Tensor]) -> None:
        """Bring rows up to the last update: to be called before the next one changes them.

        Args:
            network: whose rows have not changed since they were settled last.
            touched: table -> distinct rows.
        """
        for table, rows in touched.items():
            average, until = getattr(self.module, table), getattr(self, f"{table}_until")
            nearer = self._nearer(until[rows]).to(average.dtype)
            settled = average.index_select(0, rows).lerp_(getattr(network, table).index_select(0, rows), nearer)
            average.index_copy_(0, rows, settled)
            until[rows] = self.updates

    @torch.no_grad()
    def settle_all(self, network: MacridVAE) -> None:
        """The same for every row, in proportion to the tables: for whoever looks at the average."""
        for table in self._tables:
            average, until = getattr(self.module, table), getattr(self, f"{table}_until")
            average.lerp_(getattr(network, table), self._nearer(until).to(average.dtype))
            until.fill_(self.updates)

    @torch.no_grad()
    def update_parameters(self, network: MacridVAE) -> None:
        """Take an update in, as torch's AveragedModel does; the rows it changed must have been settled before it."""
        weight = 1.0 if self.updates == 0 else 1.0 - self._decay
        for (name, average), weights in zip(self.module.named_parameters(), network.parameters(), strict=True):
            if name not in self._tables:
                average.lerp_(weights, weight)
        self.updates += 1

    def _nearer(self, until: Tensor) -> Tensor:
        """What share of the way to its row each average goes, (n,) -> (n, 1)."""
        kept = self._decay ** (self.updates - until).double()
        return torch.where(until > 0, 1 - kept, 1.0)[:, None]
