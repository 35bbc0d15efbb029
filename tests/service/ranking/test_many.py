"""Many users at once get what each would get alone, to the last bit."""

import numpy as np
import pytest

from macrid.service.encoder import unit_rows
from macrid.service.ranking import many, rounded, scores
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.items import Items
from macrid.service.ranking.many import rank_many


@pytest.mark.parametrize("at_once", [1, 900, 4_000_000])
@pytest.mark.parametrize("n", [1, 20, 500])
@pytest.mark.parametrize("eight_bits", [True, False])
@pytest.mark.parametrize("few", [6, 7])  # of seven users
def test_as_one_by_one(monkeypatch, at_once, n, eight_bits, few):
    monkeypatch.setattr(many, "FEW_USERS", few)
    monkeypatch.setattr(many, "SCORES_AT_ONCE", at_once)
    monkeypatch.setattr(rounded, "BLOCK", 64)
    monkeypatch.setattr(scores, "BLOCK_OF_MANY", 64)
    rng = np.random.default_rng(2)
    rows = unit_rows(rng.normal(size=(300, 12)).astype(np.float32))[rng.integers(0, 200, 300)]  # with ties
    items = Items(rows, unit_rows(rng.normal(size=(4, 12)).astype(np.float32)), 0.1, eight_bits=eight_bits)
    users = np.stack([unit_rows(rng.normal(size=(4, 12)).astype(np.float32)) for _ in range(7)])
    excluded = [np.sort(rng.choice(300, at * 40, replace=False)) for at in range(7)]
    for ranking, components, left_out in zip(rank_many(items, users, n, excluded), users, excluded, strict=True):
        expected = ExactRanker(items).rank(components, n, left_out)
        np.testing.assert_array_equal(ranking.indices, expected.indices)
        np.testing.assert_array_equal(ranking.scores, expected.scores)
        np.testing.assert_array_equal(ranking.concepts, expected.concepts)


def test_with_everything_excluded_there_is_nothing_for_one_and_all_for_the_other():
    rng = np.random.default_rng(3)
    items = Items(
        unit_rows(rng.normal(size=(30, 8)).astype(np.float32)), unit_rows(np.eye(3, 8, dtype=np.float32)), 0.1
    )
    users = np.stack([unit_rows(rng.normal(size=(3, 8)).astype(np.float32)) for _ in range(2)])
    everything, nothing = np.arange(30), np.arange(0)
    alone = rank_many(items, users[:1], 5, [everything])
    assert [len(ranking.indices) for ranking in alone] == [0]
    both = rank_many(items, users, 40, [everything, nothing])
    assert [len(ranking.indices) for ranking in both] == [0, 30]


@pytest.mark.parametrize("temperature", [0.01, 0.02, 0.1, 1.0])
def test_whatever_the_temperature_the_scores_are_finite_and_those_of_one_by_one(temperature):
    rng = np.random.default_rng(4)
    prototypes = unit_rows(rng.normal(size=(3, 8)).astype(np.float32))
    items = Items(np.concatenate([prototypes, -prototypes]), prototypes, temperature)  # as near and as far as can be
    users = np.stack([prototypes, -prototypes])
    for ranking, components in zip(rank_many(items, users, 6, [np.arange(0)] * 2), users, strict=True):
        expected = ExactRanker(items).rank(components, 6, np.arange(0))
        assert np.isfinite(ranking.scores).all()
        np.testing.assert_array_equal(ranking.indices, expected.indices)
        np.testing.assert_array_equal(ranking.scores, expected.scores)
