"""Known answers: three items counted by hand, a dense computation, and users of three circles."""

import numpy as np
import pytest
from scipy import sparse

from macrid.model.baselines import item_knn
from macrid.model.baselines.item_knn import ItemKnn
from macrid.model.baselines.popularity import Popularity
from macrid.model.evaluation import evaluate


def matrix(rows):
    return sparse.csr_matrix(np.array(rows, dtype=np.float32))


def by_hand(training, neighbours, shrinkage):
    """The definition, on dense arrays: (M, M), column j the neighbours of j."""
    dense = training.toarray().astype(np.float64)
    together, counts = dense.T @ dense, dense.sum(axis=0)
    likeness = together / (np.sqrt(np.outer(counts, counts)) + shrinkage)
    np.fill_diagonal(likeness, 0)
    for j in range(len(likeness)):
        likeness[np.argsort(-likeness[:, j], kind="stable")[neighbours:], j] = 0
    return likeness


def test_likeness_of_three_items_counted_by_hand():
    training = matrix([[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 0]])  # n = 4, 2, 1; together: ab 2, ac 1
    likeness = ItemKnn.fit(training, neighbours=2, shrinkage=0).likeness.toarray()
    assert likeness[0, 1] == pytest.approx(2 / np.sqrt(8))
    assert likeness[0, 2] == pytest.approx(1 / 2)
    assert likeness[1, 2] == 0
    assert likeness[1, 0] == likeness[0, 1]


def test_shrinkage_lessens_what_rests_on_few_users():
    training = matrix([[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 0]])
    likeness = ItemKnn.fit(training, neighbours=2, shrinkage=10).likeness.toarray()
    assert likeness[0, 1] == pytest.approx(2 / (np.sqrt(8) + 10))


def test_a_score_sums_the_likeness_to_what_the_user_has():
    training = matrix([[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 0]])
    scores = ItemKnn.fit(training, neighbours=2, shrinkage=0).score(matrix([[0, 1, 1]]))
    assert scores.dtype == np.float32
    assert scores[0, 0] == pytest.approx(2 / np.sqrt(8) + 1 / 2)


@pytest.mark.parametrize("neighbours", [1, 3, 8])
@pytest.mark.parametrize("shrinkage", [0.0, 5.0])
def test_it_is_the_definition_whatever_the_blocks(neighbours, shrinkage, monkeypatch):
    training = sparse.csr_matrix((np.random.default_rng(3).random((50, 9)) < 0.4).astype(np.float32))
    monkeypatch.setattr(item_knn, "ITEMS_AT_ONCE", 4)
    found = ItemKnn.fit(training, neighbours=neighbours, shrinkage=shrinkage).likeness.toarray()
    np.testing.assert_allclose(found, by_hand(training, neighbours, shrinkage), atol=1e-6)


def test_it_finds_the_circles(circles):
    knn = evaluate(ItemKnn.fit(circles.training, neighbours=20, shrinkage=5), circles.test).mean("ndcg@100")
    popular = evaluate(Popularity.fit(circles.training), circles.test).mean("ndcg@100")
    assert knn > popular + 0.1
