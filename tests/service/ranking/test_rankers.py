"""Both rankers against brute force: one shared suite, hand-checkable cases first, random bundles after."""

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macrid.service.encoder import unit_rows
from macrid.service.ranking.by_concept import ByConceptRanker, index_error
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.index import build_index, concept_vectors, read_index
from macrid.service.ranking.items import Items
from macrid.service.ranking.scores import approximation_error, log_sum_over_concepts, soft_scores

NOTHING = np.array([], dtype=np.int64)
TEMPERATURE = 0.1


def exact(items, prototypes, temperature=TEMPERATURE):
    return ExactRanker(Items(items, prototypes, temperature))


def by_concept(items, prototypes, temperature=TEMPERATURE):
    return ByConceptRanker(Items(items, prototypes, temperature), build_index(items, prototypes, temperature))


def brute_force_scores(items, prototypes, components, temperature=TEMPERATURE, weights=None):
    """log Σ_k ω_k·c_{i,k}·exp(⟨z_k, h_i⟩/τ), item by item, concept by concept, in float64."""
    spoken = [k for k in range(len(prototypes)) if weights is None or weights[k] > 0]
    log_omegas = np.array([0.0 if weights is None else np.log(weights[k]) for k in spoken])
    items, prototypes, components = (np.asarray(array, dtype=np.float64) for array in (items, prototypes, components))
    scores = []
    for item in items:
        affinities = np.array([item @ prototype / temperature for prototype in prototypes])
        log_weights = affinities - np.logaddexp.reduce(affinities)
        similarities = np.array([item @ component / temperature for component in components])
        scores.append(np.logaddexp.reduce((log_weights + similarities)[spoken] + log_omegas))
    return np.array(scores)


def axes(*rows):
    return np.array(rows, dtype=np.float32)


@pytest.fixture(params=[exact, by_concept], ids=["exact", "by_concept"])
def make_ranker(request):
    return request.param


class TestRank:
    """Four items on two axes; each axis is a prototype, and the user wants exactly the first."""

    ITEMS = axes([0.6, 0.8], [1, 0], [0.8, 0.6], [0, 1])
    PROTOTYPES = axes([1, 0], [0, 1])
    COMPONENTS = axes([1, 0], [1, 0])

    def test_items_come_in_the_order_of_their_score(self, make_ranker):
        ranking = make_ranker(self.ITEMS, self.PROTOTYPES).rank(self.COMPONENTS, 4, NOTHING)
        assert ranking.indices.tolist() == [1, 2, 0, 3]
        # Both components are (1, 0), so Σ_k c = 1 leaves ⟨z, h⟩/τ alone.
        np.testing.assert_allclose(ranking.scores, [10, 8, 6, 0], atol=1e-5)

    def test_each_item_names_the_concept_that_put_it_there(self, make_ranker):
        ranking = make_ranker(self.ITEMS, self.PROTOTYPES).rank(self.COMPONENTS, 4, NOTHING)
        assert ranking.concepts.tolist() == [0, 0, 1, 1]

    def test_excluded_items_make_room_for_others(self, make_ranker):
        ranking = make_ranker(self.ITEMS, self.PROTOTYPES).rank(self.COMPONENTS, 2, np.array([1, 2]))
        assert ranking.indices.tolist() == [0, 3]

    def test_with_everything_excluded_nothing_comes_back(self, make_ranker):
        ranking = make_ranker(self.ITEMS, self.PROTOTYPES).rank(self.COMPONENTS, 3, np.arange(4))
        assert (len(ranking.indices), len(ranking.scores), len(ranking.concepts)) == (0, 0, 0)

    def test_more_than_there_is_gives_all_there_is(self, make_ranker):
        assert len(make_ranker(self.ITEMS, self.PROTOTYPES).rank(self.COMPONENTS, 1000, NOTHING).indices) == 4

    def test_each_of_some_users_gets_what_it_gets_alone(self, make_ranker):
        ranker, users = make_ranker(self.ITEMS, self.PROTOTYPES), np.stack([self.COMPONENTS, self.PROTOTYPES])
        excluded = [NOTHING, np.array([1])]
        for ranking, components, left_out in zip(ranker.rank_each(users, 3, excluded), users, excluded, strict=True):
            expected = ranker.rank(components, 3, left_out)
            assert ranking.indices.tolist() == expected.indices.tolist()
            assert ranking.scores.tolist() == expected.scores.tolist()
            assert ranking.certified

    def test_one_concept_is_enough(self, make_ranker):
        ranking = make_ranker(self.ITEMS, axes([0, 1])).rank(axes([1, 0]), 2, NOTHING)
        assert ranking.indices.tolist() == [1, 2]
        assert ranking.concepts.tolist() == [0, 0]

    def test_equal_items_come_in_the_order_of_their_index(self, make_ranker):
        rng = np.random.default_rng(3)
        items = np.repeat(unit_rows(rng.normal(size=(5, 16)).astype(np.float32)), 100, axis=0)
        prototypes, components = (unit_rows(rng.normal(size=(3, 16)).astype(np.float32)) for _ in range(2))
        ranking = make_ranker(items, prototypes).rank(components, 150, NOTHING)
        first, second = ranking.indices[:100], ranking.indices[100:]
        assert first.tolist() == list(range(first[0], first[0] + 100))
        assert second.tolist() == list(range(second[0], second[0] + 50))

    def test_a_very_low_temperature_overflows_nothing(self, make_ranker):
        ranking = make_ranker(self.ITEMS, self.PROTOTYPES, temperature=1e-3).rank(self.COMPONENTS, 4, NOTHING)
        assert ranking.indices.tolist() == [1, 2, 0, 3]
        np.testing.assert_allclose(ranking.scores, [1000, 800, 600, 0], atol=1e-3)


@st.composite
def worlds(draw):
    """Random bundles with clustered items, repeated rows, tiny concepts, and any share of items excluded."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    items, concepts, dimensions = (
        draw(st.integers(1, 400)),
        draw(st.integers(1, 6)),
        draw(st.sampled_from([1, 2, 8, 33])),
    )
    spread = draw(st.sampled_from([0.05, 0.5, 3.0]))
    prototypes = unit_rows(rng.normal(size=(concepts, dimensions)).astype(np.float32))
    popularity = rng.dirichlet(np.full(concepts, 0.3))  # skewed: some concepts hold an item or none
    homes = prototypes[rng.choice(concepts, size=items, p=popularity)]
    rows = unit_rows((homes + spread * rng.normal(size=homes.shape)).astype(np.float32))
    rows = rows[rng.integers(0, draw(st.integers(1, items)), size=items)]  # few distinct rows: many ties
    components = unit_rows(rng.normal(size=prototypes.shape).astype(np.float32))
    excluded = np.flatnonzero(rng.random(items) < draw(st.sampled_from([0.0, 0.1, 0.9, 1.0])))
    n = draw(st.integers(1, 2 * items))
    temperature = draw(st.sampled_from([0.02, 0.1, 1.0]))
    return rows, prototypes, components, temperature, n, excluded


class TestConceptWeights:
    """Two items, each of one concept almost alone, and a user who likes both equally."""

    ITEMS = axes([1, 0], [0, 1])
    PROTOTYPES = axes([1, 0], [0, 1])

    def test_a_weight_adds_its_logarithm_to_the_score_of_the_concepts_items(self, make_ranker):
        ranking = make_ranker(self.ITEMS, self.PROTOTYPES).rank(self.PROTOTYPES, 2, NOTHING, np.array([1.0, 20.0]))
        assert ranking.indices.tolist() == [1, 0]
        # c of the own concept is 1 to within e^-10, and 10 = 1/τ is its term.
        np.testing.assert_allclose(ranking.scores, [10 + np.log(20), 10], atol=1e-3)

    def test_a_muted_concept_puts_no_item_anywhere(self, make_ranker):
        ranking = make_ranker(self.ITEMS, self.PROTOTYPES).rank(self.PROTOTYPES, 2, NOTHING, np.array([0.0, 1.0]))
        assert ranking.indices.tolist() == [1, 0]
        assert ranking.concepts.tolist() == [1, 1]

    def test_weights_of_one_change_no_bit(self, make_ranker):
        rng = np.random.default_rng(8)
        items, prototypes, components = (unit_rows(rng.normal(size=(n, 16)).astype(np.float32)) for n in (300, 4, 4))
        plain = make_ranker(items, prototypes).rank(components, 50, NOTHING)
        weighted = make_ranker(items, prototypes).rank(components, 50, NOTHING, np.ones(4))
        np.testing.assert_array_equal(weighted.indices, plain.indices)
        np.testing.assert_array_equal(weighted.scores, plain.scores)

    def test_muted_concepts_are_not_searched(self):
        ranker = by_concept(self.ITEMS, self.PROTOTYPES)
        asked = []
        search = ranker._index.search
        ranker._index.search = lambda queries, width, **_: asked.append(len(queries)) or search(queries, width)
        question = ranker._items.question(self.PROTOTYPES, np.array([0.0, 3.0]))
        ranker._rank_lists(question, 1, NOTHING, 1)
        assert asked == [1]

    def test_the_smallest_weight_there_is_overflows_nothing(self, make_ranker):
        weights = np.array([5e-324, 0.0])
        ranking = make_ranker(self.ITEMS, self.PROTOTYPES).rank(self.PROTOTYPES, 2, NOTHING, weights)
        assert ranking.indices.tolist() == [0, 1]
        np.testing.assert_allclose(ranking.scores, [10 + np.log(5e-324), np.log(5e-324) - 10], atol=1e-3)


def weights_for(world, draw):
    """Weights for a world's concepts, some of them 0 but not all."""
    concepts = len(world[1])
    weights = draw(
        st.lists(st.sampled_from([0.0, 1e-6, 0.3, 1.0, 7.0, 100.0]), min_size=concepts, max_size=concepts).filter(any)
    )
    return np.array(weights)


def allowed_in(world, draw):
    """What a filter allows: anything from nothing to everything."""
    share = draw(st.sampled_from([0.0, 0.02, 0.3, 0.8, 1.0]))
    return np.random.default_rng(draw(st.integers(0, 99))).random(len(world[0])) < share


class TestWeightsAgainstBruteForce:
    @settings(deadline=None, max_examples=100)
    @given(worlds(), st.data())
    def test_the_ranking_is_the_true_one_up_to_rounding(self, world, data):
        rows, prototypes, components, temperature, n, excluded = world
        weights = weights_for(world, data.draw)
        scores = brute_force_scores(rows, prototypes, components, temperature, weights)
        ranking = exact(rows, prototypes, temperature).rank(components, n, excluded, weights)
        allowed = np.setdiff1d(np.arange(len(rows)), excluded)
        assert len(ranking.indices) == min(n, len(allowed))
        np.testing.assert_allclose(ranking.scores, scores[ranking.indices], atol=1e-9)
        left_out = np.setdiff1d(allowed, ranking.indices)
        if len(left_out) and len(ranking.indices):
            assert scores[left_out].max() <= ranking.scores[-1] + 1e-9
        assert np.all(weights[ranking.concepts] > 0)

    @settings(deadline=None, max_examples=100)
    @given(worlds(), st.data())
    def test_by_concept_equals_exact_to_the_last_bit(self, world, data):
        rows, prototypes, components, temperature, n, excluded = world
        weights = weights_for(world, data.draw)
        expected = exact(rows, prototypes, temperature).rank(components, n, excluded, weights)
        ranking = by_concept(rows, prototypes, temperature).rank(components, n, excluded, weights)
        assert ranking.certified
        np.testing.assert_array_equal(ranking.indices, expected.indices)
        np.testing.assert_array_equal(ranking.scores, expected.scores)
        np.testing.assert_array_equal(ranking.concepts, expected.concepts)

    @settings(deadline=None, max_examples=150)
    @given(worlds(), st.integers(1, 40), st.data())
    def test_lists_of_any_width_are_certified_only_when_they_are_right(self, world, width, data):
        rows, prototypes, components, temperature, n, excluded = world
        weights = weights_for(world, data.draw)
        expected = exact(rows, prototypes, temperature).rank(components, n, excluded, weights)
        ranker = by_concept(rows, prototypes, temperature)
        ranking = ranker._rank_lists(ranker._items.question(components, weights), n, excluded, min(width, len(rows)))
        if ranking.certified:
            np.testing.assert_array_equal(ranking.indices, expected.indices)


class TestAgainstBruteForce:
    @settings(deadline=None, max_examples=150)
    @given(worlds())
    def test_the_ranking_is_the_true_one_up_to_rounding(self, world):
        rows, prototypes, components, temperature, n, excluded = world
        scores = brute_force_scores(rows, prototypes, components, temperature)
        ranking = exact(rows, prototypes, temperature).rank(components, n, excluded)
        allowed = np.setdiff1d(np.arange(len(rows)), excluded)
        assert len(ranking.indices) == min(n, len(allowed))
        assert len(set(ranking.indices.tolist())) == len(ranking.indices)
        assert set(ranking.indices.tolist()) <= set(allowed.tolist())
        np.testing.assert_allclose(ranking.scores, scores[ranking.indices], atol=1e-9)
        left_out = np.setdiff1d(allowed, ranking.indices)
        if len(left_out) and len(ranking.indices):
            assert scores[left_out].max() <= ranking.scores[-1] + 1e-9
        order = list(zip((-ranking.scores).tolist(), ranking.indices.tolist(), strict=True))
        assert order == sorted(order)

    @settings(deadline=None, max_examples=150)
    @given(worlds())
    def test_by_concept_equals_exact_to_the_last_bit(self, world):
        rows, prototypes, components, temperature, n, excluded = world
        expected = exact(rows, prototypes, temperature).rank(components, n, excluded)
        ranker = by_concept(rows, prototypes, temperature)
        ranking = ranker.rank(components, n, excluded)
        assert ranking.certified
        np.testing.assert_array_equal(ranking.indices, expected.indices)
        np.testing.assert_array_equal(ranking.scores, expected.scores)
        np.testing.assert_array_equal(ranking.concepts, expected.concepts)

    @settings(deadline=None, max_examples=150)
    @given(worlds(), st.integers(1, 40))
    def test_lists_of_any_width_are_certified_only_when_they_are_right(self, world, width):
        rows, prototypes, components, temperature, n, excluded = world
        expected = exact(rows, prototypes, temperature).rank(components, n, excluded)
        ranker = by_concept(rows, prototypes, temperature)
        ranking = ranker._rank_lists(ranker._items.question(components), n, excluded, min(width, len(rows)))
        if ranking.certified:
            np.testing.assert_array_equal(ranking.indices, expected.indices)


class TestAllowedAgainstBruteForce:
    """What a filter allows is anything from nothing to everything, beside what is excluded one by one."""

    @settings(deadline=None, max_examples=100)
    @given(worlds(), st.data())
    def test_the_ranking_is_the_true_one_up_to_rounding(self, world, data):
        rows, prototypes, components, temperature, n, excluded = world
        weights, allowed = weights_for(world, data.draw), allowed_in(world, data.draw)
        scores = brute_force_scores(rows, prototypes, components, temperature, weights)
        ranking = exact(rows, prototypes, temperature).rank(components, n, excluded, weights, allowed)
        eligible = np.setdiff1d(np.flatnonzero(allowed), excluded)
        assert len(set(ranking.indices.tolist())) == len(ranking.indices) == min(n, len(eligible))
        assert set(ranking.indices.tolist()) <= set(eligible.tolist())
        np.testing.assert_allclose(ranking.scores, np.sort(scores[eligible])[::-1][:n], atol=1e-9)

    @settings(deadline=None, max_examples=100)
    @given(worlds(), st.data())
    def test_by_concept_equals_exact_to_the_last_bit(self, world, data):
        rows, prototypes, components, temperature, n, excluded = world
        weights, allowed = weights_for(world, data.draw), allowed_in(world, data.draw)
        expected = exact(rows, prototypes, temperature).rank(components, n, excluded, weights, allowed)
        ranking = by_concept(rows, prototypes, temperature).rank(components, n, excluded, weights, allowed)
        assert ranking.certified
        np.testing.assert_array_equal(ranking.indices, expected.indices)
        np.testing.assert_array_equal(ranking.scores, expected.scores)
        np.testing.assert_array_equal(ranking.concepts, expected.concepts)

    @settings(deadline=None, max_examples=150)
    @given(worlds(), st.integers(1, 40), st.data())
    def test_lists_of_any_width_are_certified_only_when_they_are_right(self, world, width, data):
        rows, prototypes, components, temperature, n, excluded = world
        weights, allowed = weights_for(world, data.draw), allowed_in(world, data.draw)
        expected = exact(rows, prototypes, temperature).rank(components, n, excluded, weights, allowed)
        ranker = by_concept(rows, prototypes, temperature)
        ranking = ranker._rank_lists(
            ranker._items.question(components, weights), n, excluded, min(width, len(rows)), allowed
        )
        if ranking.certified:
            np.testing.assert_array_equal(ranking.indices, expected.indices)
        if min(width, len(rows)) > np.count_nonzero(allowed):
            assert ranking.certified  # the lists hold everything


class TestWidening:
    """Where lists prove nothing, the items that can still reach what was found are all that matter."""

    @settings(deadline=None, max_examples=150)
    @given(worlds(), st.data())
    def test_from_any_n_items_it_leads_to_the_true_ranking(self, world, data):
        rows, prototypes, components, temperature, n, excluded = world
        weights = weights_for(world, data.draw)
        allowed = allowed_in(world, data.draw)
        eligible = np.setdiff1d(np.flatnonzero(allowed), excluded)
        if len(eligible) < n:
            return
        known = np.random.default_rng(data.draw(st.integers(0, 99))).choice(eligible, n, replace=False)
        with np.errstate(divide="ignore"):
            scores, _ = soft_scores(rows[known], components, prototypes, temperature, np.log(weights))
        expected = exact(rows, prototypes, temperature).rank(components, n, excluded, weights, allowed)
        ranker = by_concept(rows, prototypes, temperature)
        ranking = ranker._rank_reaching(scores.min(), ranker._items.question(components, weights), n, excluded, allowed)
        assert ranking.certified
        np.testing.assert_array_equal(ranking.indices, expected.indices)
        np.testing.assert_array_equal(ranking.scores, expected.scores)

    def test_concepts_that_overlap_are_ranked_by_widening_and_not_by_scoring_everything(self):
        rng = np.random.default_rng(6)
        items = unit_rows(rng.normal(size=(3000, 16)).astype(np.float32))
        prototypes = unit_rows(np.float32(1) + 0.1 * rng.normal(size=(6, 16)).astype(np.float32))
        components = unit_rows(rng.normal(size=(6, 16)).astype(np.float32))
        ranker = by_concept(items, prototypes, temperature=1.0)
        assert not ranker._rank_lists(ranker._items.question(components), 10, NOTHING, 100).certified
        ranking = ranker.rank(components, 10, NOTHING)
        assert ranking.certified
        assert "_every_item" not in vars(ranker)
        expected = exact(items, prototypes, temperature=1.0).rank(components, 10, NOTHING)
        np.testing.assert_array_equal(ranking.indices, expected.indices)


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(11)
    prototypes = unit_rows(rng.normal(size=(5, 24)).astype(np.float32))
    homes = prototypes[rng.integers(0, 5, size=5000)]
    items = unit_rows((homes + 0.3 * rng.normal(size=homes.shape)).astype(np.float32))
    return items, prototypes, unit_rows((prototypes + 0.2 * rng.normal(size=(5, 24))).astype(np.float32))


class TestCertificate:
    """A larger clustered world, where short lists suffice and the index is really used."""

    def test_short_lists_are_proved_without_looking_at_every_item(self, world):
        items, prototypes, components = world
        ranker = by_concept(items, prototypes)
        ranking = ranker.rank(components, 10, NOTHING)
        assert ranking.certified
        assert "_every_item" not in vars(ranker), "the reference was asked although the lists should suffice"
        expected = exact(items, prototypes).rank(components, 10, NOTHING)
        np.testing.assert_array_equal(ranking.indices, expected.indices)

    def test_excluding_the_whole_head_still_finds_the_next_best(self, world):
        items, prototypes, components = world
        head = np.sort(exact(items, prototypes).rank(components, 500, NOTHING).indices)
        expected = exact(items, prototypes).rank(components, 10, head)
        ranking = by_concept(items, prototypes).rank(components, 10, head)
        np.testing.assert_array_equal(ranking.indices, expected.indices)

    def test_a_filter_is_part_of_the_search(self, world):
        items, prototypes, components = world
        ranker = by_concept(items, prototypes)
        third = np.arange(len(items)) % 3 == 1
        ranking = ranker.rank(components, 10, NOTHING, allowed=third)
        assert ranking.certified
        assert "_every_item" not in vars(ranker), "the reference was asked although the lists should suffice"
        everything = exact(items, prototypes).rank(components, 5000, NOTHING).indices
        np.testing.assert_array_equal(ranking.indices, everything[third[everything]][:10])

    def test_no_item_outside_the_lists_exceeds_the_bound(self, world):
        items, prototypes, components = world
        ranker = by_concept(items, prototypes)
        queries = np.hstack([components + prototypes, np.ones((5, 1), np.float32)])
        scores = brute_force_scores(items, prototypes, components)
        for width in (1, 10, 100):
            values, lists = ranker._index.search(queries, width)
            outside = np.setdiff1d(np.arange(len(items)), lists)
            assert scores[outside].max() <= ranker._best_score_outside(values[:, -1], np.zeros(5))

    def test_no_item_outside_the_lists_exceeds_the_bound_with_weights(self, world):
        items, prototypes, components = world
        ranker = by_concept(items, prototypes)
        weights = np.array([0.0, 0.05, 1.0, 30.0, 0.0])
        audible = weights > 0
        queries = np.hstack([components + prototypes, np.ones((5, 1), np.float32)])[audible]
        scores = brute_force_scores(items, prototypes, components, weights=weights)
        for width in (1, 10, 100):
            values, lists = ranker._index.search(queries, width)
            outside = np.setdiff1d(np.arange(len(items)), lists)
            assert scores[outside].max() <= ranker._best_score_outside(values[:, -1], np.log(weights[audible]))

    def test_a_list_that_ends_among_equal_items_proves_nothing(self):
        # One concept, so the bound is the list's last value itself; which of the equal items it holds is accident.
        items = np.repeat(axes([0.6, 0.8]), 20, axis=0)
        ranker = by_concept(items, axes([1, 0]))
        assert not ranker._rank_lists(ranker._items.question(axes([0, 1])), 5, NOTHING, width=5).certified
        assert ranker.rank(axes([0, 1]), 5, NOTHING).indices.tolist() == [0, 1, 2, 3, 4]


class TestSoftScores:
    def test_an_items_score_does_not_depend_on_its_company(self):
        rng = np.random.default_rng(2)
        items, prototypes, components = (unit_rows(rng.normal(size=(n, 33)).astype(np.float32)) for n in (61, 5, 5))
        together, _ = soft_scores(items, components, prototypes, TEMPERATURE)
        alone = [soft_scores(items[at : at + 1], components, prototypes, TEMPERATURE)[0][0] for at in range(61)]
        np.testing.assert_array_equal(together, alone)


class TestErrorBounds:
    """float32 never strays further from float64 than the two bounds say, on rows made to be difficult."""

    @settings(deadline=None, max_examples=50)
    @given(st.integers(0, 2**32 - 1), st.sampled_from([2, 50, 300]), st.sampled_from([0.02, 0.1, 1.0]))
    def test_scores_of_the_matrix_product_stay_within_approximation_error(self, seed, dimensions, temperature):
        rng = np.random.default_rng(seed)
        items, prototypes, components = (
            unit_rows(rng.standard_cauchy(size=(n, dimensions)).astype(np.float32)) for n in (200, 4, 4)
        )
        approximate = log_sum_over_concepts(items, components + prototypes, temperature)
        approximate -= log_sum_over_concepts(items, prototypes, temperature)
        off = np.abs(approximate - brute_force_scores(items, prototypes, components, temperature)).max()
        assert off <= approximation_error(dimensions, temperature)

    @settings(deadline=None, max_examples=50)
    @given(st.integers(0, 2**32 - 1), st.sampled_from([2, 50, 300]), st.sampled_from([0.02, 0.1, 1.0]))
    def test_values_of_the_index_stay_within_index_error(self, seed, dimensions, temperature):
        rng = np.random.default_rng(seed)
        items, prototypes, components = (
            unit_rows(rng.standard_cauchy(size=(n, dimensions)).astype(np.float32)) for n in (200, 4, 4)
        )
        queries = np.hstack([components + prototypes, np.ones((4, 1), np.float32)])
        values, lists = build_index(items, prototypes, temperature).search(queries, len(items))
        items, prototypes, components = (array.astype(np.float64) for array in (items, prototypes, components))
        affinities = items @ prototypes.T / temperature
        shares = affinities - np.logaddexp.reduce(affinities, axis=1)[:, None] + items @ components.T / temperature
        true_values = temperature * shares.T[np.arange(4)[:, None], lists]
        assert np.abs(values - true_values).max() <= index_error(4, dimensions, temperature)


class TestReadIndex:
    @pytest.fixture
    def arrays(self):
        rng = np.random.default_rng(5)
        return tuple(unit_rows(rng.normal(size=(n, 8)).astype(np.float32)) for n in (300, 3))

    def write(self, index, folder):
        path = folder / "by_concept.faiss"
        path.write_bytes(faiss.serialize_index(index).tobytes())
        return path

    def test_a_written_index_ranks_like_one_built_here(self, arrays, tmp_path):
        items, prototypes = arrays
        index = faiss.IndexFlatIP(9)
        index.add(concept_vectors(items, prototypes, TEMPERATURE))
        mapped = read_index(self.write(index, tmp_path), items=300, dimensions=8)
        ranking = ByConceptRanker(Items(items, prototypes, TEMPERATURE), mapped).rank(prototypes, 5, NOTHING)
        expected = exact(items, prototypes).rank(prototypes, 5, NOTHING)
        np.testing.assert_array_equal(ranking.indices, expected.indices)

    @pytest.mark.parametrize(
        "index", [faiss.IndexFlatIP(8), faiss.IndexFlatL2(9), faiss.IndexHNSWFlat(9, 4, faiss.METRIC_INNER_PRODUCT)]
    )
    def test_an_index_of_another_kind_or_shape_is_refused_by_name(self, index, tmp_path):
        path = self.write(index, tmp_path)
        with pytest.raises(ValueError, match=r"by_concept\.faiss holds a Index.* expected a flat inner-product"):
            read_index(path, items=300, dimensions=8)
