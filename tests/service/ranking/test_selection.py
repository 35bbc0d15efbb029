"""What is shown of a ranking, against a slow reference that says the same in plain words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macrid.service.encoder import unit_rows
from macrid.service.ranking import selection
from macrid.service.ranking.protocol import Ranking
from macrid.service.ranking.selection import Selection, places_within_concepts, select

TAU = 0.1


def fill_places(indices, scores, concepts, items, wanted, window):
    """The definition: for each place, the best of the first `window` items that are left and whose concept is not full."""
    left = [at for at in range(len(indices)) if wanted.min_score is None or scores[at] >= wanted.min_score]
    placed = []
    while len(placed) < wanted.n:
        full = {k for k in set(concepts) if sum(concepts[at] == k for at in placed) >= (wanted.per_concept or np.inf)}
        allowed = [at for at in left if concepts[at] not in full][:window]
        if not allowed:
            break

        def value(at):
            nearest = max((float(items[indices[at]] @ items[indices[other]]) for other in placed), default=0.0)
            return (1 - wanted.diversity) * TAU * scores[at] - wanted.diversity * nearest

        best = max(allowed, key=lambda at: (round(value(at), 9), -at))
        placed.append(best)
        left.remove(best)
    return [indices[at] for at in placed]


@st.composite
def rankings(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 60))
    items = unit_rows(rng.normal(size=(count, 4)).astype(np.float32)).astype(np.float64)
    scores = np.sort(rng.normal(size=count) * 5)[::-1]
    return rng.permutation(count), scores, rng.integers(0, 3, count), items


wishes = st.builds(
    Selection,
    n=st.integers(1, 70),
    min_score=st.sampled_from([None, -3.0, 2.0, 100.0]),
    per_concept=st.sampled_from([None, 1, 4]),
    diversity=st.sampled_from([0.0, 0.3, 1.0]),
)


def asked(world, wanted, window):
    indices, scores, concepts, items = world
    depths = []

    def rank(n):
        depths.append(n)
        return Ranking(indices[:n], scores[:n], concepts[:n], True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "WINDOW", window)
        return select(rank, wanted, items, TAU), depths


class TestSelect:
    @settings(deadline=None, max_examples=300)
    @given(rankings(), wishes, st.sampled_from([1, 3, 20]))
    def test_places_are_filled_as_the_definition_says(self, world, wanted, window):
        indices, scores, concepts, items = world
        found, _ = asked(world, wanted, window)
        expected = fill_places(indices, scores, concepts, items, wanted, window if wanted.diversity else 1)
        assert found.indices.tolist() == expected
        np.testing.assert_array_equal(found.scores, scores[np.argsort(indices)[found.indices]])

    @settings(deadline=None, max_examples=100)
    @given(rankings(), wishes, st.integers(1, 30))
    def test_fewer_places_are_filled_alike(self, world, wanted, fewer):
        everything, _ = asked(world, wanted, 5)
        first, _ = asked(world, Selection(fewer, wanted.min_score, wanted.per_concept, wanted.diversity), 5)
        shared = min(fewer, len(everything.indices))
        assert first.indices[:shared].tolist() == everything.indices[:shared].tolist()

    def test_a_plain_ranking_is_asked_for_once_and_no_deeper(self):
        world = np.arange(50), np.arange(50.0)[::-1], np.zeros(50, int), np.eye(50)
        found, depths = asked(world, Selection(7), 5)
        assert (found.indices.tolist(), depths) == (list(range(7)), [7])

    def test_a_cap_looks_deeper_until_the_places_are_filled(self):
        world = np.arange(1000), np.arange(1000.0)[::-1], (np.arange(1000) >= 900).astype(int), np.eye(1000)
        found, depths = asked(world, Selection(4, per_concept=2), 5)
        assert found.indices.tolist() == [0, 1, 900, 901]
        assert depths == [4, 16, 64, 256, 1024]

    def test_nothing_but_difference_takes_the_item_that_is_least_alike(self):
        items = np.array([[1, 0], [0.99, 0.14], [0, 1], [-1, 0]], dtype=np.float64)
        world = np.arange(4), np.array([9.0, 8.9, 5.0, -9.0]), np.zeros(4, int), items
        assert asked(world, Selection(4, diversity=1.0), 200)[0].indices.tolist() == [0, 3, 2, 1]
        # δ = .5: after the first, .1·8.9 − .99 = −.1 for the second and .1·5 − 0 = .5 for the third.
        assert asked(world, Selection(2, diversity=0.5), 200)[0].indices.tolist() == [0, 2]


def test_places_within_concepts_count_from_the_front():
    assert places_within_concepts(np.array([2, 0, 2, 2, 0])).tolist() == [0, 0, 1, 2, 1]
    assert places_within_concepts(np.array([], dtype=np.int64)).tolist() == []


def test_pages_of_a_ranking_that_is_not_proved_fit_together_under_a_least_score():
    # The first stage ends below the least score, and the second begins above it again.
    scores = np.array([5.0] * 15 + [-1.0] + [4.0] * 5 + [-1.0] * 20 + [3.0] * 59)
    ranking = Ranking(np.arange(100), scores, np.zeros(100, dtype=np.int64), False)

    def shown(n):
        def rank(depth):
            return Ranking(ranking.indices[:depth], ranking.scores[:depth], ranking.concepts[:depth], ranking.certified)

        return select(rank, Selection(n=n, min_score=0.0), np.eye(100, dtype=np.float32), TAU).indices.tolist()

    every = shown(100)
    assert every == [*range(15), *range(16, 21)]
    assert [shown(n) for n in range(1, 101)] == [every[:n] for n in range(1, 101)]
