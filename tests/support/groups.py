"""A split small enough to train on in seconds: users who click within one of three groups of items."""

import numpy as np
import polars as pl

from macrid.model.interactions import from_pairs
from macrid.model.network import NetworkConfig
from macrid.model.splitting import strong_generalization
from macrid.model.training import TrainingConfig

CONFIG = TrainingConfig(network=NetworkConfig(concepts=3, dimensions=12), epochs=15, batch_size=50, learning_rate=5e-3)


def groups_interactions():
    """300 users who click 12 items within one of three groups of 30."""
    rng = np.random.default_rng(0)
    clicks = [
        (f"u{user}", f"i{item}")
        for user, group in enumerate(rng.integers(3, size=300))
        for item in rng.choice(np.arange(90)[np.arange(90) % 3 == group], size=12, replace=False)
    ]
    return from_pairs(pl.DataFrame(clicks, schema=["user", "item"], orient="row"), min_user_items=5, source="groups")


def groups_split():
    """Of them, 30 + 30 held out."""
    return strong_generalization(groups_interactions(), held_out_users=30, seed=1)
