"""Axes chosen after training: true causes are found again under any rotation, and nothing else changes."""

import numpy as np
import pytest
from scipy import stats

from macrid.model import basis as basis_module
from macrid.model.basis import independent_basis


def rotation(d, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


def uniform_causes(rng, items, causes, d, noise=0.02):
    """(items, d): independent uniform causes on the first axes, a little normal noise on all."""
    values = noise * rng.normal(size=(items, d))
    values[:, :causes] += rng.uniform(-0.5, 0.5, size=(items, causes))
    return values


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def agreement(found, causes):
    """Mean over causes of the largest |correlation| with a coordinate, and the mean of the second largest."""
    n = causes.shape[1]
    table = np.sort(np.abs(np.corrcoef(found.T, causes.T)[:-n, -n:]), axis=0)
    return table[-1].mean(), table[-2].mean()


@pytest.mark.parametrize("seed", range(5))
def test_causes_of_equal_weight_are_found_under_any_rotation(rng, seed):
    causes = uniform_causes(rng, 400, 4, 20)
    mixed = causes @ rotation(20, seed)
    found = mixed @ independent_basis(mixed, np.zeros(400, dtype=np.int64), np.ones(400, dtype=np.int64))
    best, second = agreement(found, causes[:, :4])
    assert best > 0.97
    assert second < 0.3
    assert agreement(mixed, causes[:, :4])[0] < 0.92  # the rotation did hide them


def test_concepts_with_causes_of_their_own_share_one_basis(rng):
    blocks = [uniform_causes(rng, 300, 3, 30) for _ in range(4)]
    truth = [block[:, :3] for block in blocks]
    placed = np.concatenate([np.roll(block, 5 * k, axis=1) for k, block in enumerate(blocks)])
    placed += 3 * np.eye(30)[25:29].repeat(300, axis=0)  # concepts stand apart
    concepts = np.arange(4).repeat(300)
    found = placed @ rotation(30, 1)
    found = found @ independent_basis(found, concepts, np.ones(1200, dtype=np.int64))
    for k in range(4):
        best, second = agreement(found[concepts == k], truth[k])
        assert best > 0.97
        assert second < 0.3


def test_sparse_causes_are_found_as_well(rng):
    causes = np.zeros((2000, 10))
    causes[:, :3] = rng.laplace(size=(2000, 3))
    mixed = causes @ rotation(10, 3)
    found = mixed @ independent_basis(mixed, np.zeros(2000, dtype=np.int64), np.ones(2000, dtype=np.int64))
    best, _ = agreement(found[:, :3], causes[:, :3])
    assert best > 0.97


@pytest.mark.parametrize(("items", "d", "concepts"), [(1, 4, 1), (3, 8, 2), (50, 5, 7), (400, 6, 1)])
def test_the_basis_is_orthogonal_whatever_the_items(rng, items, d, concepts):
    rows = rng.normal(size=(items, d))
    found = independent_basis(rows, rng.integers(concepts, size=items), rng.integers(1, 9, size=items))
    np.testing.assert_allclose(found.T @ found, np.eye(d), atol=1e-10)


def test_items_that_are_all_alike_have_a_basis_too():
    found = independent_basis(np.ones((9, 3)), np.zeros(9, dtype=np.int64), np.ones(9, dtype=np.int64))
    np.testing.assert_allclose(found.T @ found, np.eye(3), atol=1e-10)


def test_axes_come_in_the_order_of_variance_and_rise_with_popularity(rng):
    causes = uniform_causes(rng, 500, 3, 6) * [1.0, 0.8, 0.6, 1, 1, 1]
    popularity = (1000 * np.exp(-3 * causes[:, 0])).astype(np.int64)  # clicked where the first cause is low
    mixed = causes @ rotation(6, 2)
    found = mixed @ independent_basis(mixed, np.zeros(500, dtype=np.int64), popularity)
    variances = found.var(axis=0)
    assert (np.diff(variances) <= 1e-12).all()
    assert stats.spearmanr(found[:, 0], causes[:, 0]).statistic < -0.95


def test_it_is_the_same_every_time(rng):
    rows, concepts, popularity = rng.normal(size=(200, 8)), rng.integers(3, size=200), rng.integers(1, 9, size=200)
    assert (
        independent_basis(rows, concepts, popularity).tobytes()
        == independent_basis(rows, concepts, popularity).tobytes()
    )


def test_a_sample_of_many_items_finds_the_same_causes(rng, monkeypatch):
    monkeypatch.setattr(basis_module, "MAX_ITEMS", 500)
    causes = uniform_causes(rng, 5000, 3, 12)
    mixed = causes @ rotation(12, 4)
    found = mixed @ independent_basis(mixed, np.zeros(5000, dtype=np.int64), np.ones(5000, dtype=np.int64))
    assert agreement(found, causes[:, :3])[0] > 0.97


def test_the_gradient_is_that_of_the_contrast(rng):
    groups = basis_module._groups(rng.laplace(size=(60, 4)), rng.integers(2, size=60))
    at, eps = rotation(4, 0), 1e-6
    _, gradient = basis_module._contrast(at, groups)
    for i, j in ((0, 0), (2, 1), (3, 3)):
        step = np.zeros((4, 4))
        step[i, j] = eps
        difference = basis_module._contrast(at + step, groups)[0] - basis_module._contrast(at - step, groups)[0]
        assert gradient[i, j] == pytest.approx(difference / (2 * eps), rel=1e-5, abs=1e-9)
