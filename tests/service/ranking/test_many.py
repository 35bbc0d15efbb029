"""Many users at once get what each would get alone, to the last bit."""

import numpy as np
import pytest

from macrid.service.encoder import unit_rows
from macrid.service.ranking import many
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.items import Items
from macrid.service.ranking.many import rank_many


@pytest.mark.parametrize("at_once", [1, 900, 4_000_000])
@pytest.mark.parametrize("n", [1, 20, 500])
def test_as_one_by_one(monkeypatch, at_once, n):
    monkeypatch.setattr(many, "SCORES_AT_ONCE", at_once)
    monkeypatch.setattr(many, "ITEMS_AT_ONCE", 64)
    rng = np.random.default_rng(2)
    rows = unit_rows(rng.normal(size=(300, 12)).astype(np.float32))[rng.integers(0, 200, 300)]  # with ties
    items = Items(rows, unit_rows(rng.normal(size=(4, 12)).astype(np.float32)), 0.1)
    users = np.stack([unit_rows(rng.normal(size=(4, 12)).astype(np.float32)) for _ in range(7)])
    excluded = [np.sort(rng.choice(300, at * 40, replace=False)) for at in range(7)]
    for ranking, components, left_out in zip(rank_many(items, users, n, excluded), users, excluded, strict=True):
        expected = ExactRanker(items).rank(components, n, left_out)
        np.testing.assert_array_equal(ranking.indices, expected.indices)
        np.testing.assert_array_equal(ranking.scores, expected.scores)
        np.testing.assert_array_equal(ranking.concepts, expected.concepts)
