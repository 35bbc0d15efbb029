"""What several commands do: train a source, publish a bundle."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape

from macrid.artifacts.store import RECALL_FLOOR
from macrid.cli.app import console, trainer
from macrid.cli.loading import load_source
from macrid.cli.output import print_source, print_table, progress

if TYPE_CHECKING:
    from macrid.model.checkpoint import Checkpoints
    from macrid.model.continuation import Predecessor
    from macrid.model.datasets.dataset import Source
    from macrid.model.pipeline import Outcome, SourceOptions
    from macrid.model.ranks import Ranks
    from macrid.model.splitting import Split
    from macrid.model.training import TrainingConfig
    from macrid.model.training_state import Pass


INTERRUPTED = (
    "interrupted: several processes end without a bundle; with --checkpoint FILE and --resume the same command goes on"
)


@dataclass(frozen=True)
class LongWork:
    """What a long training leaves behind and goes on from; see the options of `macrid train`."""

    checkpoint: Path | None = None
    checkpoint_seconds: float = 60.0
    resume: bool = False
    log_json: Path | None = None
    tensorboard: Path | None = None
    refit: bool = False
    continue_from: Path | None = None

    def checkpoints(self) -> "Checkpoints | None":
        """For the trainer."""
        from macrid.model.checkpoint import Checkpoints

        if self.checkpoint is None:
            return None
        return Checkpoints(self.checkpoint, self.checkpoint_seconds, self.resume)

    def predecessor(self) -> "Predecessor | None":
        """The bundle to go on from."""
        from macrid.artifacts.bundle import Bundle
        from macrid.model.continuation import Predecessor

        return None if self.continue_from is None else Predecessor(Bundle.open(self.continue_from))

    def journals(self) -> AbstractContextManager[Callable[["Pass"], None]]:
        """What writes the metrics down."""
        from macrid.model.journal import journals

        return journals(self.log_json, self.tensorboard)


def train_source(
    given: str,
    options: "SourceOptions",
    settings: dict[str, Any],
    held_out_users: int | None = None,
    out: Path | None = None,
    index_memory: float | None = None,
    long_work: LongWork | None = None,
    ranks: "Ranks | None" = None,
) -> "Outcome":
    """Split, train, evaluate and write a bundle, telling the terminal how it goes; with ranks, as the first of them."""
    work = long_work or LongWork()
    pipeline = trainer()
    predecessor = work.predecessor()
    source, split, config = _prepared(given, options, settings, held_out_users, predecessor, ranks)
    print_source(source)
    console.print(
        f"{split.training.shape[0]:,} users train; their {split.training.shape[1]:,} items are the bundle's. "
        f"{len(split.validation.user_ids):,} users choose the epoch, {len(split.test.user_ids):,} test it"
    )
    _print_precision(config)
    _print_without_effect(config, split.training.shape[1], work)
    folder = out or Path("runs") / f"{source.name}-{datetime.now():%Y%m%d-%H%M%S}"
    if folder.exists():
        raise pipeline.DataError(f"{folder} exists already; name another folder with --out")
    folder.parent.mkdir(parents=True, exist_ok=True)  # now, and not after an hour of training
    with progress() as show, work.journals() as note:

        def on_pass(done: Any) -> None:
            show(done)
            note(done)

        outcome: Outcome = pipeline.run(
            source,
            split,
            config,
            folder,
            on_pass,
            *([] if index_memory is None else [index_memory]),
            refit_on_all=work.refit,
            on_refit=on_pass,
            checkpoints=work.checkpoints(),
            predecessor=predecessor,
            ranks=ranks or pipeline.ALONE,
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
    if outcome.manifest.fitted_on == "all_users":
        console.print(
            f"refitted on all {len(source.interactions.user_ids):,} users for {outcome.trained.best_epoch} epochs; the figures "
            "above are of the network before"
        )
    _print_continued(outcome.manifest.training.get("continued"))
    console.print(f"bundle {outcome.manifest.model_version} written to {escape(str(folder))}")
    return outcome


def train_along(
    given: str,
    options: "SourceOptions",
    settings: dict[str, Any],
    held_out_users: int | None,
    work: LongWork,
    ranks: "Ranks",
) -> None:
    """What the processes other than the first do: train with it, and leave evaluating and writing to it."""
    source, split, config = _prepared(given, options, settings, held_out_users, work.predecessor(), ranks)
    trainer().follow(source, split, config, ranks, refit_on_all=work.refit)


def _prepared(
    given: str,
    options: "SourceOptions",
    settings: dict[str, Any],
    held_out_users: int | None,
    predecessor: "Predecessor | None",
    ranks: "Ranks | None",
) -> "tuple[Source, Split, TrainingConfig]":
    pipeline = trainer()
    if ranks is not None and ranks.size > 1:
        pipeline.refuse_fetching(given, options)
    source = load_source(given, options)
    config = pipeline.training_config(source, {**(predecessor.settings() if predecessor else {}), **settings})
    return source, pipeline.split_source(source, held_out_users, config.seed), config


@contextmanager
def processes() -> Iterator["Ranks"]:
    """Those that torchrun started, or this one alone; only the first is heard, unless one fails."""
    from macrid.model.ranks import joined

    with joined() as ranks:
        console.quiet = ranks.rank > 0
        try:
            yield ranks
        except KeyboardInterrupt:
            if ranks.size == 1:
                raise
            console.print(INTERRUPTED)
            raise typer.Exit(130) from None


def _print_precision(config: "TrainingConfig") -> None:
    """Say what "auto" is here, and what bf16 costs on a processor without instructions for it."""
    from macrid.model.machine import multiplies_bfloat16
    from macrid.model.training import precision_here

    if config.precision == "auto":
        console.print(f"precision {precision_here(config)}, the quicker one on this processor")
    elif config.precision == "bf16" and not multiplies_bfloat16():
        console.print(
            "[yellow]note:[/] this processor has no instructions for matrices of bf16 (AMX), and may take twenty times as long "
            "as in float32; --precision auto takes the one that is quicker"
        )


def _print_without_effect(config: "TrainingConfig", items: int, work: LongWork) -> None:
    """Say which settings are not what they are by default, and belong to something that is not done."""
    from macrid.model.training import TrainingConfig, default_samples

    default = TrainingConfig()
    samples = default_samples(items) if config.samples is None else config.samples
    is_random = config.initialisation == "random" and work.continue_from is None
    belonging = [
        ("teacher_regularization", not config.teacher, "teacher is 0"),
        ("teacher_opinion", not config.teacher, "teacher is 0"),
        ("sampling", not samples, "samples is 0"),
        ("anchor", is_random, "items begin in no concept where initialisation is random"),
        ("initialisation", work.continue_from is not None, f"training begins with {work.continue_from}"),
    ]
    for name, is_without, why in belonging:
        value = getattr(config, name)
        if is_without and value and value != getattr(default, name):
            console.print(f"[yellow]note:[/] {name} {value} has no effect, for {escape(why)}")
    if work.resume and work.checkpoint is not None and not work.checkpoint.exists():
        console.print(
            f"[yellow]note:[/] {escape(str(work.checkpoint))} is not there, as before a first training and after one that has "
            "ended: this one begins anew"
        )


def _print_continued(record: Any) -> None:
    if record is not None:
        kept = sum(concept["was"] is not None for concept in record["concepts"])
        console.print(
            f"continues {record['from']}: {kept} of {len(record['concepts'])} concepts keep their ids, with "
            f"{record['items_keeping_their_concept']:.0%} of the {record['items_in_common']:,} items both have; "
            f"{record['new_items']:,} items are new"
        )
        console.print(
            f"[yellow]note:[/] {record['from']} may have learnt from the users held out here, so the figures may be too good; "
            "a training from scratch tells"
        )


def publish_bundle(bundle: Path, store: Path, recall_floor: float = RECALL_FLOOR) -> None:
    """Copy a bundle into a store and make it current."""
    from macrid.artifacts.store import Store

    console.print(f"published {Store(store).publish(bundle, recall_floor)} to {escape(str(store))}; it is current now")
