"""Files of settings: written, read, and refused with the name of what is wrong."""

import csv
import tomllib
from pathlib import Path

import pytest

from macrid.model.errors import DataError
from macrid.model.methods import ALL
from macrid.model.settings import check_settings, read_settings, write_settings

KINDS = ALL["macridvae"].kinds


def test_what_is_written_is_read(tmp_path):
    path, settings = tmp_path / "new" / "m.toml", {"concepts": 12, "beta": 0.25, "initialisation": "random"}
    write_settings(path, "macridvae", settings, {"trials": 3, "found": "“ü”"})
    assert read_settings(path, "macridvae") == settings
    assert tomllib.loads(path.read_text())["study"] == {"trials": 3, "found": "“ü”"}
    check_settings(settings, KINDS, "here")


def test_a_setting_without_a_value_is_left_at_its_default(tmp_path):
    write_settings(tmp_path / "m.toml", "macridvae", {"batch_size": None, "beta": 1}, {})
    assert read_settings(tmp_path / "m.toml", "macridvae") == {"beta": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('model = "ease"\n[settings]\n', "the model is 'ease'; expected model = 'macridvae'"),
        ('model = "macridvae"\n', r"section \[settings\]"),
        ('model = "macridvae"\n[setings]\nbeta = 1\n', "'setings' is not known"),
        ("model = \n", "cannot be read as TOML"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, text, message):
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(DataError, match=message):
        read_settings(tmp_path / "m.toml", "macridvae")


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"m\.toml: no such file"):
        read_settings(tmp_path / "m.toml", "macridvae")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"konzepte": 7}, "'konzepte' is no setting; expected .*concepts"),
        ({"concepts": 7.5}, "concepts is 7.5, expected a whole number"),
        ({"concepts": True}, "concepts is True, expected a whole number"),
        ({"concepts": 0}, "concepts is 0, expected a number of at least 1"),
        ({"beta": -0.1}, "beta is -0.1, expected a number of at least 0"),
        ({"beta": float("nan")}, "beta is nan"),
        ({"averaging": 1.5}, "averaging is 1.5, expected a number of between 0 and 1"),
        ({"initialisation": "luck"}, "initialisation is 'luck', expected 'co_clicks' or 'random'"),
        ({"batch_size": "all"}, "batch_size is 'all', expected a whole number"),
        ({"seed": 1}, "'seed' is no setting"),
    ],
)
def test_what_cannot_be_is_named(settings, message):
    with pytest.raises(DataError, match=f"here: {message}"):
        check_settings(settings, KINDS, "here")


SHIPPED = sorted((Path(__file__).parents[2] / "configs").glob("*/*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_shipped_file_can_be_used_and_its_study_says_the_same(path):
    settings = read_settings(path, path.stem)
    check_settings(settings, ALL[path.stem].kinds, str(path))
    study = tomllib.loads(path.read_text())["study"]
    with path.with_suffix(".trials.csv").open() as lines:
        trials = list(csv.DictReader(lines))
    best = max((trial for trial in trials if trial["state"] == "complete"), key=lambda trial: float(trial["ndcg@100"]))
    assert float(best["ndcg@100"]) == study["validation_ndcg_100"]
    assert len(trials) == study["trials"]
    assert all(str(settings[name]) == best[name] for name in study["searched"])


@pytest.mark.parametrize("name", ALL)
def test_every_default_passes_its_own_check(name):
    source = type("Source", (), {"training": {}})()
    settings = ALL[name].resolve(source, {})
    assert set(settings) == set(ALL[name].kinds)
    check_settings({key: value for key, value in settings.items() if value is not None}, ALL[name].kinds, name)
