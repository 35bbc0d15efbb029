"""A comparison on circles of users: the table, the tests, and going on where one was broken off."""

import json

import numpy as np
import pytest

from macrid.model import comparison, pipeline
from macrid.model.comparison import compare_methods, markdown, plain
from macrid.model.errors import DataError
from macrid.model.methods import ALL, method, resolve


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    rng = np.random.default_rng(0)
    chance = np.where(np.arange(120)[:, None] % 3 == np.arange(45) % 3, 0.6, 0.03)
    rows = [f"u{user},i{item}" for user, item in zip(*np.nonzero(rng.random(chance.shape) < chance), strict=True)]
    path = tmp_path_factory.mktemp("circles") / "clicks.csv"
    path.write_text("user,item\n" + "\n".join(rows) + "\n")
    return pipeline.load_source(str(path), pipeline.SourceOptions())


@pytest.fixture(scope="module")
def methods(source):
    quick = {"epochs": 2, "batch_size": 30}
    given = {
        "macridvae": {"dimensions": 8, "concepts": 3, "anchor": 0.0, **quick},
        "popularity": {},
        "ease": {"regularization": 20.0},
        "multdae": {"latent": 4, **quick},
    }
    return {name: resolve(method(name), source, settings, name) for name, settings in given.items()}


def test_the_table_is_what_each_method_gets_on_each_split(source, methods):
    found = compare_methods(source, methods, [1, 2], held_out_users=20)
    ease = next(row for row in found.rows if row.method == "ease")
    for seed in (1, 2):
        split = pipeline.split_source(source, 20, seed)
        expected = pipeline.evaluate(method("ease").fit(split, methods["ease"], seed, None), split.test)
        assert ease.per_seed[seed]["ndcg@100"] == pytest.approx(expected.mean("ndcg@100"))
    assert ease.means["ndcg@100"].mean == pytest.approx(
        np.mean([ease.per_seed[s]["ndcg@100"] for s in (1, 2)]), abs=0.01
    )
    assert [each.baseline for each in found.tests[:3]] == ["popularity", "ease", "multdae"]
    against_popularity = found.tests[0]
    ours = next(row for row in found.rows if row.method == "macridvae")
    popularity = next(row for row in found.rows if row.method == "popularity")
    assert against_popularity.test.difference == pytest.approx(
        ours.means["ndcg@100"].mean - popularity.means["ndcg@100"].mean
    )
    text = markdown(found, "here")
    assert "| EASE |" in text
    assert "| MultDAE | recall@50 |" in text
    two = {name: methods[name] for name in ("macridvae", "popularity")}
    json.dumps(plain(compare_methods(source, two, [1], held_out_users=20), "here"), allow_nan=False)


def test_it_goes_on_where_it_was(source, methods, tmp_path, monkeypatch):
    counted = []
    fit = comparison._fit
    monkeypatch.setattr(comparison, "_fit", lambda *args: counted.append(args[1]) or fit(*args))
    few = {name: methods[name] for name in ("popularity", "ease")}
    first = compare_methods(source, few, [1], held_out_users=20, folder=tmp_path)
    again = compare_methods(source, few, [1], held_out_users=20, folder=tmp_path)
    assert counted == ["popularity", "ease"]
    assert again.rows[1].means == first.rows[1].means
    compare_methods(source, {**few, "ease": {"regularization": 9.0}}, [1], held_out_users=20, folder=tmp_path)
    compare_methods(source, few, [1], held_out_users=21, folder=tmp_path)
    assert counted == ["popularity", "ease", "ease", "popularity", "ease"]


def test_users_are_counted_in_every_split_and_all_splits_say_how_much_training_sets_overlap(tmp_path, monkeypatch):
    lines = [f"u{user},i{item}" for user in range(30) for item in range(10)]
    lines += [
        f"odd{user},only-{user}-{item}" for user in range(6) for item in range(6)
    ]  # held out, they cannot be asked
    path = tmp_path / "clicks.csv"
    path.write_text("user,item\n" + "\n".join(lines) + "\n")
    source = pipeline.load_source(str(path), pipeline.SourceOptions())
    splits = [pipeline.split_source(source, 6, seed) for seed in (1, 2, 3)]
    tested = tuple(len(split.test.user_ids) for split in splits)
    assert len(set(tested)) > 1
    shares = []
    test = comparison.paired_test
    monkeypatch.setattr(comparison, "paired_test", lambda *args: shares.append(args[-1]) or test(*args))
    settings = {"epochs": 1, "dimensions": 4, "concepts": 2, "batch_size": 30, "initialisation": "random"}
    two = {"macridvae": resolve(method("macridvae"), source, settings, "macridvae"), "popularity": {}}
    found = compare_methods(source, two, [1, 2, 3], held_out_users=6)
    assert found.test_users == tested
    assert found.training_users == (24, 24, 24)
    assert shares == [pytest.approx(np.mean(tested) / 24)] * 3
    assert f" 24 training and {min(tested)} to {max(tested)} test users a split. " in markdown(found, "here")


def test_where_ease_cannot_be_fitted_nothing_is(source, methods, monkeypatch):
    monkeypatch.setattr(comparison.ease, "LARGEST", 10)
    fits = []
    with pytest.raises(DataError, match=r"EASE cannot be fitted to 80 users and 45 items.* with --baselines"):
        compare_methods(source, methods, [1], held_out_users=20, on_fit=fits.append)
    assert not fits


def test_seeds_must_be_there_and_differ(source, methods):
    for seeds in ([], [1, 1]):
        with pytest.raises(DataError, match="expected each seed once"):
            compare_methods(source, methods, seeds)


def test_an_unknown_method_lists_the_known_ones():
    with pytest.raises(DataError, match=f"'bpr' is no method; expected one of {', '.join(ALL)}"):
        method("bpr")
