"""Independence of dimensions on codes whose correlations are known."""

import numpy as np
import pytest

from macrid.model.analysis import independence as module
from macrid.model.analysis.independence import independence

RNG = np.random.default_rng(0)
SQUARE = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=np.float32)  # two uncorrelated columns


def test_uncorrelated_dimensions_are_independent():
    assert independence(SQUARE, RNG).value == pytest.approx(1)


def test_a_dimension_and_its_mirror_image_are_not():
    assert independence(SQUARE[:, [0]] * [1, -2], RNG).value == pytest.approx(0)


def test_a_duplicated_dimension_costs_its_pair():
    assert independence(SQUARE[:, [0, 1, 1]], RNG).value == pytest.approx(1 - 1 / 3)  # one of three pairs is correlated


def test_constant_dimensions_are_left_out_and_counted():
    found = independence(np.column_stack([SQUARE, np.ones(4)]).astype(np.float32), RNG)
    assert (found.value, found.dimensions, found.constant) == (pytest.approx(1), 2, 1)


def test_a_single_dimension_has_no_pair():
    assert np.isnan(independence(SQUARE[:, :1], RNG).value)


def test_random_codes_have_the_value_that_is_printed_beside():
    codes = np.random.default_rng(1).standard_normal((5_697, 100), dtype=np.float32)
    found = independence(codes, RNG)
    assert found.value == pytest.approx(found.random, abs=1e-3)
    assert found.random == pytest.approx(0.989, abs=1e-3)  # PAPER.md: about 1 − √(2 / πn)


def test_pieces_give_what_numpy_gives_at_once(monkeypatch):
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
    codes = RNG.standard_normal((50, 6)).astype(np.float32) + 3
    correlations = np.abs(np.corrcoef(codes, rowvar=False))
    assert independence(codes, RNG).value == pytest.approx(1 - correlations[np.triu_indices(6, 1)].mean())
