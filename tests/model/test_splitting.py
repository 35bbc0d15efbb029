"""Strong generalization: invariants on generated data, and the published split of ml-latest-small."""

import numpy as np
import polars as pl
import pytest

from macrid.model.errors import SplitError
from macrid.model.interactions import from_pairs
from macrid.model.splitting import default_held_out_users, strong_generalization


def random_interactions(users=40, items=60, seed=0):
    rng = np.random.default_rng(seed)
    clicks = [
        (str(u + 1), f"i{i}") for u in range(users) for i in rng.choice(items, size=rng.integers(5, 15), replace=False)
    ]
    frame = pl.DataFrame(clicks, schema=["user", "item"], orient="row")
    return from_pairs(frame, min_user_items=1, source="generated")


@pytest.fixture(scope="module")
def split():
    return strong_generalization(random_interactions(), held_out_users=8, seed=1)


class TestInvariants:
    def test_no_user_is_in_two_groups(self, split):
        groups = (split.training_user_ids, split.validation.user_ids, split.test.user_ids)
        assert len(set().union(*groups)) == sum(map(len, groups))

    def test_every_item_has_a_training_user(self, split):
        assert (split.training.sum(axis=0) > 0).all()
        assert split.training.shape == (24, len(split.item_ids))

    def test_fold_in_and_withheld_clicks_are_disjoint(self, split):
        for held_out in (split.validation, split.test):
            assert held_out.fold_in.multiply(held_out.withheld).nnz == 0

    def test_a_fifth_of_each_history_rounded_down_is_withheld(self, split):
        for held_out in (split.validation, split.test):
            withheld, given = held_out.withheld.sum(axis=1), held_out.fold_in.sum(axis=1)
            assert (withheld == np.floor(0.2 * (withheld + given))).all()
            assert (withheld >= 1).all()

    def test_clicks_are_those_of_the_source(self, split):
        source = random_interactions()
        matrix = np.zeros((len(source.user_ids), len(source.item_ids)))
        matrix[source.user_index, source.item_index] = 1
        columns = [source.item_ids.index(item) for item in split.item_ids]
        for user, row in zip(split.test.user_ids, (split.test.fold_in + split.test.withheld).toarray(), strict=True):
            assert (row == matrix[source.user_ids.index(user), columns]).all()

    def test_the_same_seed_gives_the_same_split_and_another_seed_another(self, split):
        again, other = (strong_generalization(random_interactions(), held_out_users=8, seed=seed) for seed in (1, 2))
        assert (again.test.withheld != split.test.withheld).nnz == 0
        assert other.test.user_ids != split.test.user_ids

    def test_held_out_users_come_in_ascending_order_of_their_number(self, split):
        numbers = [int(user) for user in split.test.user_ids]
        assert numbers == sorted(numbers)


class TestRefusals:
    @pytest.mark.parametrize("held_out_users", [0, 14, 1000])
    def test_more_than_a_third_held_out_is_refused_with_the_limit(self, held_out_users):
        with pytest.raises(SplitError, match="between 1 and 13"):
            strong_generalization(random_interactions(), held_out_users=held_out_users, seed=1)

    def test_held_out_users_without_a_click_to_withhold_are_refused(self):
        frame = pl.DataFrame({"user": list("abcdef"), "item": list("uvwxyz")})
        with pytest.raises(SplitError, match="none of the 2 held-out users"):
            strong_generalization(from_pairs(frame, min_user_items=1, source="tiny"), held_out_users=2, seed=1)


def test_by_default_a_tenth_is_held_out_and_never_more_than_ten_thousand():
    assert [default_held_out_users(users) for users in (5, 100, 1_000_000)] == [1, 10, 10_000]
