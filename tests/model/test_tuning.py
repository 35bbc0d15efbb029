"""A search with a known answer, going on after a break, pruning, and what is written."""

import csv
import dataclasses
import logging
import tomllib

import optuna
import pytest

from macrid.model import pipeline, tuning
from macrid.model.baselines.mult_dae import MultDaeConfig
from macrid.model.errors import DataError, TrainingError
from macrid.model.methods import ALL, method, resolve
from macrid.model.search_spaces import ON_REQUEST, SPACES
from macrid.model.settings import check_settings, read_settings
from macrid.model.tuning import WARM_UP_EPOCHS, Search, best_of, finished, open_search, space_of, tune, write_best


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    rows = [f"u{user},i{(user * 7 + at * (1 + user % 3)) % 40}" for user in range(60) for at in range(15)]
    path = tmp_path_factory.mktemp("clicks") / "clicks.csv"
    path.write_text("user,item\n" + "\n".join(rows) + "\n")
    return pipeline.load_source(str(path), pipeline.SourceOptions())


@pytest.fixture
def storage(tmp_path):
    return f"sqlite:///{tmp_path / 'studies.db'}"


def scoring(monkeypatch, name, value, epochs=1):
    """Let a method's validation NDCG@100 be `value(settings, epoch)` instead of training it."""

    def fit(split, settings, seed, on_epoch):
        for number in range(1, epochs + 1):
            on_epoch(number, value(settings, number))

    monkeypatch.setitem(ALL, name, dataclasses.replace(ALL[name], fit=fit))


def run(source, search, storage, trials, **options):
    study = open_search(source, search, "s", storage)
    tune(study, source, search, storage=storage, trials=trials, **options)
    return study


class TestSearching:
    def test_it_finds_where_the_value_is_highest(self, source, storage, monkeypatch):
        scoring(monkeypatch, "multdae", lambda settings, _: 1 - abs(settings["keep_probability"] - 0.8))
        best = best_of(run(source, Search("multdae", {}), storage, 25), Search("multdae", {}))
        assert best.settings["keep_probability"] == pytest.approx(0.8, abs=0.1)
        assert best.finished == 25

    def test_a_real_method_is_never_below_its_defaults(self, source, storage):
        search = Search("ease", {}, seeds=(1, 2))
        study = run(source, search, storage, 3)
        assert study.trials[0].params == {"regularization": 300.0}
        values = [
            pipeline.evaluate(method("ease").fit(split, {"regularization": 300.0}, seed, None), split.validation).mean(
                "ndcg@100"
            )
            for seed in (1, 2)
            for split in [pipeline.split_source(source, None, seed)]
        ]
        assert study.trials[0].value == pytest.approx(sum(values) / 2)
        assert best_of(study, search).ndcg >= study.trials[0].value

    def test_trials_below_the_median_are_pruned(self, source, storage, monkeypatch):
        values = iter([0.5] * 6 + [0.1] * 6)
        scoring(monkeypatch, "multdae", lambda settings, number: settings["weight_decay"] * 0 + current[0], epochs=8)
        current = [0.0]
        study = open_search(source, Search("multdae", {}), "s", storage)
        original = ALL["multdae"].fit

        def fit(*arguments):
            current[0] = next(values)
            original(*arguments)

        monkeypatch.setitem(ALL, "multdae", dataclasses.replace(ALL["multdae"], fit=fit))
        tune(study, source, Search("multdae", {}), storage=storage, trials=12)
        states = [trial.state.name for trial in study.trials]
        assert states == ["COMPLETE"] * 6 + ["PRUNED"] * 6
        assert max(study.trials[-1].intermediate_values) < 8

    def test_a_later_split_is_compared_with_that_split_whatever_the_first_one_was(self, source, storage, monkeypatch):
        fits = []

        def fit(split, settings, seed, on_epoch):
            fits.append(seed)
            trial, second = divmod(len(fits) - 1, 2)
            for number in range(1, 9):
                on_epoch(number, 0.36 if not second else 0.3 if trial < 6 else 0.1)

        monkeypatch.setitem(ALL, "multdae", dataclasses.replace(ALL["multdae"], fit=fit))
        study = run(source, Search("multdae", {}, seeds=(1, 2)), storage, 9)
        assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 6 + ["PRUNED"] * 3
        assert study.trials[0].value == pytest.approx(0.33)
        assert [max(trial.intermediate_values) for trial in study.trials[6:]] == [
            MultDaeConfig().epochs + WARM_UP_EPOCHS
        ] * 3

    def test_trials_that_diverge_are_no_candidates_and_do_not_go_on_for_ever(self, source, storage, monkeypatch):
        def diverge(*_):
            raise TrainingError("the loss became nan")

        scoring(monkeypatch, "multdae", diverge)
        study = run(source, Search("multdae", {}), storage, 2)
        assert [trial.state.name for trial in study.trials] == ["FAIL"] * 6
        assert {trial.user_attrs[tuning.WHY] for trial in study.trials} == {"the loss became nan"}
        with pytest.raises(DataError, match="no completed trial"):
            best_of(study, Search("multdae", {}))


class TestGoingOn:
    def test_where_the_first_trial_was_broken_off_the_next_one_has_the_defaults(
        self, source, storage, monkeypatch, caplog
    ):
        def broken_off(*_):
            raise KeyboardInterrupt

        search = Search("item-knn", {})
        monkeypatch.setattr(logging.getLogger("optuna"), "propagate", True)  # to caplog
        with monkeypatch.context() as patched:
            scoring(patched, "item-knn", broken_off)
            with pytest.raises(KeyboardInterrupt):
                run(source, search, storage, 2)
            tuning._worker(source, search, "s", storage, 3, None, 1)  # says nothing more
        assert not caplog.records
        trials = run(source, search, storage, 2).trials
        assert [trial.state.name for trial in trials] == ["FAIL", "FAIL", "COMPLETE", "COMPLETE"]
        assert trials[2].params == trials[0].params
        assert trials[3].params != trials[0].params

    def test_a_study_is_continued_up_to_the_number_of_trials(self, source, storage):
        search = Search("item-knn", {})
        assert len(run(source, search, storage, 2).trials) == 2
        assert len(run(source, search, storage, 5).trials) == 5
        assert len(run(source, search, storage, 5).trials) == 5

    @pytest.mark.parametrize(
        "other", [Search("item-knn", {"shrinkage": 1.0}), Search("ease", {}), Search("item-knn", {}, seeds=(3,))]
    )
    def test_a_study_of_another_search_is_refused(self, source, storage, other):
        run(source, Search("item-knn", {}), storage, 1)
        with pytest.raises(DataError, match="the study 's' is of another search"):
            open_search(source, other, "s", storage)

    def test_a_study_of_which_nothing_was_finished_makes_way_for_another_search(self, source, storage, monkeypatch):
        def refuse(*_):
            raise DataError("these settings cannot be")

        with monkeypatch.context() as patched:
            scoring(patched, "item-knn", refuse)
            with pytest.raises(DataError, match="cannot be"):
                run(source, Search("item-knn", {"shrinkage": 1.0}), storage, 1)
        trials = run(source, Search("item-knn", {}), storage, 2).trials
        assert [trial.state.name for trial in trials] == ["COMPLETE", "COMPLETE"]

    @pytest.mark.slow
    def test_several_processes_share_the_trials(self, source, storage):
        study = run(source, Search("item-knn", {}), storage, 4, workers=2)
        assert finished(study) >= 4
        assert {trial.state for trial in study.trials} == {optuna.trial.TrialState.COMPLETE}

    def test_a_storage_that_cannot_be_opened_is_named(self, source):
        with pytest.raises(DataError, match="nowhere://: cannot be opened"):
            open_search(source, Search("ease", {}), "s", "nowhere://")


class TestWhatIsSearched:
    @pytest.mark.parametrize("name", SPACES)
    def test_every_setting_exists_and_every_value_is_allowed(self, name):
        for space in (SPACES[name], ON_REQUEST.get(name, {})):
            assert set(space) <= set(ALL[name].kinds)
            for setting, each in space.items():
                ends = each.choices if hasattr(each, "choices") else (each.low, each.high)
                for value in ends:
                    check_settings({setting: value}, ALL[name].kinds, name)

    def test_the_temperature_and_the_dimensions_are_fixed_unless_asked_for(self):
        assert {"temperature", "dimensions"}.isdisjoint(space_of(Search("macridvae", {})))
        assert "temperature" in space_of(Search("macridvae", {}, also=("temperature",)))

    def test_what_is_set_is_not_searched(self):
        assert "beta" not in space_of(Search("macridvae", {"beta": 1.0}))

    @pytest.mark.parametrize(
        ("search", "message"),
        [
            (Search("popularity", {}), "there is no setting to search"),
            (Search("ease", {"regularization": 3.0}), "there is no setting to search"),
            (Search("ease", {}, also=("temperature",)), "'temperature' cannot be searched on request"),
        ],
    )
    def test_nothing_to_search_is_said(self, search, message):
        with pytest.raises(DataError, match=message):
            space_of(search)

    def test_a_fixed_setting_is_checked(self, source, storage):
        with pytest.raises(DataError, match="item-knn: 'shrink' is no setting"):
            open_search(source, Search("item-knn", {"shrink": 1}), "s", storage)


def test_the_best_settings_and_all_trials_are_written(source, storage, tmp_path):
    search = Search("item-knn", {"shrinkage": 5.0})
    study = run(source, search, storage, 3)
    broken_off = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING)
    study.add_trial(broken_off)  # no result, and not one of those written
    best = write_best(study, source, search, tmp_path / "item-knn.toml")
    assert read_settings(tmp_path / "item-knn.toml", "item-knn") == best.settings
    assert best.settings["shrinkage"] == 5.0
    resolve(method("item-knn"), source, best.settings, "file")
    facts = tomllib.loads((tmp_path / "item-knn.toml").read_text())["study"]
    assert (facts["trials"], facts["fingerprint"]) == (3, source.interactions.fingerprint())
    with (tmp_path / "item-knn.trials.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["state"] for row in rows] == ["complete"] * 3
    assert max(float(row["ndcg@100"]) for row in rows) == pytest.approx(best.ndcg, abs=1e-6)
    assert tuning.best_value(study) == best.ndcg
