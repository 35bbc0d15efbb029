"""Numbers of eight bits: how far their products may be from the true ones is known, and so every ranking by them is proved."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macrid.artifacts.derived import log_partition
from macrid.service.encoder import unit_rows
from macrid.service.ranking import items as items_module
from macrid.service.ranking import rounded
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.items import Items
from macrid.service.ranking.rounded import RoundedItems

NOTHING = np.array([], dtype=np.int64)


def drawn(rng, count, dimensions, kind):
    """Unit rows without a large coordinate, with some that dwarf the others, or with one alone."""
    if kind == "one":
        rows = np.zeros((count, dimensions))
        rows[np.arange(count), rng.integers(0, dimensions, count)] = rng.choice([-1, 1], count)
    else:
        rows = rng.standard_cauchy((count, dimensions)) if kind == "wild" else rng.normal(size=(count, dimensions))
    return unit_rows(rows.astype(np.float32))


def rounded_items(rows, prototypes=None, temperature=0.1):
    """Items in eight bits, and A of each, which is 0 where no prototypes are given."""
    partition = np.zeros(len(rows)) if prototypes is None else log_partition(rows, prototypes, temperature)
    return RoundedItems(rows, partition, temperature), partition


def estimated(rows, queries, temperature=0.1):
    """⟨h, q⟩ as they follow from exponentials for queries (Q, d), one at a time: (Q, M), and how far each line may be off."""
    eight_bits, _ = rounded_items(rows, temperature=temperature)
    exponentials, errors = eight_bits.exponentials(queries[:, None])
    return np.log(exponentials.astype(np.float64)) * temperature, errors * temperature


class TestExponentials:
    @settings(deadline=None, max_examples=60)
    @given(
        st.integers(0, 2**32 - 1),
        st.sampled_from([1, 2, 50, 300]),
        st.sampled_from(["even", "wild", "one"]),
        st.sampled_from([0.0265, 0.1, 5.0]),
        st.booleans(),
    )
    def test_their_logarithms_are_off_by_no_more_than_they_say(self, seed, dimensions, kind, temperature, weighed):
        rng = np.random.default_rng(seed)
        rows, prototypes = drawn(rng, 150, dimensions, kind), drawn(rng, 3, dimensions, "even")
        queries = np.stack([drawn(rng, 3, dimensions, kind) for _ in range(4)]) + prototypes  # (4, 3, d)
        log_weights = rng.uniform(-8, 8, 3) if weighed and temperature > 0.05 else None  # or they could not be held
        eight_bits, partition = rounded_items(rows, prototypes, temperature)
        exponentials, errors = eight_bits.exponentials(queries, log_weights)
        logits = queries.astype(np.float64) @ rows.astype(np.float64).T / temperature  # (4, 3, 150)
        true = np.logaddexp.reduce(logits + (0 if log_weights is None else log_weights[:, None]), axis=1) - partition
        rounding = 1e-5  # of float32, which `Items.error` counts
        assert (np.abs(np.log(exponentials) - true).max(axis=1) <= errors + rounding).all()

    @pytest.mark.parametrize("kind", ["even", "wild", "one"])
    def test_and_that_is_little_whatever_the_axes(self, kind):
        rng = np.random.default_rng(1)
        rows, queries = drawn(rng, 2000, 100, kind), drawn(rng, 20, 100, kind)
        products, errors = estimated(rows, queries)
        assert errors.max() < 0.04
        off = np.abs(products - queries @ rows.T).max()
        assert off < errors.max() / 2  # a bound that is nearly reached would be luck

    def test_an_exponential_alone_is_off_by_as_much_as_is_said_and_no_more(self):
        rows = np.ones((1, 1), dtype=np.float32)
        queries = np.linspace(-2, 2, 5001, dtype=np.float32)[:, None]
        products, errors = estimated(rows, queries)
        off = np.abs(products[:, 0] - queries[:, 0]) / 0.1
        rounding = errors / 0.1 - rounded.EXPONENTIAL_ERROR
        assert (off <= errors / 0.1).all()
        assert (off + rounding).max() > rounded.EXPONENTIAL_ERROR * 0.99
        assert off.min() < 0.001

    def test_items_in_many_blocks_keep_their_places(self, monkeypatch):
        rng = np.random.default_rng(2)
        rows, queries = drawn(rng, 50, 20, "even"), drawn(rng, 3, 20, "even")
        rows[-1] = 0  # the last block of 49 + 1 is rounded without any error, and has no length
        whole, errors = estimated(rows, queries)
        monkeypatch.setattr(rounded, "BLOCK", 7)
        in_blocks, errors_in_blocks = estimated(rows, queries)
        np.testing.assert_allclose(in_blocks, whole, atol=1e-12)
        np.testing.assert_allclose(errors_in_blocks, errors, rtol=1e-12)

    @pytest.mark.parametrize(("users", "filled"), [(3, 15), (8, 48)])  # of five concepts
    def test_whole_tiles_change_nothing(self, monkeypatch, users, filled):
        rng = np.random.default_rng(5)
        rows, queries = drawn(rng, 70, 20, "even"), np.stack([drawn(rng, 5, 20, "even") for _ in range(users)])
        eight_bits, _ = rounded_items(rows)
        multiply, multiplied = rounded.numkong.dots_packed, []
        monkeypatch.setattr(
            rounded.numkong, "dots_packed", lambda whole, *a: multiplied.append(len(whole)) or multiply(whole, *a)
        )
        found = []
        for tiles in (False, True):
            monkeypatch.setattr(rounded, "has_tiles", lambda tiles=tiles: tiles)
            found.append(eight_bits.exponentials(queries))
        assert multiplied == [5 * users, filled]
        for one, other in zip(*found, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_nothing_but_zeros(self):
        products, errors = estimated(np.zeros((3, 4), dtype=np.float32), np.zeros((2, 4), np.float32))
        assert (np.abs(products) <= errors[:, None]).all()
        np.testing.assert_allclose(errors, 0.1 * rounded.EXPONENTIAL_ERROR)

    def test_as_many_dimensions_as_are_exact(self):
        rows = np.full((2, rounded.MOST_DIMENSIONS), rounded.MOST_DIMENSIONS**-0.5, dtype=np.float32)
        products, errors = estimated(rows, rows)
        assert np.abs(products - 1).max() <= errors.max() < 0.1


class TestRankings:
    @settings(deadline=None, max_examples=60)
    @given(
        st.integers(0, 2**32 - 1),
        st.sampled_from([0.02, 0.1, 1.0]),
        st.integers(1, 90),
        st.booleans(),
        st.booleans(),
        st.sampled_from(["even", "wild"]),
    )
    def test_they_are_those_of_float32_to_the_last_bit(self, seed, temperature, n, weighed, filtered, kind):
        rng = np.random.default_rng(seed)
        rows = drawn(rng, 60, 8, kind)[rng.integers(0, 50, 80)]  # with ties
        prototypes, components = drawn(rng, 4, 8, "even"), drawn(rng, 4, 8, "even")
        weights = rng.choice([0.0, 0.5, 1.0, 30.0], 4) + np.eye(4)[rng.integers(4)] if weighed else None
        allowed = rng.random(80) < 0.8 if filtered else None
        excluded = np.sort(rng.choice(80, rng.integers(0, 81), replace=False))
        found = [
            ranker.rank(components, n, excluded, weights, allowed) for ranker in both(rows, prototypes, temperature)
        ]
        same(*found)
        assert all(ranking.certified for ranking in found)

    def test_a_score_may_be_off_by_as_much_as_its_worst_product(self):
        rng = np.random.default_rng(4)
        rows, prototypes = drawn(rng, 40, 16, "even"), drawn(rng, 3, 16, "even")
        items = Items(rows, prototypes, 0.1, eight_bits=True)
        queries = np.stack([prototypes * np.float32([[0], [1], [2]]), prototypes[::-1]])  # (2, 3, 16)
        _, errors = items.in_eight_bits.exponentials(queries)
        _, of_each = items.in_eight_bits.exponentials(
            queries.reshape(-1, 1, 16)
        )  # one query at a time, in the same steps
        np.testing.assert_array_equal(errors, of_each.reshape(2, 3).max(axis=1))

    @pytest.mark.parametrize("temperature", [0.0264, 0.027, 0.028, 0.032, 0.04])
    def test_concepts_that_are_muted_leave_items_that_belong_elsewhere_in_reach(self, temperature):
        """Half of the items lie opposite to the only concept that is heard: exp(⟨h, z⟩/τ − A) is the least it can be."""
        rng = np.random.default_rng(1)
        first, other = drawn(rng, 2, 3, "even")
        prototypes, rows = np.stack([first, -first, other]), drawn(rng, 3000, 3, "even")
        rows[:1500] -= 10 * first
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        allowed, excluded = np.arange(3000) < 1550, np.arange(1500, 1550)  # those alone
        for n in (20, 3000):
            found = [
                ranker.rank(prototypes, n, excluded, np.array([1.0, 0.0, 0.0]), allowed)
                for ranker in both(rows, prototypes, temperature)
            ]
            same(*found)
            assert len(found[0].indices) == min(n, 1500)

    def test_many_users_many_candidates(self):
        rng = np.random.default_rng(3)
        rows, prototypes = drawn(rng, 3000, 30, "even"), drawn(rng, 5, 30, "even")
        users = np.stack([drawn(rng, 5, 30, "even") for _ in range(20)])
        excluded = [np.sort(rng.choice(3000, 10 * at, replace=False)) for at in range(20)]
        for n in (20, 400):
            rankings = [ranker.rank_each(users, n, excluded) for ranker in both(rows, prototypes, 0.1)]
            for pair in zip(*rankings, strict=True):
                same(*pair)


def both(rows, prototypes, temperature):
    """A ranker that looks at eight bits first, and one that does not, on any processor."""
    for eight_bits in (True, False):
        yield ExactRanker(Items(rows, prototypes, temperature, eight_bits=eight_bits))


def same(one, other):
    np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.concepts, other.concepts)


class TestWhen:
    ROWS = np.eye(4, dtype=np.float32)

    @pytest.fixture
    def made(self, monkeypatch):
        def make(quick=True, up_to=4, dimensions=4):
            monkeypatch.setattr(rounded, "are_quick", lambda: quick)
            monkeypatch.setattr(items_module, "ROUNDED_UP_TO", up_to)
            monkeypatch.setattr(rounded, "MOST_DIMENSIONS", dimensions)
            return Items(self.ROWS, self.ROWS[:2], 0.1).in_eight_bits is not None

        return make

    def test_few_items_on_a_processor_that_is_made_for_it(self, made):
        assert made()
        assert not made(quick=False)
        assert not made(up_to=3)
        assert not made(dimensions=3)

    def test_or_as_one_is_told(self, made):
        made(quick=False)
        assert Items(self.ROWS, self.ROWS[:2], 0.1, eight_bits=True).in_eight_bits is not None
        made(quick=True)
        assert Items(self.ROWS, self.ROWS[:2], 0.1, eight_bits=False).in_eight_bits is None

    def test_what_the_processor_says(self, monkeypatch):
        for there, quick in (({"haswell": True, "icelake": False}, False), ({"haswell": True, "icelake": True}, True)):
            monkeypatch.setattr(rounded.numkong, "get_capabilities", lambda there=there: there)
            rounded.are_quick.cache_clear()
            rounded.has_tiles.cache_clear()
            assert rounded.are_quick() is quick
            assert not rounded.has_tiles()
        rounded.are_quick.cache_clear()
        rounded.has_tiles.cache_clear()
