"""What several commands do: train a source, publish a bundle."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from macrid.artifacts.store import RECALL_FLOOR
from macrid.cli.app import console, trainer
from macrid.cli.output import print_source, print_table, progress

if TYPE_CHECKING:
    from macrid.model.pipeline import Outcome, SourceOptions


def train_source(
    given: str,
    options: "SourceOptions",
    settings: dict[str, Any],
    held_out_users: int | None = None,
    out: Path | None = None,
    index_memory: float | None = None,
) -> "Outcome":
    """Split, train, evaluate and write a bundle, telling the terminal how it goes."""
    pipeline = trainer()
    source = pipeline.load_source(given, options)
    config = pipeline.training_config(source, settings)
    print_source(source)
    split = pipeline.split_source(source, held_out_users, config.seed)
    console.print(
        f"{split.training.shape[0]:,} users train; their {split.training.shape[1]:,} items are the bundle's. "
        f"{len(split.validation.user_ids):,} users choose the epoch, {len(split.test.user_ids):,} test it"
    )
    folder = out or Path("runs") / f"{source.name}-{datetime.now():%Y%m%d-%H%M%S}"
    if folder.exists():
        raise pipeline.DataError(f"{folder} exists already; name another folder with --out")
    folder.parent.mkdir(parents=True, exist_ok=True)  # now, and not after an hour of training
    with progress(config.epochs) as on_epoch:
        outcome: Outcome = pipeline.run(
            source, split, config, folder, on_epoch, *([] if index_memory is None else [index_memory])
        )
    word = "interrupted: " if outcome.trained.interrupted else ""
    console.print(
        f"{word}kept epoch {outcome.trained.best_epoch} of {len(outcome.trained.history)}, best on validation"
    )
    print_table(outcome.table, len(split.test.user_ids))
    index = outcome.manifest.index
    if "recall@20" in index:
        console.print(
            f"index {index['kind']}, recall@20 {index['recall@20']}, recall@100 {index['recall@100']} against scoring "
            f"every item, on {index['users']} users"
        )
    console.print(f"bundle {outcome.manifest.model_version} written to {escape(str(folder))}")
    return outcome


def publish_bundle(bundle: Path, store: Path, recall_floor: float = RECALL_FLOOR) -> None:
    """Copy a bundle into a store and make it current."""
    from macrid.artifacts.store import Store

    console.print(f"published {Store(store).publish(bundle, recall_floor)} to {escape(str(store))}; it is current now")
