"""Inverted lists: what comes back is always allowed, whole and stable, and nearly always the best."""

import math

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macrid.artifacts.derived import log_partition
from macrid.model.index import build
from macrid.service.encoder import unit_rows
from macrid.service.ranking import inverted_lists
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.index import read_index
from macrid.service.ranking.inverted_lists import InvertedListsRanker
from macrid.service.ranking.items import Items
from tests.service.ranking.test_rankers import (
    NOTHING,
    allowed_in,
    brute_force_scores,
    weights_for,
    worlds,
)


def by_lists(items, prototypes, temperature=0.1, probes=8, margin=math.inf):
    index = build(items, log_partition(items, prototypes, temperature), temperature)
    return InvertedListsRanker(Items(items, prototypes, temperature), index, probes, margin)


@pytest.fixture(scope="module")
def shop():
    """20,000 items on 400 shelves of five concepts, and fifty users who want what lies on some shelf of each concept."""
    rng = np.random.default_rng(4)
    prototypes = unit_rows(rng.normal(size=(5, 24)).astype(np.float32))
    shelves = unit_rows(0.5 * prototypes[rng.integers(0, 5, 400)] + 0.2 * rng.normal(size=(400, 24)).astype(np.float32))
    rows = shelves[rng.integers(0, 400, 20_000)] + 0.06 * rng.normal(size=(20_000, 24))
    users = [unit_rows(shelves[rng.integers(0, 400, 5)] + np.float32(0.05)) for _ in range(50)]
    return unit_rows(rows.astype(np.float32)), prototypes, users


class TestRecall:
    def test_few_cells_hold_nearly_all_of_the_true_answer(self, shop):
        items, prototypes, users = shop
        ranker, reference = by_lists(items, prototypes, probes=64), ExactRanker(Items(items, prototypes, 0.1))
        for n in (20, 100):
            shares = [
                np.isin(
                    reference.rank(components, n, NOTHING).indices, ranker.rank(components, n, NOTHING).indices
                ).mean()
                for components in users
            ]
            assert np.mean(shares) >= 0.99

    def test_it_claims_no_proof(self, shop):
        items, prototypes, users = shop
        assert not by_lists(items, prototypes).rank(users[0], 5, NOTHING).certified

    def test_scores_and_concepts_are_the_exact_ones(self, shop):
        items, prototypes, users = shop
        ranking = by_lists(items, prototypes).rank(users[0], 50, NOTHING)
        everything = ExactRanker(Items(items, prototypes, 0.1)).rank(users[0], len(items), NOTHING)
        places = np.argsort(everything.indices)[ranking.indices]
        np.testing.assert_array_equal(ranking.scores, everything.scores[places])
        np.testing.assert_array_equal(ranking.concepts, everything.concepts[places])

    def test_a_filter_that_leaves_many_is_part_of_the_search(self, shop, monkeypatch):
        monkeypatch.setattr(inverted_lists, "FEW", 100)
        items, prototypes, users = shop
        ranker, reference = by_lists(items, prototypes, probes=64), ExactRanker(Items(items, prototypes, 0.1))
        tenth = np.arange(len(items)) % 10 == 3
        shares = []
        for components in users:
            ranking = ranker.rank(components, 20, NOTHING, allowed=tenth)
            assert not ranking.certified
            assert tenth[ranking.indices].all()
            shares.append(
                np.isin(reference.rank(components, 20, NOTHING, allowed=tenth).indices, ranking.indices).mean()
            )
        assert np.mean(shares) >= 0.98

    def test_a_filter_that_leaves_few_scores_them_all(self, shop):
        items, prototypes, users = shop
        few = np.arange(len(items)) % 100 == 3
        ranking = by_lists(items, prototypes).rank(users[0], 20, NOTHING, allowed=few)
        assert ranking.certified
        expected = ExactRanker(Items(items, prototypes, 0.1)).rank(users[0], 20, NOTHING, allowed=few)
        np.testing.assert_array_equal(ranking.indices, expected.indices)

    def test_with_the_best_thousand_excluded_the_next_best_are_found(self, shop):
        items, prototypes, users = shop
        reference = ExactRanker(Items(items, prototypes, 0.1))
        head = np.sort(reference.rank(users[0], 1000, NOTHING).indices)
        ranking = by_lists(items, prototypes, probes=200).rank(users[0], 20, head)
        expected = reference.rank(users[0], 20, head).indices
        assert np.isin(expected, ranking.indices).mean() >= 0.9
        assert not np.isin(ranking.indices, head).any()


class TestWhatComesBack:
    @settings(deadline=None, max_examples=150)
    @given(worlds(), st.sampled_from([1, 3, 100]), st.sampled_from([math.inf, 0.1, 3.0]), st.data())
    def test_is_allowed_distinct_in_order_and_as_many_as_there_are(self, world, probes, margin, data):
        rows, prototypes, components, temperature, n, excluded = world
        weights = weights_for(world, data.draw)
        allowed = data.draw(st.sampled_from([None, allowed_in(world, data.draw)]))
        ranker = by_lists(rows, prototypes, temperature, probes, margin)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inverted_lists, "FEW", data.draw(st.sampled_from([0, 50])))
            ranking = ranker.rank(components, n, excluded, weights, allowed)
            shorter = ranker.rank(components, max(1, n // 2), excluded, weights, allowed)
        eligible = np.setdiff1d(np.arange(len(rows)) if allowed is None else np.flatnonzero(allowed), excluded)
        assert len(ranking.indices) == min(n, len(eligible))
        assert len(set(ranking.indices.tolist())) == len(ranking.indices)
        assert set(ranking.indices.tolist()) <= set(eligible.tolist())
        scores = brute_force_scores(rows, prototypes, components, temperature, weights)
        np.testing.assert_allclose(ranking.scores, scores[ranking.indices], atol=1e-9)
        np.testing.assert_array_equal(shorter.indices, ranking.indices[: len(shorter.indices)])  # pages fit together

    def test_each_stage_goes_on_where_the_one_before_ended(self, shop):
        items, prototypes, users = shop
        ranker = by_lists(items, prototypes, probes=2)
        everything = ranker.rank(users[1], 2000, NOTHING)
        assert len(np.unique(everything.indices)) == 2000
        for n in (1, 32, 33, 128, 129, 1024, 1025):
            np.testing.assert_array_equal(ranker.rank(users[1], n, NOTHING).indices, everything.indices[:n])

    @pytest.mark.parametrize("left_out", [0, 40, 3000])
    def test_stages_that_are_scored_together_hold_what_each_would(self, shop, monkeypatch, left_out):
        items, prototypes, users = shop
        ranker = by_lists(items, prototypes, probes=8)
        excluded = np.sort(np.random.default_rng(7).choice(len(items), left_out, replace=False))
        for components in users[:8]:
            found = []
            for together in (0, 1000, 100_000):
                monkeypatch.setattr(inverted_lists, "SCORED_TOGETHER", together)
                found.append(ranker.rank(components, 100, excluded))
            for other in found[1:]:
                np.testing.assert_array_equal(found[0].indices, other.indices)
                np.testing.assert_array_equal(found[0].scores, other.scores)
                np.testing.assert_array_equal(found[0].concepts, other.concepts)


class TestAddedUp:
    def test_an_item_has_what_all_concepts_hold_of_it(self):
        logits = np.log([0.5, 0.3, 0.45, 0.3])
        items, found = inverted_lists.added_up(np.array([4, 7, 3, 7]), (0.1 * logits).astype(np.float32), 0.1)
        assert items.tolist() == [3, 4, 7]
        np.testing.assert_allclose(found, np.log([0.45, 0.5, 0.6]), atol=1e-6)

    def test_no_temperature_is_too_low_for_the_numbers(self):
        items, found = inverted_lists.added_up(np.array([1, 2, 1]), np.array([1.0, -1.0, 1.0], np.float32), 1e-4)
        assert items.tolist() == [1, 2]
        np.testing.assert_allclose(found, [1e4 + np.log(2), -1e4])

    def test_without_any_item_there_is_nothing(self):
        items, found = inverted_lists.added_up(np.empty(0, np.int64), np.empty(0, np.float32), 0.1)
        assert (len(items), len(found)) == (0, 0)

    def test_candidates_are_those_with_most_of_it(self):
        values = 0.1 * np.log(np.array([[0.5, 0.3, 0.2, 0.1], [0.45, 0.3, 0.15, 0.1]], dtype=np.float32))
        lists = inverted_lists.Lists(values, np.array([[4, 7, 1, 0], [3, 7, 2, -1]]))
        width = inverted_lists.Width(1.5, 2)
        of_one_each = inverted_lists.candidates_in(lists, 1, 0, 0.1, width)
        assert of_one_each.tolist() == []  # cut by what equals their end
        assert inverted_lists.candidates_in(lists, 2, 0, 0.1, width).tolist() == [3, 4, 7]
        assert inverted_lists.candidates_in(lists, 2, 0, 0.1, inverted_lists.Width(1.5, 1)).tolist() == [4, 7]


def watched(ranker, monkeypatch):
    """The ranker, which from now on notes, for one user after the other, the cells that each concept looks into."""
    choose, ranker.looked_into = ranker._cells.chosen, []

    def note(promises, *others):
        cells, asking = choose(promises, *others)
        of_each = [{} for _ in promises.values]
        concepts = promises.values.shape[1] // len(promises.cells.numbers)
        for row, chosen in zip(asking.tolist(), cells.tolist(), strict=True):
            user, concept = divmod(row, concepts)
            of_each[user][concept] = [cell for cell in chosen if cell >= 0]
        ranker.looked_into.extend(of_each)
        return cells, asking

    monkeypatch.setattr(ranker._cells, "chosen", note)
    return ranker


def pairs_in(looked_into):
    """(concept, cell) of one user."""
    return {(concept, cell) for concept, cells in looked_into.items() for cell in cells}


class TestCells:
    """Which pairs of concept and cell are looked into, without a margin."""

    @pytest.fixture
    def ranker(self, shop, monkeypatch):
        items, prototypes, _ = shop
        return watched(by_lists(items, prototypes, probes=16), monkeypatch)

    def test_weights_say_where(self, shop, ranker):
        _, prototypes, users = shop
        loud = np.where(np.arange(len(prototypes)) == 3, 1, 1e-9)
        for components in users[:5]:
            ranker.looked_into.clear()
            for weights in (None, loud):
                ranker.rank(components, 32, NOTHING, weights)
            assert len(ranker.looked_into[0]) > 1
            assert list(ranker.looked_into[-1]) == [3]

    def test_they_hold_something_and_are_no_more_than_the_bundle_states(self, shop, ranker):
        sizes = np.array([ranker._index.get_list_size(cell) for cell in range(ranker._index.nlist)])
        assert (sizes == 0).any()
        for components in shop[2][:5]:
            ranker.looked_into.clear()
            ranker.rank(components, 32, NOTHING)
            cells = np.array([cell for _, cell in pairs_in(ranker.looked_into[0])])
            assert 16 <= len(cells) <= 18  # with ties
            assert (sizes[cells] > 0).all()

    def test_nobodys_depend_on_who_else_asks(self, shop, ranker):
        _, _, users = shop
        for components in users[:5]:
            ranker.looked_into.clear()
            ranker._first_stage(components[None], [NOTHING])
            # In steps that they shared, the numbers of the first would be rounded to nearly nothing.
            ranker._first_stage(np.stack([components, 200 * users[7]]), [NOTHING, np.arange(150)])
            alone, first, second = ranker.looked_into
            assert alone == first != second
            assert len(pairs_in(first)) < len(pairs_in(second))  # what is excluded takes places


class TestMargin:
    """Which pairs are looked into where the bundle states how much less than the best ones they may promise."""

    TAU, MARGIN = 0.1, 2.5

    def ranker(self, shop, monkeypatch, probes=100_000):
        items, prototypes, _ = shop
        return watched(by_lists(items, prototypes, self.TAU, probes, self.MARGIN), monkeypatch)

    def promised(self, ranker, shop, components):
        """What each pair promises, in logits, by the means of the cells' items; no promise of an empty cell."""
        items, prototypes, _ = shop
        lists, logits = ranker._index.invlists, (components + prototypes) @ items.T / self.TAU
        logits = logits - log_partition(items, prototypes, self.TAU)
        members = [faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell)) for cell in range(lists.nlist)]
        return {
            (concept, cell): logits[concept, own].mean()
            for cell, own in enumerate(members)
            for concept in range(len(prototypes))
            if len(own)
        }

    @pytest.mark.parametrize(("left_out", "best"), [(0, 2), (68, 5), (468, 21)])  # of cells with 24 items or more
    def test_all_that_promise_nearly_as_much_as_the_best(self, shop, monkeypatch, left_out, best):
        ranker = self.ranker(shop, monkeypatch)
        assert 24 <= ranker._cells.all.allowed_in_each < 25
        excluded = np.arange(left_out)
        for components in shop[2][:5]:
            ranker.looked_into.clear()
            ranker.rank(components, 20, excluded)
            promised = self.promised(ranker, shop, components)
            least = sorted(promised.values())[-best] - self.MARGIN
            chosen = pairs_in(ranker.looked_into[0])
            surely = {pair for pair, logits in promised.items() if logits >= least + 0.2}  # eight bits are not exact
            perhaps = {pair for pair, logits in promised.items() if logits >= least - 0.2}
            assert surely <= chosen <= perhaps
            assert len(surely) > best

    def test_who_wants_something_definite_has_fewer_looked_into_than_one_of_whom_little_is_known(
        self, shop, monkeypatch
    ):
        ranker = self.ranker(shop, monkeypatch)
        counts = []
        for definite in (1.0, 0.2):
            ranker.looked_into.clear()
            for components in shop[2][:20]:
                ranker.rank(definite * components, 20, NOTHING)
            counts.append(np.mean([len(pairs_in(own)) for own in ranker.looked_into]))
        assert 2 * counts[0] < counts[1]

    def test_no_more_than_allowed(self, shop, monkeypatch):
        ranker = self.ranker(shop, monkeypatch, probes=7)
        for components in shop[2][:5]:
            ranker.looked_into.clear()
            ranker.rank(0.2 * components, 20, NOTHING)
            assert 7 <= len(pairs_in(ranker.looked_into[0])) <= 9  # with ties

    def test_a_filter_that_leaves_a_fifth_has_five_times_as_many_looked_into(self, shop, monkeypatch):
        monkeypatch.setattr(inverted_lists, "FEW", 100)
        ranker = self.ranker(shop, monkeypatch)
        fifth = np.arange(20_000) % 5 == 2
        for components in shop[2][:5]:
            first_looks = []
            for allowed in (None, fifth):
                ranker.looked_into.clear()
                ranker.rank(components, 20, NOTHING, allowed=allowed)
                first_looks.append(pairs_in(ranker.looked_into[0]))
            assert len(first_looks[1]) >= 5 * len(first_looks[0])

    @pytest.mark.parametrize("margin", [MARGIN, math.inf])
    def test_only_cells_that_hold_something_allowed_are_looked_into(self, shop, monkeypatch, margin):
        monkeypatch.setattr(inverted_lists, "FEW", 100)
        items, prototypes, users = shop
        ranker = watched(by_lists(items, prototypes, self.TAU, 16, margin), monkeypatch)
        lists = ranker._index.invlists
        some = [cell for cell in range(lists.nlist) if cell % 3 == 1 and lists.list_size(cell)]
        allowed = np.zeros(len(items), dtype=bool)
        for cell in some:  # of every third cell the first two items
            allowed[faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell))[:2]] = True
        reference, shares = ExactRanker(Items(items, prototypes, self.TAU)), []
        for components in users:
            ranking = ranker.rank(components, 20, NOTHING, allowed=allowed)
            expected = reference.rank(components, 20, NOTHING, allowed=allowed).indices
            shares.append(np.isin(expected, ranking.indices).mean())
        assert {cell for own in ranker.looked_into for _, cell in pairs_in(own)} <= set(some)
        assert np.mean(shares) >= 0.98

    def test_where_the_best_cells_do_not_hold_what_they_promise_it_looks_further(self, shop, monkeypatch):
        """Of every cell only the item of least worth to the user is allowed: no mean of a cell tells what that is."""
        monkeypatch.setattr(inverted_lists, "FEW", 100)
        items, prototypes, users = shop
        reference = ExactRanker(Items(items, prototypes, self.TAU))
        ranker = self.ranker(shop, monkeypatch)
        lists, shares, looks = ranker._index.invlists, [], []
        for components in users[:20]:
            everything = reference.rank(components, len(items), NOTHING)
            worth = np.empty(len(items))
            worth[everything.indices] = everything.scores
            members = [faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell)) for cell in range(lists.nlist)]
            allowed = np.zeros(len(items), dtype=bool)
            allowed[[own[worth[own].argmin()] for own in members if len(own)]] = True
            ranker.looked_into.clear()
            found = ranker.rank(components, 20, NOTHING, allowed=allowed).indices
            shares.append(np.isin(reference.rank(components, 20, NOTHING, allowed=allowed).indices, found).mean())
            looks.append([len(pairs_in(own)) for own in ranker.looked_into])
        assert all(len(counts) == 1 or counts[0] <= counts[1] for counts in looks)
        assert np.mean([len(counts) == 2 for counts in looks]) > 0.5
        assert np.mean(shares) >= 0.98

    def test_it_looks_further_behind_much_that_is_excluded_too(self, shop, monkeypatch):
        items, prototypes, users = shop
        reference = ExactRanker(Items(items, prototypes, self.TAU))
        ranker, shares, looks = self.ranker(shop, monkeypatch), [], []
        for components in users[:20]:
            everything = reference.rank(components, 320, NOTHING).indices
            ranker.looked_into.clear()
            found = ranker.rank(components, 20, np.sort(everything[:300])).indices
            shares.append(np.isin(everything[300:], found).mean())
            looks.append(len(ranker.looked_into))
        assert max(looks) == 2
        assert np.mean(shares) >= 0.99

    def test_who_excludes_a_large_part_of_the_catalogue_gets_the_exact_answer(self, shop):
        items, prototypes, users = shop
        reference, ranker = ExactRanker(Items(items, prototypes, self.TAU)), by_lists(items, prototypes, self.TAU)
        users, excluded = np.stack(users[:3]), [np.arange(out) for out in (500, 501, 3000)]
        rankings = [ranker.rank(own, 20, out) for own, out in zip(users, excluded, strict=True)]
        for found in (rankings, ranker.rank_each(users, 20, excluded)):
            assert [ranking.certified for ranking in found] == [False, True, True]
            for own, out, ranking in zip(users[1:], excluded[1:], found[1:], strict=True):
                np.testing.assert_array_equal(ranking.indices, reference.rank(own, 20, out).indices)

    @pytest.mark.parametrize("left_out", [0, 150])
    def test_pages_fit_together_under_filters_that_go_with_taste(self, shop, monkeypatch, left_out):
        monkeypatch.setattr(inverted_lists, "FEW", 100)
        items, prototypes, users = shop
        reference = ExactRanker(Items(items, prototypes, self.TAU))
        ranker, looks = self.ranker(shop, monkeypatch), []
        for components in users[:6]:
            everything = reference.rank(components, len(items), NOTHING)
            concept = np.bincount(everything.concepts[:100]).argmax()
            worst, without_best = np.zeros(len(items), dtype=bool), np.ones(len(items), dtype=bool)
            worst[everything.indices[len(items) // 2 :]] = True
            without_best[everything.indices[:300]] = False
            for allowed in (worst, without_best, prototypes[concept] @ items.T < 0):
                excluded = np.sort(everything.indices[:left_out])
                ranker.looked_into.clear()
                deepest = ranker.rank(components, 1100, excluded, allowed=allowed)
                looks.append(len(ranker.looked_into))
                for n in (20, 32, 33, 100, 128, 129, 200):
                    found = ranker.rank(components, n, excluded, allowed=allowed)
                    np.testing.assert_array_equal(found.indices, deepest.indices[:n])
                    np.testing.assert_array_equal(found.scores, deepest.scores[:n])
        assert max(looks) > 3  # of three stages, some look a second time

    def test_recall_behind_what_was_seen(self, shop):
        items, prototypes, users = shop
        reference = ExactRanker(Items(items, prototypes, self.TAU))
        ranker = by_lists(items, prototypes, self.TAU, 100_000, margin=6.0)
        shares = []
        for components in users:
            head = np.sort(reference.rank(components, 300, NOTHING).indices)
            expected = reference.rank(components, 20, head).indices
            shares.append(np.isin(expected, ranker.rank(components, 20, head).indices).mean())
        assert np.mean(shares) >= 0.98


def test_an_index_that_was_written_and_mapped_answers_alike(shop, tmp_path):
    items, prototypes, users = shop
    index = build(items, log_partition(items, prototypes, 0.1), 0.1)
    path = tmp_path / "by_concept.faiss"
    path.write_bytes(faiss.serialize_index(index).tobytes())
    mapped = InvertedListsRanker(Items(items, prototypes, 0.1), read_index(path, *items.shape), 16)
    built = InvertedListsRanker(Items(items, prototypes, 0.1), index, 16)
    for components in users[:5]:
        expected = built.rank(components, 30, NOTHING).indices
        np.testing.assert_array_equal(mapped.rank(components, 30, NOTHING).indices, expected)


class TestEach:
    @pytest.mark.parametrize("n", [1, 20, 32, 33, 100])
    @pytest.mark.parametrize(("probes", "margin"), [(1, math.inf), (8, math.inf), (64, math.inf), (500, 3.0)])
    def test_users_get_together_what_each_gets_alone_to_the_last_bit(self, shop, monkeypatch, n, probes, margin):
        monkeypatch.setattr(inverted_lists, "USERS_AT_ONCE", 5)
        items, prototypes, users = shop
        ranker, rng = by_lists(items, prototypes, probes=probes, margin=margin), np.random.default_rng(5)
        sizes = [0, 0, 3, 50, 100, 101, 3000, 10, 1, 0, 19_990, 20_000]
        excluded = [np.sort(rng.choice(len(items), size, replace=False)) for size in sizes]
        users = np.stack(users[: len(sizes)])
        for ranking, components, left_out in zip(ranker.rank_each(users, n, excluded), users, excluded, strict=True):
            expected = ranker.rank(components, n, left_out)
            np.testing.assert_array_equal(ranking.indices, expected.indices)
            np.testing.assert_array_equal(ranking.scores, expected.scores)
            np.testing.assert_array_equal(ranking.concepts, expected.concepts)
            assert len(ranking.indices) == min(n, len(items) - len(left_out))
            assert not np.isin(ranking.indices, left_out).any()

    def test_items_that_tie_stand_as_for_one_user(self):
        rng = np.random.default_rng(6)
        prototypes = unit_rows(rng.normal(size=(3, 16)).astype(np.float32))
        rows = unit_rows(rng.normal(size=(300, 16)).astype(np.float32))[
            rng.integers(0, 300, 6_000)
        ]  # each about twenty times
        ranker = by_lists(rows, prototypes, probes=12)
        users = np.stack([unit_rows(rng.normal(size=(3, 16)).astype(np.float32)) for _ in range(9)])
        excluded = [np.sort(rng.choice(6_000, 40, replace=False)) for _ in users]
        for ranking, components, left_out in zip(ranker.rank_each(users, 30, excluded), users, excluded, strict=True):
            expected = ranker.rank(components, 30, left_out)
            np.testing.assert_array_equal(ranking.indices, expected.indices)
