"""Places on the map: alike items lie near each other, the same seed gives the same map, and a sample stands for the rest."""

import numpy as np
import pytest

from macrid.model import projection
from macrid.model.projection import item_places


def clusters(*, each, groups=3, dimensions=12, seed=0):
    """Unit rows around a few directions, (each · groups, dimensions), and the group of each."""
    rng = np.random.default_rng(seed)
    home = np.repeat(np.arange(groups), each)
    rows = np.eye(dimensions)[home] + 0.15 * rng.normal(size=(len(home), dimensions))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), home


def place(rows, seed=0):
    return item_places(rows, np.random.default_rng(seed))


def share_beside_their_like(places, home):
    """Of items whose nearest other place is one of their own group."""
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return float((home[distances.argmin(axis=1)] == home).mean())


def test_items_lie_beside_their_like():
    rows, home = clusters(each=40)
    places = place(rows)
    assert places.shape == (120, 2)
    assert places.dtype == np.float32
    assert share_beside_their_like(places, home) > 0.98
    assert share_beside_their_like(places, np.random.default_rng(1).permutation(home)) < 0.6


def test_the_map_fills_its_square_and_keeps_its_proportions():
    places = place(clusters(each=40)[0])
    extent = places.max(axis=0) - places.min(axis=0)
    np.testing.assert_allclose(extent.max(), 2, atol=1e-6)
    np.testing.assert_allclose(places.max(axis=0) + places.min(axis=0), 0, atol=1e-6)


def test_the_same_seed_gives_the_same_map():
    rows, _ = clusters(each=20)
    np.testing.assert_array_equal(place(rows), place(rows))


def test_items_beyond_the_sample_go_to_their_like(monkeypatch):
    monkeypatch.setattr(projection, "MOST_FITTED", 60)
    rows, home = clusters(each=60)
    assert share_beside_their_like(place(rows), home) > 0.95
    np.testing.assert_array_equal(place(rows), place(rows))
    assert not np.array_equal(place(rows), place(rows, seed=1))  # another sample


@pytest.mark.parametrize("items", [1, 2, 3, projection.FEWEST - 1, projection.FEWEST, projection.FEWEST + 1])
def test_the_smallest_catalogues_have_a_map_too(items):
    places = place(clusters(each=items, groups=1)[0])
    assert places.shape == (items, 2)
    assert np.isfinite(places).all()


def test_items_that_are_all_the_same_lie_somewhere():
    assert np.isfinite(place(np.tile(np.eye(4, dtype=np.float32)[0], (20, 1)))).all()
