"""The graph of co-clicks and its cuts: planted groups are found for every seed, equal in size or not."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import normalized_mutual_info_score

from macrid.model import co_clicks
from macrid.model.co_clicks import (
    co_click_graph,
    co_click_groups,
    co_click_memberships,
    likelihood_ratio,
    modularity,
    neighbour_graph,
)


def planted(users=400, items=90, groups=3, seed=0, shares=None, noise=0.02):
    """Users click mostly within one of some groups of items; returns clicks and the groups."""
    rng = np.random.default_rng(seed)
    home = np.sort(rng.choice(groups, size=items, p=shares)) if shares else np.arange(items) % groups
    taste = rng.integers(groups, size=users)
    chance = np.where(home == taste[:, None], 9 / np.bincount(home, minlength=groups)[home], noise)
    return sparse.csr_matrix((rng.random((users, items)) < chance).astype(np.float32)), home


@pytest.mark.parametrize("seed", range(5))
def test_planted_groups_are_found_for_every_seed(seed):
    clicks, home = planted()
    assert normalized_mutual_info_score(home, co_click_groups(clicks, 3, seed)) > 0.95


def test_groups_of_unequal_size_are_found_too():
    clicks, home = planted(users=2000, items=400, shares=[0.5, 0.3, 0.2], noise=0.002)
    found = co_click_groups(clicks, 3, seed=0)
    assert normalized_mutual_info_score(home, found) > 0.9
    assert np.bincount(found).max() > 1.25 * 400 / 3  # which parts of about equal size could not have been


def test_where_the_clicks_allow_many_cuts_no_item_belongs_anywhere_for_sure():
    clicks, _ = planted()
    first = np.random.default_rng(0).integers(
        300, size=900
    )  # taste is a circle: everyone clicks eight neighbours on it
    circle = np.zeros((900, 300), dtype=np.float32)
    circle[np.arange(900)[:, None], (first[:, None] + np.arange(8)) % 300] = 1
    sure, unsure = (co_click_memberships(matrix, 3, seed=0) for matrix in (clicks, sparse.csr_matrix(circle)))
    np.testing.assert_allclose(sure.sum(axis=1), 1)
    np.testing.assert_allclose(unsure.sum(axis=1), 1)
    assert sure.max() == pytest.approx(2 / 3)  # all votes, and a third of as many again
    assert sure.max(axis=1).mean() > unsure.max(axis=1).mean() + 0.05


def test_the_same_seed_gives_the_same_groups():
    clicks, _ = planted()
    assert co_click_groups(clicks, 3, 1).tolist() == co_click_groups(clicks, 3, 1).tolist()


def test_users_are_sampled_when_there_are_too_many_pairs(monkeypatch):
    clicks, home = planted(users=2000)
    monkeypatch.setattr(co_clicks, "MAX_PAIRS", 40_000)
    assert co_clicks._bounded(clicks, 0).shape[0] < 500
    assert normalized_mutual_info_score(home, co_click_groups(clicks, 3, 0)) > 0.95


@pytest.mark.parametrize(("items", "groups"), [(6, 2), (6, 6), (3, 7), (1, 1), (5, 4)])
def test_items_that_are_never_clicked_with_another_are_placed_too(items, groups):
    found = co_click_groups(sparse.csr_matrix(np.eye(items, dtype=np.float32)), groups, seed=0)
    assert found.shape == (items,)
    assert found.max() < groups


def test_an_edge_weighs_how_much_oftener_than_chance_and_how_often():
    clicks = sparse.csr_matrix(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1]], dtype=np.float32))
    found = likelihood_ratio(clicks).toarray()
    np.testing.assert_allclose(found[0, 1], 2 * np.log(2 * 4 / (3 * 2)), rtol=1e-6)
    assert found[0, 2] == 0  # 1 · 4 / (3 · 2) < 1: rarer than chance
    assert found.diagonal().sum() == 0


def test_the_graph_keeps_each_rows_largest_and_is_symmetric():
    similarity = sparse.csr_matrix(np.array([[0, 3, 2, 1], [3, 0, 0, 0], [2, 0, 0, 0], [1, 0, 0, 0]], dtype=float))
    graph = neighbour_graph(similarity, 1).toarray()
    assert graph.tolist() == [[0, 3, 2, 1], [3, 0, 0, 0], [2, 0, 0, 0], [1, 0, 0, 0]]
    assert neighbour_graph(similarity, 1)[0].nnz == 3


def test_the_graph_has_no_loops_and_positive_weights():
    graph = co_click_graph(planted()[0], 0)
    assert graph.diagonal().sum() == 0
    assert (graph.data > 0).all()
    assert abs(graph - graph.T).max() == 0


def test_modularity_of_two_cliques_is_a_half_and_of_one_group_nothing():
    block = np.ones((4, 4)) - np.eye(4)
    graph = sparse.csr_matrix(np.kron(np.eye(2), block))
    assert modularity(graph, np.repeat([0, 1], 4)) == pytest.approx(0.5)
    assert modularity(graph, np.zeros(8, dtype=np.int64)) == pytest.approx(0)


def test_the_cut_most_like_all_others_is_taken_wherever_it_stands():
    whole = np.repeat([0, 1, 2], 8)
    one, other = whole.copy(), whole.copy()
    one[[0, 1]], other[[8, 9]] = 1, 2
    stray = np.tile([0, 1, 2], 8)
    for at in range(4):
        cuts = [stray, one, other]
        cuts.insert(at, whole)
        assert co_clicks._most_alike(cuts) is whole
