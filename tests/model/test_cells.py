"""Items go into the nearest cell, or nearly always, though most centres are never looked at."""

import numpy as np
import pytest

from macrid.model import cells
from macrid.model.cells import Cells, divide


def clustered(count, seed, dimensions=32, clusters=300):
    """Unit rows around some hundred directions."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((clusters, dimensions))[rng.integers(clusters, size=count)]
    rows += 0.6 * rng.standard_normal((count, dimensions))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_of_few_centres_all_are_compared():
    items = clustered(3000, 0)
    centres = items[:200]
    assert np.array_equal(Cells(centres).nearest(items), (items @ centres.T).argmax(axis=1))


def test_of_many_centres_nearly_every_item_finds_the_nearest(monkeypatch):
    monkeypatch.setattr(cells, "BLOCK", 1000)
    items = clustered(8000, 1)
    centres = items[:2500]
    found, truth = Cells(centres).nearest(items), (items @ centres.T).argmax(axis=1)
    cosines = [np.einsum("nd,nd->n", items, centres[of]) for of in (found, truth)]
    assert np.mean(found == truth) > 0.98
    assert np.all(cosines[0] <= cosines[1] + 1e-6)
    monkeypatch.setattr(cells, "COMPARED", 2)
    assert np.mean(Cells(centres).nearest(items) == truth) < np.mean(found == truth)


@pytest.mark.parametrize("count", [0, 1])
def test_no_item_and_one(count):
    centres = clustered(1500, 2)
    assert len(Cells(centres).nearest(centres[:count])) == count


def test_dividing_again_gives_the_same_cells():
    items = clustered(4000, 3)
    assert np.array_equal(divide(items, 1100, seed=5).centres, divide(items, 1100, seed=5).centres)
    assert len(divide(items, 1100, seed=5)) == 1100
