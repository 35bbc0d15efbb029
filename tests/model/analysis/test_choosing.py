"""Choosing the number of concepts: the rule by hand, its evidence on graphs that are known, and shops whose number is known."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import sparse

from macrid.model import demo_shop, pipeline
from macrid.model.analysis.choosing import (
    Candidate,
    brief,
    check_candidates,
    choose_concepts,
    recommend,
    stability_over_users,
)
from macrid.model.analysis.spectrum import spectrum
from macrid.model.analysis.tables import choice_markdown, choice_table
from macrid.model.co_clicks import co_click_graph
from macrid.model.datasets.dataset import Source
from macrid.model.errors import DataError
from macrid.model.interactions import read_interactions
from macrid.model.items import untitled


def candidate(concepts, ndcg, *, seeds=1.0, users=1.0, effective=None):
    effective = concepts if effective is None else effective
    return Candidate(concepts, ndcg, 0.01, (1,) * concepts, effective, seeds, users, 0.0)


class TestTheRule:
    def test_the_largest_stable_one_within_one_standard_error_of_the_best(self):
        found = recommend(
            [candidate(2, 0.37), candidate(3, 0.395), candidate(5, 0.40), candidate(7, 0.391), candidate(10, 0.389)]
        )
        assert found.recommended == 7
        assert found.single_out
        assert [each.serves for each in found.candidates] == [False, True, True, True, False]
        assert "0.4000 ± 0.0100, K = 5" in found.reason

    @pytest.mark.parametrize("weakness", [{"seeds": 0.8}, {"users": 0.8}, {"effective": 4.0}])
    def test_one_that_is_not_found_again_or_not_in_use_is_not_real(self, weakness):
        found = recommend([candidate(5, 0.40), candidate(7, 0.40, **weakness)])
        assert found.recommended == 5
        assert [each.real for each in found.candidates] == [True, False]

    def test_where_none_is_real_the_smallest_that_serves_is_recommended_with_that_word(self):
        found = recommend([candidate(2, 0.30), candidate(5, 0.40, users=0.2), candidate(7, 0.40, seeds=0.5)])
        assert found.recommended == 5
        assert not found.single_out
        assert "do not single out a number" in found.reason

    def test_one_concept_is_stable_but_never_real(self):
        assert not recommend([candidate(1, 0.4)]).single_out

    def test_with_one_seed_stability_over_seeds_is_left_out(self):
        assert recommend([candidate(3, 0.4, seeds=math.nan)]).single_out

    @pytest.mark.parametrize("candidates", [[], [0, 3], [3, 60]])
    def test_candidates_out_of_range_are_refused(self, candidates):
        with pytest.raises(DataError, match="between 1 and 50"):
            check_candidates(candidates, 50)

    def test_candidates_are_put_in_order_once_each(self):
        assert check_candidates([7, 3, 7], 50) == [3, 7]


def blocks(count, *, users=120, items=15, clicks=6, seed=0):
    """Users who click in one block of items only: (users, count · items)."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((users, count * items), dtype=np.float32)
    for user in range(users):
        rows[user, (user % count) * items + rng.choice(items, clicks, replace=False)] = 1
    return sparse.csr_matrix(rows)


class TestTheEvidence:
    def test_blocks_are_the_same_for_both_halves_of_the_users(self):
        assert stability_over_users(blocks(4), 4, seed=0) == pytest.approx(1)

    def test_clicks_without_any_structure_are_not(self):
        noise = sparse.random(200, 60, density=0.15, format="csr", random_state=0, dtype=np.float32)
        noise.data[:] = 1
        assert abs(stability_over_users(noise, 4, seed=0)) < 0.2

    def test_more_groups_than_there_are_blocks_are_less_stable(self):
        assert stability_over_users(blocks(4), 6, seed=0) < 0.9

    def test_the_widest_gap_comes_after_the_number_of_blocks(self):
        values = spectrum(co_click_graph(blocks(4), 0), 8, seed=0)
        assert values[0] == pytest.approx(1)
        assert np.argmax(values[:-1] - values[1:]) == 3

    @pytest.mark.parametrize("seed", range(5))
    def test_equal_eigenvalues_are_all_found(self, seed):
        """Seven groups without an edge between them, which plain Lanczos takes for fewer."""
        cliques = sparse.block_diag([np.ones((20, 20)) - np.eye(20)] * 7, format="csr")
        values = spectrum(cliques, 10, seed)
        assert np.argmax(values[:-1] - values[1:]) == 6

    def test_stray_items_are_no_groups(self):
        stray = sparse.block_diag(
            [np.ones((40, 40)) - np.eye(40)] * 3 + [np.array([[0, 1], [1, 0]]) * 0.1] * 6, format="csr"
        )
        values = spectrum(stray, 8, seed=0)
        assert np.argmax(values[:-1] - values[1:]) == 2

    def test_brief_training_makes_some_hundreds_of_updates(self):
        config = pipeline.training_config(Source("x", "x", None, None, {}), {})
        for users, batch, epochs in ((100, 50, 200), (4_000, 100, 10), (100_000, 500, 2)):
            assert (brief(config, users).batch_size, brief(config, users).epochs) == (batch, epochs)


@pytest.mark.slow
@pytest.mark.parametrize(("departments", "candidates"), [(4, (2, 4, 7))])  # 7 of 7: docs/analysis.md
def test_the_number_of_departments_of_a_small_shop_is_found_without_test_users(departments, candidates, tmp_path):
    """Where only four departments sell, four concepts are recommended."""
    shop = demo_shop.generate(3, users=1_000, items=420)
    lines = [
        f"{shop.user_ids[user]},{shop.item_ids[item]}"
        for user, item in shop.clicks
        if shop.departments[item] < departments
    ]
    (tmp_path / "clicks.csv").write_text("\n".join(["user,item", *lines]))
    interactions = read_interactions(tmp_path / "clicks.csv")
    source = Source("shop", "shop", interactions, untitled(interactions.item_ids), {})
    split = dataclasses.replace(pipeline.split_source(source, None, seed=1), test=None)
    config = brief(pipeline.training_config(source, {}), split.training.shape[0], updates=150)
    trained = []
    choice = choose_concepts(
        split, config, candidates=candidates, seeds=(0, 1), on_trained=lambda *each: trained.append(each)
    )
    assert trained == [(concepts, seed) for concepts in candidates for seed in (0, 1)]
    assert choice.single_out
    assert choice.recommended == departments, choice_markdown(choice)
    gaps = [candidate.eigengap for candidate in choice.candidates]
    assert candidates[int(np.argmax(gaps))] == departments
    assert choice_table(choice).row_count == 3
