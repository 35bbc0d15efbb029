"""A split on which taste matters: three circles of users, each clicking a third of the items."""

import numpy as np
import polars as pl
import pytest

from macrid.model.interactions import from_pairs
from macrid.model.splitting import strong_generalization


@pytest.fixture(scope="session")
def circles():
    """240 users, 90 items: each of the 30 items of a user's circle is clicked with probability .4, all others with .03."""
    rng = np.random.default_rng(0)
    circle_of_user, circle_of_item = np.arange(240) % 3, np.arange(90) % 3
    chance = np.where(circle_of_user[:, None] == circle_of_item, 0.4, 0.03)
    users, items = np.nonzero(rng.random(chance.shape) < chance)
    frame = pl.DataFrame({"user": [f"u{user}" for user in users], "item": [f"i{item}" for item in items]})
    return strong_generalization(from_pairs(frame, min_user_items=5, source="circles"), held_out_users=40, seed=1)
