"""The average by rows against torch's, on tables of which every update changes a few rows."""

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from macrid.model.averaging import RowAverage
from macrid.model.network import MacridVAE, NetworkConfig

TABLES = ("item_embeddings", "context_embeddings")


def changing(network, generator, updates, *, before, after):
    """Change some rows of the tables and all of the rest, so many times."""
    for _ in range(updates):
        touched = {table: torch.randperm(20, generator=generator)[:3] for table in TABLES}
        before(touched)
        with torch.no_grad():
            for name, weights in network.named_parameters():
                rows = touched.get(name, slice(None))
                weights[rows] += torch.randn(weights[rows].shape, generator=generator, dtype=weights.dtype)
        after()


@pytest.mark.parametrize("decay", [0.9, 0.0])
def test_it_is_torchs_average_whenever_somebody_looks(decay):
    generator = torch.Generator().manual_seed(0)
    network = MacridVAE(20, NetworkConfig(concepts=2, dimensions=3), generator).double()
    theirs = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))
    ours = RowAverage(network, TABLES, decay)

    def after():
        theirs.update_parameters(network)
        ours.update_parameters(network)

    for updates in (1, 2, 30):
        changing(network, generator, updates, before=lambda touched: ours.settle(network, touched), after=after)
        ours.settle_all(network)
        for name, expected in theirs.module.state_dict().items():
            torch.testing.assert_close(ours.module.state_dict()[name], expected, rtol=1e-12, atol=1e-13)


def test_looking_twice_changes_nothing():
    generator = torch.Generator().manual_seed(0)
    network = MacridVAE(20, NetworkConfig(concepts=2, dimensions=3), generator)
    average = RowAverage(network, TABLES, 0.9)
    changing(
        network,
        generator,
        4,
        before=lambda touched: average.settle(network, touched),
        after=lambda: average.update_parameters(network),
    )
    average.settle_all(network)
    before = average.module.item_embeddings.clone()
    average.settle_all(network)
    assert torch.equal(average.module.item_embeddings, before)
