"""Search for a method's settings: Optuna's TPE on the validation users of one or more splits, pruned by its median rule.

Test users are never looked at. A trial's value is the mean over splits of the best validation NDCG@100. While it trains, its best
so far is compared with the median of earlier trials at the same epoch of the same split, and a trial below it ends. A study lives
in a database, so it goes on after a break, and several processes or machines can work on it at once.
"""

import contextlib
import csv
import hashlib
import json
import multiprocessing
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from macrid import __version__
from macrid.model.datasets.dataset import Source
from macrid.model.errors import DataError, TrainingError
from macrid.model.evaluation import evaluate
from macrid.model.machine import describe
from macrid.model.methods import Method, method, resolve
from macrid.model.pipeline import split_source
from macrid.model.search_spaces import ON_REQUEST, SPACES, Space
from macrid.model.settings import Settings, write_settings
from macrid.model.splitting import Split
from macrid.model.training import default_batch_size

HEARTBEAT = 60  # seconds; a trial whose process has been silent for three of them is counted as failed
FAILURES_PER_TRIAL = 3  # a search whose every trial diverges ends too
WARM_UP_TRIALS = 5
WARM_UP_EPOCHS = 5  # of every split
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
IDENTITY = "macrid"
WHY = "failed because"  # the attribute of a trial that could not be finished

OnTrial = Callable[[optuna.Study, optuna.trial.FrozenTrial], None]


@dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes:
        method: name.
        fixed: settings that are not searched and depart from the defaults.
        also: settings searched on request only, of `ON_REQUEST`.
        seeds: of the splits (and of training) over whose validation users a trial's value is the mean.
        held_out_users: of each split; None for the data's own number.
    """

    method: str
    fixed: Settings
    also: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (98765,)
    held_out_users: int | None = None


@dataclass(frozen=True)
class Best:
    """The settings found, those fixed included; their validation NDCG@100; and how many trials were finished and pruned."""

    settings: Settings
    ndcg: float
    finished: int
    pruned: int
    best_trial: int


def space_of(search: Search) -> Space:
    """Setting -> distribution; what is fixed is not searched.

    Raises:
        DataError: there is nothing to search.
    """
    extra = ON_REQUEST.get(search.method, {})
    unknown = next((name for name in search.also if name not in extra), None)
    if unknown is not None:
        raise DataError(
            f"{search.method}: {unknown!r} cannot be searched on request; expected one of {', '.join(extra) or 'none'}"
        )
    space = {**SPACES.get(search.method, {}), **{name: extra[name] for name in search.also}}
    space = {name: each for name, each in space.items() if name not in search.fixed}
    if not space:
        raise DataError(f"{search.method}: there is no setting to search; expected one of {', '.join(SPACES)}")
    return space


def open_search(source: Source, search: Search, name: str, storage: str) -> optuna.Study:
    """Begin a study of this search, or go on with it.

    Args:
        source: of the clicks.
        search: what to search; a study of the same name must have been of the same search and data.
        name: of the study.
        storage: address of a database, as SQLAlchemy has it, for example sqlite:///studies.db.

    Raises:
        DataError: the study is of another search or other data, a setting cannot be, or the database cannot be opened.
    """
    resolve(method(search.method), source, search.fixed, search.method)
    return _open(name, storage, identity(source, search, space_of(search)))


def tune(
    study: optuna.Study,
    source: Source,
    search: Search,
    *,
    storage: str,
    trials: int,
    timeout: float | None = None,
    workers: int = 1,
    on_trial: OnTrial | None = None,
) -> None:
    """Bring a study to so many finished trials, whoever has run those that are there.

    Args:
        study: from `open_search`.
        source: of the clicks.
        search: what the study is of.
        storage: address of its database, for the other processes.
        trials: finished in all, pruned ones included.
        timeout: seconds after which no further trial begins.
        workers: processes; with more than one, results depend on their timing.
        on_trial: called after each trial of this process.
    """
    others = [_spawn(study.study_name, storage, source, search, trials, timeout, at) for at in range(1, workers)]
    try:
        _work(study, source, search, trials, timeout, 0, on_trial)
    finally:
        for process in others:
            process.join()


def identity(source: Source, search: Search, space: Space) -> str:
    """What makes two studies the same: data, method, splits, settings that are fixed and those that are searched."""
    said = [
        source.interactions.fingerprint(), search.method, dict(search.fixed), list(search.seeds), search.held_out_users,
        {name: optuna.distributions.distribution_to_json(each) for name, each in sorted(space.items())},
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _open(name: str, storage: str, identity: str) -> optuna.Study:
    """Create a study, or go on with it.

    Raises:
        DataError: it is of another search or other data, or the database cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # the caller of `tune` says what became of a trial
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # the heartbeat
            engine = {"connect_args": {"timeout": 60}} if storage.startswith("sqlite") else {}
            database = optuna.storages.RDBStorage(storage, engine_kwargs=engine, heartbeat_interval=HEARTBEAT)
            study = optuna.create_study(
                study_name=name,
                storage=database,
                direction="maximize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(WARM_UP_TRIALS),
            )
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("sqlalchemy", "optuna"):
            raise
        raise DataError(f"{storage}: cannot be opened as a storage of studies: {str(error).splitlines()[0]}") from error
    found = study.user_attrs.get(IDENTITY)
    if found is None:
        study.set_user_attr(IDENTITY, identity)
    elif found != identity and _has_only_failed(study):
        optuna.delete_study(study_name=name, storage=database)  # nothing is lost with it
        return _open(name, storage, identity)
    elif found != identity:
        raise DataError(
            f"{storage}: the study {name!r} is of another search or other data ({found}, expected {identity}); "
            "give this one another name with --study"
        )
    return study


def _has_only_failed(study: optuna.Study) -> bool:
    trials = study.get_trials(deepcopy=False)
    return bool(trials) and all(trial.state == TrialState.FAIL for trial in trials)


def _spawn(
    name: str, storage: str, source: Source, search: Search, trials: int, timeout: float | None, worker: int
) -> multiprocessing.process.BaseProcess:
    arguments = (source, search, name, storage, trials, timeout, worker)
    process = multiprocessing.get_context("spawn").Process(target=_worker, args=arguments)
    process.start()
    return process


def _worker(
    source: Source, search: Search, name: str, storage: str, trials: int, timeout: float | None, worker: int
) -> None:
    with contextlib.suppress(KeyboardInterrupt):  # which the first process tells of
        _work(open_search(source, search, name, storage), source, search, trials, timeout, worker, None)


def _work(
    study: optuna.Study,
    source: Source,
    search: Search,
    trials: int,
    timeout: float | None,
    worker: int,
    on_trial: OnTrial | None,
) -> None:
    """Run trials until the study has enough of them."""
    chosen, space = method(search.method), space_of(search)
    splits = [split_source(source, search.held_out_users, seed) for seed in search.seeds]
    begun = len(study.get_trials(deepcopy=False))
    study.sampler = optuna.samplers.TPESampler(
        seed=(search.seeds[0] + 1_000 * worker + begun) % 2**32, n_startup_trials=max(3, trials // 5)
    )

    def objective(trial: optuna.Trial) -> float:
        settings = resolve(chosen, source, {**search.fixed, **_suggest(trial, space)}, "trial")
        total = 0.0
        for at, split in enumerate(splits):
            try:
                total += _validated(trial, chosen, split, at, settings, total)
            except TrainingError as error:
                trial.set_user_attr(WHY, str(error))
                raise
        return total / len(splits)

    if finished(study) >= trials:
        return
    defaults = _defaults(chosen, source, search, space, splits[0])
    if not any(_has_tried(trial, defaults) for trial in study.get_trials(deepcopy=False)):
        study.enqueue_trial(defaults)
    study.optimize(
        objective,
        n_trials=FAILURES_PER_TRIAL * trials,
        timeout=timeout,
        catch=(TrainingError,),
        callbacks=[
            *([on_trial] if on_trial is not None else []),
            optuna.study.MaxTrialsCallback(trials, states=FINISHED),
        ],
    )


def _has_tried(trial: optuna.trial.FrozenTrial, settings: dict[str, Any]) -> bool:
    """Whether a trial is of these settings, and was not broken off."""
    given = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    return trial.state != TrialState.FAIL and settings.items() <= given.items()


def _defaults(chosen: Method, source: Source, search: Search, space: Space, split: Split) -> dict[str, Any]:
    """The settings there are without a search, tried first, so that a search does not end below them."""
    settings = {**resolve(chosen, source, search.fixed, search.method)}
    if settings.get("batch_size", 0) is None:
        settings["batch_size"] = default_batch_size(split.training.shape[0])
    found = {name: settings[name] for name in space}
    return {name: value for name, value in found.items() if space[name]._contains(space[name].to_internal_repr(value))}


def _suggest(trial: optuna.Trial, space: Space) -> dict[str, object]:
    """Ask the sampler for a value of every setting."""
    return {name: _suggest_one(trial, name, distribution) for name, distribution in space.items()}


def _suggest_one(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> object:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log)
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)


def _validated(trial: optuna.Trial, chosen: Method, split: Split, at: int, settings: Settings, before: float) -> float:
    """Fit on one split; the best validation NDCG@100.

    What is reported adds what the splits `before` came to, for the pruner looks at the largest of all reports of a trial: it must
    be the last.

    Raises:
        TrialPruned: the trial is below the median of the others.
    """
    epochs = settings.get("epochs")
    best = 0.0

    def on_epoch(number: int, ndcg: float) -> None:
        nonlocal best
        best = max(best, ndcg)
        assert isinstance(epochs, int)
        trial.report(before + best, step=at * epochs + number)
        if number >= WARM_UP_EPOCHS and trial.should_prune():
            raise optuna.TrialPruned

    scorer = chosen.fit(split, settings, split.seed, on_epoch)
    return best or evaluate(scorer, split.validation).mean("ndcg@100")


def finished(study: optuna.Study) -> int:
    """Trials that were completed or pruned."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


def best_of(study: optuna.Study, search: Search) -> Best:
    """The best trial's settings.

    Raises:
        DataError: no trial was completed.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not complete:
        raise DataError(
            f"the study {study.study_name!r} has no completed trial; give it more --trials or a longer --timeout"
        )
    best = study.best_trial
    assert best.value is not None
    ended = finished(study)
    return Best({**search.fixed, **best.params}, best.value, ended, ended - len(complete), best.number)


def best_value(study: optuna.Study) -> float | None:
    """The best validation NDCG@100 so far."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return max((trial.value for trial in complete if trial.value is not None), default=None)


def write_best(study: optuna.Study, source: Source, search: Search, path: Path) -> Best:
    """Write the best settings, with what is to be known of the search, and all trials beside as CSV.

    Raises:
        DataError: no trial was completed.
    """
    best = best_of(study, search)
    facts = {
        "data": source.name,
        "fingerprint": source.interactions.fingerprint(),
        "split_seeds": list(search.seeds),
        "validation_ndcg_100": round(best.ndcg, 6),
        "trials": best.finished,
        "pruned": best.pruned,
        "best_trial": best.best_trial,
        "searched": sorted(space_of(search)),
        "measured": describe(),
        "macrid": __version__,
        "optuna": optuna.__version__,
    }
    write_settings(path, search.method, best.settings, facts)
    write_trials(study, path.with_suffix(".trials.csv"))
    return best


def write_trials(study: optuna.Study, path: Path) -> None:
    """Every trial that has ended as a line of CSV: number, state, validation NDCG@100, seconds, and its settings."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    names = sorted({name for trial in trials for name in trial.params})
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["trial", "state", "ndcg@100", "seconds", *names])
        for trial in trials:
            seconds = "" if trial.duration is None else f"{trial.duration.total_seconds():.1f}"
            value = "" if trial.value is None else f"{trial.value:.6f}"
            settings = [trial.params.get(name, "") for name in names]
            writer.writerow([trial.number, trial.state.name.lower(), value, seconds, *settings])
