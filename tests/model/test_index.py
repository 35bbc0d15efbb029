"""The index of a bundle: what it holds, when there is one, and that its stated recall is what the server's search gives."""

import faiss
import numpy as np
import pytest

from macrid.artifacts.derived import derive, log_partition
from macrid.model import index as indexing
from macrid.model.errors import DataError
from macrid.model.index import build, choose_index, expected_size
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.inverted_lists import STAGES, USUAL, InvertedListsRanker
from macrid.service.ranking.items import Items
from tests.support.bundles import random_arrays

TAU = 0.1
NOTHING = np.array([], dtype=np.int64)


@pytest.fixture(scope="module")
def shop():
    """6,000 items in five concepts, and forty users: (arrays with the derived ones, (U, K, d) components)."""
    rng = np.random.default_rng(3)
    arrays = random_arrays(rng, items=6000, concepts=5, dimensions=20)
    users = arrays["item_embeddings"][rng.integers(0, 6000, (40, 5))]
    return {**arrays, **derive(arrays, TAU)}, users


def chosen(shop, **options):
    arrays, users = shop
    return choose_index(arrays, arrays["log_partition"], TAU, users, **options)


class TestChoice:
    def test_a_large_catalogue_gets_inverted_lists_with_their_recall(self, shop):
        built = chosen(shop)
        described = built.described
        assert described["kind"] == "ivf_sq8"
        assert described["cells"] == 6000 // indexing.ITEMS_PER_CELL
        assert described["users"] == 40
        assert described["margin"] * TAU == pytest.approx(
            min(indexing.MARGINS, key=lambda m: abs(m - described["margin"] * TAU)), rel=0.01
        )
        assert 1 <= described["probes"] <= 5 * described["cells"]
        assert (described["recall@20"], described["recall@100"]) >= indexing.WANTED
        assert described["recall@100"] >= indexing.WANTED[1]
        assert described["bytes"] == len(built.content)
        assert len(built.content) == pytest.approx(expected_size(6000, 20) * 6000 * 20 * 4, rel=0.05)

    def test_both_recalls_decide_how_far_it_looks(self, shop, monkeypatch):
        monkeypatch.setattr(indexing, "RECALL_FLOOR", 0.0)
        margins = []
        for wanted in ((0.0, 0.0), (0.0, 0.9), (0.999, 0.9), (0.999, 0.999)):
            monkeypatch.setattr(indexing, "WANTED", wanted)
            margins.append(chosen(shop).described["margin"])
        assert margins == sorted(margins)
        assert margins[0] < margins[1] < margins[2]
        monkeypatch.setattr(indexing, "VERY_LARGE", 5999)
        assert chosen(shop).described["margin"] < margins[-1]

    def test_one_that_finds_too_little_is_left_out(self, shop, monkeypatch):
        for missed in ({"recall@20": 0.97, "recall@100": 0.99}, {"recall@20": 0.99, "recall@100": 0.97}):
            monkeypatch.setattr(indexing, "measure", lambda *_, missed=missed: (indexing.Effort(2.0, 8), missed))
            assert chosen(shop) == indexing.BuiltIndex()

    def test_a_small_one_gets_none(self, shop, monkeypatch):
        monkeypatch.setattr(indexing, "SMALLEST", 6001)
        assert chosen(shop).described == {"kind": "none"}

    def test_what_does_not_fit_the_budget_is_not_built(self, shop):
        assert chosen(shop, budget=0.3).content is None
        with pytest.raises(DataError, match=r"the memory budget of the index is -1, expected 0 or more"):
            chosen(shop, budget=-1)

    def test_the_same_arrays_give_the_same_bytes(self, shop):
        assert chosen(shop).content == chosen(shop).content


class TestLists:
    def test_every_item_is_in_one_cell_under_its_own_number(self, shop):
        arrays, _ = shop
        index = build(arrays["item_embeddings"], arrays["log_partition"], TAU)
        lists = index.invlists
        ids = [faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell)) for cell in range(index.nlist)]
        assert sorted(np.concatenate(ids).tolist()) == list(range(6000))

    def test_values_are_shares_of_the_score_to_within_the_codes(self, shop):
        arrays, users = shop
        index = build(arrays["item_embeddings"], arrays["log_partition"], TAU)
        questions = np.zeros((5, indexing.padded(20)), np.float32)
        questions[:, :20], questions[:, 20] = users[0] + arrays["prototypes"], 1
        values, found = index.search(questions, 10, params=faiss.SearchParametersIVF(nprobe=index.nlist))
        terms = np.log(arrays["concept_weights"]) + arrays["item_embeddings"] @ users[0].T / TAU
        np.testing.assert_allclose(values / TAU, terms.T[np.arange(5)[:, None], found], atol=0.2)


def test_the_server_finds_what_the_trainer_measured(shop):
    """The two searches are written twice, as neither side may import the other: same candidates, same recall.

    The server compares means of cells in eight bits, so the last cell it looks into may be another.
    """
    assert list(indexing.DEPTHS.values()) == list(STAGES[:2])
    assert (USUAL.list_length, USUAL.candidates) == (indexing.LIST_LENGTH, indexing.CANDIDATES)
    arrays, users = shop
    built = chosen(shop)
    index = faiss.deserialize_index(np.frombuffer(built.content, dtype=np.uint8))
    items = Items(arrays["item_embeddings"], arrays["prototypes"], TAU, arrays["log_partition"])
    margin = built.described["margin"]
    served, reference = InvertedListsRanker(items, index, built.described["probes"], margin), ExactRanker(items)
    means = index.quantizer.reconstruct_n(0, index.nlist)
    inhabited = np.array([index.get_list_size(cell) > 0 for cell in range(index.nlist)])
    for n, depth in indexing.DEPTHS.items():
        shares, same = [], []
        for components in users:
            search = served._search_for(items.question(components), NOTHING, None)
            searched = served._found(search, [depth])[depth].indices
            asked = indexing.Asked(arrays, arrays["log_partition"], TAU, components)
            pairs = indexing.pairs(asked.promised(means), inhabited, index.ntotal, margin)
            assert np.count_nonzero(pairs) <= built.described["probes"]
            lists = indexing.search(index, asked.questions, pairs)
            own = asked.best(indexing.candidates(*lists, depth, TAU), depth)
            same.append(np.isin(searched, own).mean())
            assert len(searched) == len(own)
            shares.append(np.isin(reference.rank(components, n, NOTHING).indices, searched[:n]).mean())
        assert np.mean(same) > 0.999
        assert np.mean(shares) == pytest.approx(built.described[f"recall@{n}"], abs=5e-4)


@pytest.mark.parametrize("temperature", [0.003, 0.02])
def test_margins_reach_as_far_whatever_the_temperature_is(shop, temperature):
    arrays, users = shop
    partition = log_partition(arrays["item_embeddings"], arrays["prototypes"], temperature)
    index = indexing.build(arrays["item_embeddings"], partition, temperature)
    effort, recall = indexing.measure(index, arrays, partition, temperature, users)
    assert recall["recall@20"] >= indexing.WANTED[0]
    assert recall["recall@100"] >= indexing.WANTED[1]
    assert 0 < indexing.MARGINS[0] <= effort.margin * temperature * 1.01 <= 1.05 * indexing.MARGINS[-1]


def test_what_several_concepts_hold_of_an_item_counts_together(monkeypatch):
    monkeypatch.setattr(indexing, "CANDIDATES", 1)
    values = np.log(np.array([[0.5, 0.3, 0.2], [0.45, 0.3, 0.1]], dtype=np.float32)) * TAU
    found = np.array([[4, 7, 1], [3, 7, -1]])
    assert indexing.candidates(values, found, 2, TAU).tolist() == [4, 7]  # .5 and .3 + .3; the .45 of item 3 is less
