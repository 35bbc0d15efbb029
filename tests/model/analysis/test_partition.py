"""Agreement of concepts with categories: perfect, null and split partitions, whose values can be worked out by hand."""

import numpy as np
import pytest

from macrid.model.analysis.partition import agreement, any_value_purity, concept_use, effective_number

CATEGORIES = np.repeat(np.arange(4), 50)


class TestAgreement:
    def test_the_same_partition_under_other_names_agrees_fully(self):
        found = agreement((CATEGORIES + 2) % 4, CATEGORIES)
        assert (found.nmi, found.ari, found.purity, found.matching_accuracy) == pytest.approx((1, 1, 1, 1))
        assert (found.items, found.categories) == (200, 4)

    def test_a_partition_that_knows_nothing_agrees_by_chance_only(self):
        found = agreement(np.tile(np.arange(2), 100), CATEGORIES)  # each half has 25 of each category
        assert found.nmi == pytest.approx(0, abs=1e-9)
        assert abs(found.ari) < 0.02
        assert found.purity == found.matching_accuracy == 0.25

    def test_one_concept_for_everything_has_the_purity_of_the_commonest_category(self):
        found = agreement(np.zeros(200, dtype=np.int64), CATEGORIES)
        assert (found.nmi, found.ari, found.purity) == (0, 0, 0.25)

    def test_concepts_that_split_each_category_stay_pure_but_match_only_half(self):
        found = agreement(CATEGORIES * 2 + np.tile([0, 1], 100), CATEGORIES)
        assert found.purity == 1
        assert found.matching_accuracy == 0.5
        assert found.nmi == pytest.approx(np.log(4) / ((np.log(4) + np.log(8)) / 2))

    def test_the_matching_is_the_best_there_is_and_not_the_first(self):
        # concept 0: three of a, two of b; concept 1: three of a. Taking (0, a) first would leave 3, the best has 5.
        assert (
            agreement(np.array([0, 0, 0, 0, 0, 1, 1, 1]), np.array([0, 0, 0, 1, 1, 0, 0, 0])).matching_accuracy == 5 / 8
        )


class TestSeveralValues:
    def test_any_of_an_items_values_counts(self):
        genres = [
            frozenset(g.split("|")) for g in ("drama|war", "war", "comedy|war", "comedy", "comedy|drama", "drama")
        ]
        assert any_value_purity(np.array([0, 0, 0, 1, 1, 1]), genres) == (3 + 2) / 6

    def test_items_without_a_value_never_count(self):
        assert any_value_purity(np.array([0, 0]), [frozenset(), frozenset("x")]) == 0.5


class TestConceptUse:
    def test_equal_concepts_are_all_in_use(self):
        weights = np.eye(5, dtype=np.float32)[np.tile(np.arange(5), 10)]
        found = concept_use(weights)
        assert found.sizes == (10,) * 5
        assert found.effective_number == pytest.approx(5)
        assert found.largest_share == 0.2

    def test_a_collapsed_model_has_one(self):
        weights = np.tile(np.array([[0.6, 0.4]], dtype=np.float32), (10, 1))
        found = concept_use(weights)
        assert found.sizes == (10, 0)
        assert found.effective_number == 1
        assert found.effective_number_soft == pytest.approx(0.6**-0.6 * 0.4**-0.4)
        assert found.mean_largest_weight == pytest.approx(0.6)

    def test_the_effective_number_does_not_depend_on_scale(self):
        assert effective_number([1, 1, 2]) == pytest.approx(effective_number([10, 10, 20])) == pytest.approx(2**1.5)
