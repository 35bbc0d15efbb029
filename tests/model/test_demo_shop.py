"""The demo shop is the fair world it says it is, the same from the same seed, and readable back from its files."""

import csv
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from macrid.model import demo_shop
from macrid.model.demo_shop import DEPARTMENTS, FACTORS, DemoShop, draw_without_replacement, generate, write
from macrid.model.demo_titles import HUE_WORDS, MATERIALS, SHAPE_WORDS, SIZE_WORDS


@pytest.fixture(scope="module")
def shop() -> DemoShop:
    return generate(0)


@pytest.fixture(scope="module")
def small() -> DemoShop:
    return generate(5, users=30, items=140)


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "shop"
    write(small, folder)
    return folder


def clicks_by_department(shop: DemoShop) -> np.ndarray:
    """Count the clicks of every user in every department: (U, D)."""
    counts = np.zeros((len(shop.user_ids), len(DEPARTMENTS)), dtype=int)
    np.add.at(counts, (shop.clicks[:, 0], shop.departments[shop.clicks[:, 1]]), 1)
    return counts


def tastes(shop: DemoShop) -> np.ndarray:
    """Estimate tastes as the mean factors of a user's clicks in a department, where there are eight: (n, F)."""
    cells = shop.clicks[:, 0] * len(DEPARTMENTS) + shop.departments[shop.clicks[:, 1]]
    counts = np.bincount(cells)
    sums = np.stack(
        [np.bincount(cells, weights=shop.factors[shop.clicks[:, 1], f]) for f in range(len(FACTORS))], axis=1
    )
    return sums[counts >= 8] / counts[counts >= 8, None]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class TestItems:
    def test_the_shop_has_the_size_asked_for(self, shop):
        assert len(shop.item_ids) == len(shop.titles) == len(shop.departments) == len(shop.factors) == 2000
        assert len(shop.user_ids) == 5000

    def test_departments_are_unequal_and_none_is_small(self, shop):
        sizes = np.bincount(shop.departments)
        assert len(sizes) == len(DEPARTMENTS) == 7
        assert sizes.min() >= 200
        assert sizes.max() > 1.2 * sizes.min()

    def test_ids_name_the_department_and_are_unique(self, shop):
        assert len(set(shop.item_ids)) == 2000
        assert shop.item_ids[0] == "bag-0001"
        for item_id, department in zip(shop.item_ids, shop.departments, strict=True):
            assert DEPARTMENTS[department].startswith(item_id.split("-")[0])

    def test_factors_are_uniform(self, shop):
        assert shop.factors.min() >= 0
        assert shop.factors.max() <= 1
        quantiles = np.quantile(shop.factors, [0.1, 0.25, 0.5, 0.75, 0.9], axis=0)
        # The standard error of a quartile of 2,000 uniform values is about .01.
        np.testing.assert_allclose(quantiles, np.array([[0.1, 0.25, 0.5, 0.75, 0.9]]).T.repeat(4, axis=1), atol=0.05)

    def test_factors_are_independent_of_each_other_and_of_the_department(self, shop):
        between = np.corrcoef(shop.factors.T)[np.triu_indices(len(FACTORS), 1)]
        assert np.abs(between).max() < 0.09  # four standard errors of 1/√2000
        means = np.array([shop.factors[shop.departments == d].mean(axis=0) for d in range(len(DEPARTMENTS))])
        assert np.abs(means - 0.5).max() < 4 * 0.289 / np.sqrt(240)


class TestTitles:
    def test_titles_are_distinct_and_hold_no_numbers(self, shop):
        assert len(set(shop.titles)) == 2000
        assert not any(re.search(r"\d", title) for title in shop.titles)

    @pytest.mark.parametrize(("column", "words"), [(0, SIZE_WORDS), (1, HUE_WORDS), (3, SHAPE_WORDS)])
    def test_words_rise_with_their_factor(self, shop, column, words):
        for title, value in zip(shop.titles, shop.factors[:, column], strict=True):
            expected = words[int(value * len(words))]
            assert expected.lower() in title.lower().split() or expected == ""

    def test_materials_rise_with_the_price(self, shop):
        for title, department, price in zip(shop.titles, shop.departments, shop.factors[:, 2], strict=True):
            assert MATERIALS[DEPARTMENTS[department]][int(price * 5)] in title.lower()


class TestClicks:
    def test_no_user_clicks_an_item_twice(self, shop):
        assert len(np.unique(shop.clicks, axis=0)) == len(shop.clicks)

    def test_histories_are_of_realistic_and_skewed_length(self, shop):
        lengths = np.bincount(shop.clicks[:, 0], minlength=5000)
        assert lengths.min() >= 15  # 20, less noise that hit an item clicked already
        assert lengths.max() <= 80
        assert 25 < np.median(lengths) < lengths.mean() < 40

    def test_every_user_shows_two_to_four_intentions(self, shop):
        visible = (clicks_by_department(shop) >= 3).sum(axis=1)
        assert visible.min() >= 2
        # Three noise clicks may fall into one more department, but rarely.
        assert (visible > 4).mean() < 0.01
        assert all((visible == n).mean() > 0.25 for n in (2, 3, 4))

    def test_a_few_clicks_are_noise(self, shop):
        counts = clicks_by_department(shop)
        stray = counts[counts < 3].sum() / counts.sum()
        assert 0.01 < stray < 0.03  # of 3 % noise, those outside the user's two to four departments of seven

    def test_popularity_is_mildly_skewed(self, shop):
        counts = np.sort(np.bincount(shop.clicks[:, 1], minlength=2000))[::-1]
        assert 0.15 < counts[:200].sum() / counts.sum() < 0.3
        assert counts[-1] > 0

    def test_tastes_are_independent_and_favour_no_end(self, shop):
        found = tastes(shop)
        assert len(found) > 5000
        between = np.corrcoef(found.T)[np.triu_indices(len(FACTORS), 1)]
        assert np.abs(between).max() < 0.05
        np.testing.assert_allclose(found.mean(axis=0), 0.5, atol=0.03)

    def test_tastes_are_spread_and_not_clustered(self, shop):
        for values in tastes(shop).T:
            histogram = np.histogram(values, bins=8, range=(0.1, 0.9))[0]
            inner = histogram[1:-1]
            assert inner.min() > 0.5 * inner.max()

    def test_clicks_follow_every_factor_of_a_taste(self, shop):
        # A user's means would have a standard deviation of .29 / √12 = .08 or less if clicks were blind.
        assert tastes(shop).std(axis=0).min() > 0.16

    def test_the_order_in_time_says_nothing(self, shop):
        users = shop.clicks[:, 0]
        assert (np.diff(users) >= 0).all()
        same_user = users[1:] == users[:-1]
        same_department = shop.departments[shop.clicks[1:, 1]] == shop.departments[shop.clicks[:-1, 1]]
        counts = clicks_by_department(shop)
        lengths = counts.sum(axis=1)
        # Expected in a random order: Σ n_d (n_d − 1) of L (L − 1) neighbours, weighted by the L − 1 pairs of each user.
        expected = ((counts * (counts - 1)).sum(axis=1) / lengths).sum() / (lengths - 1).sum()
        assert same_department[same_user].mean() == pytest.approx(expected, abs=0.01)


class TestDrawing:
    def test_a_single_draw_follows_the_weights(self):
        log_weights = np.tile(np.log([1.0, 2.0, 5.0]), (40_000, 1))
        _, columns = draw_without_replacement(log_weights, np.ones(40_000, dtype=np.int64), np.random.default_rng(0))
        np.testing.assert_allclose(np.bincount(columns) / 40_000, [0.125, 0.25, 0.625], atol=0.01)

    def test_nothing_is_drawn_twice_and_no_more_than_there_is(self):
        rows, columns = draw_without_replacement(np.zeros((2, 3)), np.array([2, 9]), np.random.default_rng(0))
        assert rows.tolist() == [0, 0, 1, 1, 1]
        assert len(set(columns[:2])) == 2
        assert sorted(columns[2:]) == [0, 1, 2]


class TestGenerate:
    def test_the_same_seed_gives_the_same_shop(self, small):
        again = generate(5, users=30, items=140)
        assert again.titles == small.titles
        np.testing.assert_array_equal(again.factors, small.factors)
        np.testing.assert_array_equal(again.clicks, small.clicks)

    def test_another_seed_gives_another_shop(self, small):
        other = generate(6, users=30, items=140)
        assert not np.array_equal(other.factors, small.factors)
        assert not np.array_equal(other.clicks, small.clicks)

    def test_the_smallest_shop_is_whole(self):
        tiny = generate(0, users=1, items=70)
        assert np.bincount(tiny.departments).min() >= 8
        assert (tiny.clicks[:, 0] == 0).all()

    @pytest.mark.parametrize(("users", "items", "complaint"), [(0, 100, "1 user, not 0"), (10, 69, "70 items, not 69")])
    def test_a_shop_that_is_too_small_is_refused(self, users, items, complaint):
        with pytest.raises(ValueError, match=complaint):
            generate(0, users=users, items=items)


class TestWrite:
    def test_items_are_read_back_as_they_were(self, small, folder):
        rows = read(folder / "items.csv")
        assert list(rows[0]) == ["item", "title", "department", "size", "hue", "price", "shape", "image"]
        assert tuple(row["item"] for row in rows) == small.item_ids
        assert tuple(row["title"] for row in rows) == small.titles
        assert [row["department"] for row in rows] == [DEPARTMENTS[d] for d in small.departments]
        factors = [[float(row[factor.name]) for factor in FACTORS] for row in rows]
        np.testing.assert_allclose(factors, small.factors, atol=0.0005 + 1e-12)

    def test_clicks_are_read_back_in_order_with_rising_times(self, small, folder):
        rows = read(folder / "clicks.csv")
        expected = [(small.user_ids[user], small.item_ids[item]) for user, item in small.clicks]
        assert [(row["user"], row["item"]) for row in rows] == expected
        for before, after in pairwise(rows):
            assert before["user"] != after["user"] or int(before["timestamp"]) < int(after["timestamp"])

    def test_every_item_has_its_picture(self, folder):
        for row in read(folder / "items.csv"):
            assert f"<title>{row['title']}</title>" in (folder / row["image"]).read_text(encoding="utf-8")
        assert len(list((folder / "pictures").iterdir())) == 140

    def test_the_same_shop_gives_the_same_bytes(self, folder, tmp_path):
        write(generate(5, users=30, items=140), tmp_path / "again")
        written = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        assert len(written) == 142
        for path in written:
            assert (tmp_path / "again" / path).read_bytes() == (folder / path).read_bytes()

    def test_a_folder_with_something_in_it_is_left_alone(self, small, tmp_path):
        (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
        with pytest.raises(FileExistsError, match="remove it or name another folder"):
            write(small, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]

    def test_a_failure_leaves_nothing_behind(self, small, tmp_path, monkeypatch):
        def fail(department, factors, title):
            raise OSError("no space left on the device")

        monkeypatch.setattr(demo_shop, "draw", fail)
        with pytest.raises(OSError, match="no space left"):
            write(small, tmp_path / "shop")
        assert list(tmp_path.iterdir()) == []

    def test_an_item_id_is_the_name_of_its_picture(self, small, tmp_path):
        renamed = replace(small, item_ids=("bag-first", *small.item_ids[1:]))
        write(renamed, tmp_path / "shop")
        assert (tmp_path / "shop" / "pictures" / "bag-first.svg").is_file()
