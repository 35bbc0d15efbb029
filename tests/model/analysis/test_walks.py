"""Walk quality on made-up embeddings: a dimension that is a factor, one that is two, and one that is nothing."""

import numpy as np
import pytest

from macrid.model.analysis.walks import movement, summarise, walk_quality

ITEMS = 200


@pytest.fixture
def factors():
    return np.random.default_rng(0).random((ITEMS, 3))


def embeddings_of(*columns):
    noise = np.random.default_rng(1).standard_normal((ITEMS, 8)) * 0.1
    for at, column in enumerate(columns):
        noise[:, at] = column
    return noise.astype(np.float32)


def straight_on(embeddings, nearest_in=None):
    """Walks through seven evenly spaced values of the dimension, choosing those nearest to the start in `nearest_in`."""

    def walker(start, dim, candidates):
        order = candidates[np.argsort(embeddings[candidates, dim])]
        pieces = np.array_split(order, 7)
        if nearest_in is None:
            return [int(piece[len(piece) // 2]) for piece in pieces]
        return [int(piece[np.abs(nearest_in[piece] - nearest_in[start]).sum(axis=1).argmin()]) for piece in pieces]

    return walker


def measure(embeddings, factors, walker, **options):
    groups = [("all", np.arange(ITEMS))]
    found = walk_quality(
        embeddings, groups, factors, ("a", "b", "c"), walker, starts=50, rng=np.random.default_rng(2), **options
    )
    return {quality.factor: quality for quality in found}


def test_a_dimension_that_is_the_factor_moves_it_and_a_walk_that_stays_near_keeps_the_others_still(factors):
    embeddings = embeddings_of(-factors[:, 0], factors[:, 1], factors[:, 2])
    found = measure(embeddings, factors, straight_on(embeddings, nearest_in=factors[:, 1:]))["a"]
    assert found.dim == 0
    assert found.walks == 50
    assert found.real.factor > 0.95  # although the dimension is turned round
    assert found.real.change > 2.5  # of a uniform factor, whose range is 3.5 standard deviations
    assert found.real.others < 0.2
    assert found.real.others_change < found.real.change / 3


def test_a_dimension_that_is_two_factors_moves_both(factors):
    embeddings = embeddings_of(factors[:, 0] + factors[:, 1])
    found = measure(embeddings, factors, straight_on(embeddings))["a"]
    assert found.real.others > 0.4
    assert not summarise([found]).reached


def test_embeddings_that_know_nothing_do_no_better_than_shuffled_factors(factors):
    embeddings = embeddings_of()
    walker = straight_on(embeddings, nearest_in=embeddings)
    found = measure(embeddings, factors, walker)
    assert np.mean([abs(quality.real.factor) for quality in found.values()]) < 0.4
    assert np.mean([quality.chosen_at for quality in found.values()]) > 0.12  # though the choice looked like something


def test_shuffled_factors_are_not_moved_by_what_moves_the_real_ones(factors):
    embeddings = embeddings_of(*factors.T)
    found = measure(embeddings, factors, straight_on(embeddings, nearest_in=factors[:, 1:]))["a"]
    assert abs(found.shuffled.factor) < 0.5 < found.real.factor


def test_walks_start_outside_the_half_that_chose_and_never_enter_it(factors):
    embeddings = embeddings_of(*factors.T)
    seen, starts = set(), set()

    def walker(start, dim, candidates):
        starts.add(start)
        seen.update(candidates.tolist())
        assert start not in candidates
        return candidates[:2].tolist()

    measure(embeddings, factors, walker)
    assert len(seen | starts) == ITEMS // 2
    assert starts < seen | starts


class TestMovement:
    def test_by_hand(self):
        up, down = np.array([[0.0, 5], [1, 4], [3, 3]]), np.array([[0.0, 3], [1, 4], [3, 5]])
        found = movement([up, down], 0, np.array([1.0, 2.0]), sign=1)
        assert (found.factor, found.change) == pytest.approx((1, 3))
        # The other factor goes down in one walk and up in the other: still on average, restless each time.
        assert (found.others, found.others_each) == pytest.approx((0, 1))
        assert (found.others_change, found.others_change_each) == (0, 1)

    def test_the_sign_of_the_choice_is_taken_out(self):
        assert movement([np.array([[3.0], [1.0]])], 0, np.ones(1), sign=-1).factor == pytest.approx(1)

    def test_no_walk_is_no_figure(self):
        assert np.isnan(movement([], 0, np.ones(1), 1).factor)
