"""The whole of the trainer in one reading: source → split → train → evaluate → export."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.manifest import check_name
from macrid.artifacts.schema import Manifest
from macrid.model import datasets
from macrid.model.baselines import ease
from macrid.model.baselines.popularity import Popularity
from macrid.model.checkpoint import Checkpoints
from macrid.model.continuation import Predecessor
from macrid.model.datasets.dataset import Source, Watcher
from macrid.model.errors import CheckpointError, DataError, RanksError
from macrid.model.evaluation import Evaluation, Scorer, evaluate
from macrid.model.export import Provenance, export, refuse_unservable, restore
from macrid.model.index import DEFAULT_BUDGET
from macrid.model.interactions import ColumnNames, Interactions, read_interactions
from macrid.model.items import Items, read_items, untitled
from macrid.model.network import NetworkConfig
from macrid.model.ranks import ALONE, Ranks
from macrid.model.splitting import Split, default_held_out_users, everyone, strong_generalization
from macrid.model.training import Epoch, Start, Trained, TrainingConfig, refit, train
from macrid.model.training_state import Pass

EASE_REGULARIZATION = 300.0

CONFIG_NAMES = frozenset(
    field.name
    for kind in (TrainingConfig, NetworkConfig)
    for field in dataclasses.fields(kind)
    if field.name != "network"
)
PAPER_RECIPE: Mapping[str, object] = {  # what the authors' code does where our defaults differ
    "initialisation": "random",
    "anchor": 0.0,
    "basis": "trained",
    "averaging": 0.0,
    "samples": 0,
    "batch_size": 500,
    "epochs": 200,
    "patience": 200,
    "beta": 0.2,
    "prior_std": 0.075,
}

REFIT = "refit"  # what the name of its checkpoint ends with
METRICS_OF_A_CONTINUATION = (
    "training went on from {version}, which may have learnt from users held out here: the figures may be too good, and the best "
    "epoch may come too early"
)
METRICS_BEFORE_REFIT = (
    "another network of the same settings, trained on {users} training users alone; this one was then trained on all users for "
    "as many epochs as that one's best had, and nobody is left to evaluate it on"
)

Table = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True)
class SourceOptions:
    """How to read a user's own file; a known data set takes only `folder`."""

    items: Path | None = None
    name: str | None = None
    folder: Path | None = None
    columns: ColumnNames = dataclasses.field(default_factory=ColumnNames)
    min_rating: float | None = None
    min_user_items: int = 5


@dataclass(frozen=True)
class Outcome:
    """What a run leaves behind."""

    manifest: Manifest
    folder: Path
    trained: Trained
    table: Table


def load_source(given: str, options: SourceOptions, watcher: Watcher | None = None) -> Source:
    """A known data set by name, or a file of interactions by path.

    Raises:
        DataError: neither, or what is there cannot be used, or an option has no effect on it.
        CatalogueError, BundleError: an item, a column or the name cannot stand in a bundle.
    """
    if given in datasets.ALL:
        _refuse_without_effect(given, options, SourceOptions(folder=options.folder))
        return datasets.ALL[given].load(options.folder, watcher)
    path = Path(given)
    if not path.suffix and not path.is_dir():
        raise DataError(
            f"{given!r} is neither a known data set ({', '.join(datasets.ALL)}) nor a .csv, .tsv or .parquet file, "
            "nor a folder of Parquet parts"
        )
    _refuse_without_effect(given, options, dataclasses.replace(options, folder=None))
    interactions = read_interactions(
        path, columns=options.columns, min_rating=options.min_rating, min_user_items=options.min_user_items
    )
    name = options.name or _name_of(path)
    check_name(name, "--name")
    settings = {
        "columns": dataclasses.asdict(options.columns),
        "min_rating": options.min_rating,
        "min_user_items": options.min_user_items,
    }
    return Source(name, str(path.resolve()), interactions, _items(options, interactions.item_ids), settings)


def refuse_fetching(given: str, options: SourceOptions) -> None:
    """Refuse a data set that is not here, which several processes would all fetch to the same place.

    Raises:
        RanksError: says how to fetch it.
    """
    if given in datasets.ALL and options.folder is None and datasets.ALL[given].locate() is None:
        raise RanksError(f"{given} is not here; fetch it before several processes read it: macrid data prepare {given}")


def _refuse_without_effect(given: str, options: SourceOptions, effective: SourceOptions) -> None:
    for field in dataclasses.fields(SourceOptions):
        if getattr(options, field.name) != getattr(effective, field.name):
            raise DataError(f"{given}: the option for {field.name.replace('_', ' ')} has no effect here; leave it out")


def _items(options: SourceOptions, item_ids: tuple[str, ...]) -> Items:
    if options.items is None:
        return untitled(item_ids)
    return read_items(options.items, item_ids, item_column=options.columns.item)


def _name_of(path: Path) -> str:
    """The file's name without its suffixes, in characters that a version may have."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", path.name.split(".")[0]).strip("-_")[:80] or "clicks"


def training_config(source: Source, overrides: Mapping[str, object]) -> TrainingConfig:
    """The defaults, then what the data asks for, then what the caller says (values that are None say nothing)."""
    said = {**source.training, **{name: value for name, value in overrides.items() if value is not None}}
    of_network = {field.name for field in dataclasses.fields(NetworkConfig)}
    network = NetworkConfig(**{name: value for name, value in said.items() if name in of_network})  # type: ignore[arg-type]
    rest = {name: value for name, value in said.items() if name not in of_network}
    return TrainingConfig(network=network, **rest)  # type: ignore[arg-type]


def split_source(source: Source, held_out_users: int | None, seed: int) -> Split:
    """Split with the number of held-out users asked for, the published one, or a tenth."""
    users = len(source.interactions.user_ids)
    count = held_out_users or source.held_out_users or default_held_out_users(users)
    return strong_generalization(source.interactions, held_out_users=count, seed=seed)


def run(
    source: Source,
    split: Split,
    config: TrainingConfig,
    folder: Path,
    on_epoch: Callable[[Epoch], None] | None = None,
    index_budget: float = DEFAULT_BUDGET,
    *,
    refit_on_all: bool = False,
    on_refit: Callable[[Pass], None] | None = None,
    checkpoints: Checkpoints | None = None,
    predecessor: Predecessor | None = None,
    ranks: Ranks = ALONE,
) -> Outcome:
    """Train on a split, compare on its test users, and export what was evaluated, or what is then refitted on all users.

    Args:
        source: of the clicks and what is known of the items.
        split: of the source.
        config: see `TrainingConfig`.
        folder: of the bundle; must not exist yet.
        on_epoch: called after every epoch of training.
        refit_on_all: after the evaluation train anew on all users, as many epochs as the best one's number, and export that.
        on_refit: called after every epoch of that.
        index_budget: see `export`.
        checkpoints: where training keeps its state; the files are removed once the bundle is written.
        predecessor: the bundle to go on from; the concepts and dimensions that agree keep their ids.
        ranks: the processes that train together, of which this must be the first; the others `follow`.

    Ctrl-C ends training, or the refit after it; what is exported then is the best epoch so far.

    Raises:
        TrainingError: the network cannot be served, or see `train`.
        CheckpointError: see `train`; or there is a checkpoint of a refit without the one of the training before it.
    """
    refuse_unservable(config.network)
    if checkpoints is not None:
        checkpoints = dataclasses.replace(checkpoints, continues=predecessor.model_version if predecessor else None)
        _refuse_refit_alone(checkpoints)
    if refit_on_all and config.teacher:
        _refuse_teacher_of_all(source.interactions)
    trained = train(split, config, on_epoch, checkpoints, _start(predecessor, split), ranks)
    table = compare(trained.network, split)
    network, served = trained.network, split
    fitted_on: Literal["training_users", "all_users"] = "training_users"
    metrics: dict[str, object] = {"test": table, "users": len(split.test.user_ids)}
    phases = [checkpoints] if checkpoints is not None else []
    if refit_on_all and not trained.interrupted:
        everybody = everyone(source.interactions, split.seed)
        phases += [checkpoints.beside(REFIT)] if checkpoints is not None else []
        try:
            network = refit(
                everybody.training,
                _asked_again(trained, config),
                trained.best_epoch,
                on_refit,
                phases[-1] if phases else None,
                _start(predecessor, everybody),
                ranks,
            )
            served, fitted_on = everybody, "all_users"
            metrics["of"] = METRICS_BEFORE_REFIT.format(users=len(split.training_user_ids))
        except KeyboardInterrupt:
            if ranks.size > 1:
                raise
            trained = dataclasses.replace(trained, interrupted=True)
    if predecessor is not None:
        metrics["caution"] = METRICS_OF_A_CONTINUATION.format(version=predecessor.model_version)
    provenance = Provenance(
        name=source.name,
        fitted_on=fitted_on,
        data=describe_data(source, split),
        training=describe_training(trained),
        metrics=metrics,
    )
    items = source.items.aligned(served.item_ids)
    manifest = export(network, served.training, items, provenance, folder, config.basis, index_budget, predecessor)
    if not trained.interrupted:
        for phase in phases:
            phase.path.unlink(missing_ok=True)
    return Outcome(manifest, folder, trained, table)


def follow(source: Source, split: Split, config: TrainingConfig, ranks: Ranks, *, refit_on_all: bool = False) -> None:
    """Take part in the trainings of `run` in another process, which evaluates and writes; arguments as there."""
    trained = train(split, config, ranks=ranks)
    if refit_on_all:
        training = everyone(source.interactions, split.seed).training
        refit(training, _asked_again(trained, config), trained.best_epoch, ranks=ranks)


def _asked_again(trained: Trained, config: TrainingConfig) -> TrainingConfig:
    """What a training was found to be, for another one, which chooses its precision where it runs."""
    return dataclasses.replace(trained.config, precision=config.precision)


def _refuse_refit_alone(checkpoints: Checkpoints) -> None:
    refit_path = checkpoints.beside(REFIT).path
    if refit_path.exists() and not (checkpoints.resume and checkpoints.path.exists()):
        raise CheckpointError(
            f"{refit_path} exists: a refit that has not ended; go on with it with --resume, beside {checkpoints.path.name}, or "
            "remove the file"
        )


def _refuse_teacher_of_all(interactions: Interactions) -> None:
    """Refuse a refit whose teacher cannot be fitted to all users, before any work."""
    users, items = len(interactions.user_ids), len(interactions.item_ids)
    if min(users, items) > ease.LARGEST:
        raise DataError(
            f"a refit with a teacher fits EASE to all {users:,} users and {items:,} items, expected at most {ease.LARGEST:,} "
            "of either; train without --refit or without --teacher"
        )


def _start(predecessor: Predecessor | None, split: Split) -> Start | None:
    return None if predecessor is None else partial(predecessor.start, split.item_ids)


def describe_training(trained: Trained) -> dict[str, object]:
    """What the manifest tells of training, the versions and threads included on which bitwise equality depends."""
    return {
        **dataclasses.asdict(trained.config),
        "best_epoch": trained.best_epoch,
        "epochs_run": len(trained.history),
        "interrupted": trained.interrupted,
        "curve": {
            "loss": [epoch.loss for epoch in trained.history],
            "ndcg@100": [epoch.validation.mean("ndcg@100") for epoch in trained.history],
        },
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def describe_data(source: Source, split: Split) -> dict[str, object]:
    """What the manifest tells of the data, enough to read and split it again."""
    note = {} if source.note is None else {"note": source.note}
    return note | {
        "source": source.origin,
        "settings": dict(source.settings),
        "fingerprint": source.interactions.fingerprint(),
        "users": len(source.interactions.user_ids),
        "items": len(source.interactions.item_ids),
        "interactions": len(source.interactions),
        "split_seed": split.seed,
        "training_users": len(split.training_user_ids),
        "held_out_users": (len(source.interactions.user_ids) - len(split.training_user_ids)) // 2,
    }


def compare(network: Scorer, split: Split) -> Table:
    """MacridVAE beside popularity and EASE on the test users: method -> measure -> mean and standard error."""
    scorers: dict[str, Scorer] = {"MacridVAE": network}
    if ease.can_be_fitted(split.training):
        scorers["EASE"] = ease.fit_ease(split.training, regularization=EASE_REGULARIZATION)
    scorers["popularity"] = Popularity.fit(split.training)
    results: dict[str, Evaluation] = {name: evaluate(scorer, split.test) for name, scorer in scorers.items()}
    return {name: result.summary() for name, result in results.items()}


def split_of(bundle: Bundle, start: Path | None = None) -> Split:
    """Read the interactions a bundle was made from again, and split them as then; after a refit nobody is held out.

    Args:
        bundle: its manifest says what they were.
        start: where they are now: a data set's folder or a file; None: where they were.

    Raises:
        DataError: the data is gone or has changed.
    """
    data = bundle.manifest.data
    source = _read_again(str(data["source"]), data["settings"], start)
    fingerprint = source.fingerprint()
    if fingerprint != data["fingerprint"]:
        raise DataError(
            f"{start or data['source']}: the interactions are not those that {bundle.manifest.model_version} was trained on "
            f"(fingerprint {fingerprint[:12]}, expected {str(data['fingerprint'])[:12]}); they have changed since, so train again"
        )
    held_out_users, seed = _whole_number(data["held_out_users"]), _whole_number(data["split_seed"])
    if bundle.manifest.fitted_on == "all_users":
        return everyone(source, seed)
    return strong_generalization(source, held_out_users=held_out_users, seed=seed)


def split_if_there(bundle: Bundle, start: Path | None = None) -> tuple[Split | None, str]:
    """`split_of`, or None and the reason where the data cannot be read again and nobody said where it is.

    Raises:
        DataError: `start` is given and is not the data.
    """
    try:
        return split_of(bundle, start), ""
    except DataError as error:
        if start is not None:
            raise
        return None, str(error)


def _read_again(origin: str, settings: object, start: Path | None) -> Interactions:
    if origin in datasets.ALL:
        return datasets.ALL[origin].load(start).interactions
    assert isinstance(settings, dict)
    return read_interactions(
        start or Path(origin),
        columns=ColumnNames(**settings["columns"]),
        min_rating=settings["min_rating"],
        min_user_items=settings["min_user_items"],
    )


def _whole_number(value: object) -> int:
    assert isinstance(value, int)
    return value


def evaluate_bundle(bundle: Bundle, folder: Path | None = None) -> tuple[Table, Split]:
    """The comparison table of a bundle, on the test users of the split it was trained with.

    Raises:
        DataError: it was refitted on all users, or see `split_of`.
    """
    if bundle.manifest.fitted_on == "all_users":
        raise DataError(
            f"{bundle.manifest.model_version} was refitted on all users, so that nobody is left to evaluate it on; "
            "the metrics in its manifest are of the network before (`macrid train` without --refit can be evaluated)"
        )
    split = split_of(bundle, folder)
    return compare(restore(bundle), split), split
