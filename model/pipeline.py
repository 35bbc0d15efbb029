"""The whole of the trainer in one reading: source → split → train → evaluate → export."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.schema import Manifest
from macrid.model import datasets
from macrid.model.baselines.ease import Ease
from macrid.model.baselines.popularity import Popularity
from macrid.model.datasets.dataset import Source
from macrid.model.errors import DataError
from macrid.model.evaluation import Evaluation, Scorer, evaluate
from macrid.model.export import Provenance, export, restore
from macrid.model.interactions import ColumnNames, read_interactions
from macrid.model.items import read_items, untitled
from macrid.model.network import NetworkConfig
from macrid.model.splitting import Split, default_held_out_users, strong_generalization
from macrid.model.training import Epoch, Trained, TrainingConfig, train

SPLIT_SEED = 98765
EASE_REGULARIZATION = 300.0
EASE_MAX_ITEMS = 20_000  # its item-item matrix would need M² floats twice over

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


def load_source(given: str, options: SourceOptions) -> Source:
    """A known data set by name, or a file of interactions by path.

    Raises:
        DataError: neither, or what is there cannot be used.
    """
    dataset = datasets.ALL.get(given)
    if dataset is not None:
        return dataset.load(options.folder)
    path = Path(given)
    if not path.suffix:
        raise DataError(
            f"{given!r} is neither a known data set ({', '.join(datasets.ALL)}) nor a .csv, .tsv or .parquet file"
        )
    interactions = read_interactions(
        path, columns=options.columns, min_rating=options.min_rating, min_user_items=options.min_user_items
    )
    items = (
        read_items(options.items).aligned(interactions.item_ids) if options.items else untitled(interactions.item_ids)
    )
    settings = {
        "items": str(options.items.resolve()) if options.items else None,
        "columns": dataclasses.asdict(options.columns),
        "min_rating": options.min_rating,
        "min_user_items": options.min_user_items,
    }
    name = options.name or re.sub(r"[^A-Za-z0-9_-]+", "-", path.name.split(".")[0]).strip("-") or "clicks"
    return Source(name, interactions, items, settings)


def training_config(given: str, overrides: Mapping[str, object]) -> TrainingConfig:
    """The defaults, then what the data set asks for, then what the caller says (values that are None say nothing)."""
    dataset = datasets.ALL.get(given)
    said = {
        **(dataset.training if dataset else {}),
        **{name: value for name, value in overrides.items() if value is not None},
    }
    of_network = {field.name for field in dataclasses.fields(NetworkConfig)}
    network = NetworkConfig(**{name: value for name, value in said.items() if name in of_network})  # type: ignore[arg-type]
    rest = {name: value for name, value in said.items() if name not in of_network}
    return TrainingConfig(network=network, **rest)  # type: ignore[arg-type]


def split_source(given: str, source: Source, held_out_users: int | None, seed: int) -> Split:
    """Split with the data set's published number of held-out users, or the one asked for."""
    dataset = datasets.ALL.get(given)
    users = len(source.interactions.user_ids)
    count = held_out_users or (dataset.held_out_users if dataset else default_held_out_users(users))
    return strong_generalization(source.interactions, held_out_users=count, seed=seed)


def run(
    given: str,
    source: Source,
    split: Split,
    config: TrainingConfig,
    folder: Path,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Outcome:
    """Train on a split, compare on its test users, and export what was evaluated."""
    trained = train(split, config, on_epoch)
    table = compare(trained.network, split)
    provenance = Provenance(
        name=source.name,
        fitted_on="training_users",
        data=describe_data(given, source, split),
        training={
            **dataclasses.asdict(trained.config),
            "best_epoch": trained.best_epoch,
            "epochs_run": len(trained.history),
        },
        metrics={"test": table, "users": len(split.test.user_ids)},
    )
    items = source.items.aligned(split.item_ids)
    return Outcome(export(trained.network, split.training, items, provenance, folder), folder, trained, table)


def describe_data(given: str, source: Source, split: Split) -> dict[str, object]:
    """What the manifest tells of the data, enough to read and split it again."""
    return {
        "source": given if given in datasets.ALL else str(Path(given).resolve()),
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
    if split.training.shape[1] <= EASE_MAX_ITEMS:
        scorers["EASE"] = Ease.fit(split.training, regularization=EASE_REGULARIZATION)
    scorers["popularity"] = Popularity.fit(split.training)
    results: dict[str, Evaluation] = {name: evaluate(scorer, split.test) for name, scorer in scorers.items()}
    return {name: result.summary() for name, result in results.items()}


def split_of(bundle: Bundle, folder: Path | None = None) -> Split:
    """Read the data a bundle was made from again, and split it as then.

    Raises:
        DataError: the data is gone or has changed.
    """
    data = bundle.manifest.data
    given, settings = str(data["source"]), data["settings"]
    assert isinstance(settings, dict)
    own = {} if given in datasets.ALL else settings
    options = SourceOptions(
        items=Path(own["items"]) if own.get("items") else None,
        folder=folder,
        columns=ColumnNames(**own.get("columns", {})),
        min_rating=own.get("min_rating"),
        min_user_items=own.get("min_user_items", 5),
    )
    source = load_source(given, options)
    fingerprint = source.interactions.fingerprint()
    if fingerprint != data["fingerprint"]:
        raise DataError(
            f"{given}: the interactions have changed since {bundle.manifest.model_version} was trained on them "
            f"(fingerprint {fingerprint[:12]}, expected {str(data['fingerprint'])[:12]}); train again"
        )
    return split_source(given, source, _whole_number(data["held_out_users"]), _whole_number(data["split_seed"]))


def _whole_number(value: object) -> int:
    assert isinstance(value, int)
    return value


def evaluate_bundle(bundle: Bundle, folder: Path | None = None) -> tuple[Table, Split]:
    """The comparison table of a bundle, on the test users of the split it was trained with."""
    split = split_of(bundle, folder)
    return compare(restore(bundle), split), split
