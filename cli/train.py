"""`macrid train`: from clicks to a bundle."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from macrid.cli.app import app, console, trainer
from macrid.cli.options import (
    CHECKPOINT_SECONDS,
    DEFAULT_DATA,
    DEFAULT_STORE,
    Basis,
    Checkpoint,
    CheckpointSeconds,
    ContinueFrom,
    DataOptions,
    Given,
    Initialisation,
    LogJson,
    Opinion,
    Precision,
    Recipe,
    Refined,
    Refit,
    Resume,
    Sampling,
    StoreOption,
    TensorBoard,
    with_data_options,
)
from macrid.cli.steps import LongWork, processes, publish_bundle, train_along, train_source


@app.command()
@with_data_options
def train(
    given: Given,
    items: Annotated[
        Path | None,
        typer.Option(rich_help_panel="Data", help="Table of items: item id, title, image, and any other columns."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(rich_help_panel="Data", help="Name of the data in the model version; default: the file's name."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the bundle; must not exist. Default: runs/NAME-TIME.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish the bundle to the store when it is done.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    data: DataOptions = DEFAULT_DATA,
    concepts: Annotated[
        int | None, typer.Option(rich_help_panel="Model", min=1, help="K, how many concepts to look for; default 7.")
    ] = None,
    dimensions: Annotated[
        int | None, typer.Option(rich_help_panel="Model", min=2, help="d, the length of every embedding; default 100.")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            rich_help_panel="Training", min=1, help="Upper bound, default 200; the best epoch on validation is kept."
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            rich_help_panel="Training", min=1, help="Stop after so many epochs without a better one; default 50."
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            rich_help_panel="Training", min=1, help="Users per update; default: an eighth of them, 20 to 500."
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(rich_help_panel="Training", min=1e-9, help="Of Adam; default 0.001.")
    ] = None,
    beta: Annotated[
        float | None, typer.Option(rich_help_panel="Model", min=0.0, help="Weight of the KL term; default 0.2.")
    ] = None,
    initialisation: Annotated[
        Initialisation | None,
        typer.Option(
            rich_help_panel="Model",
            help="co_clicks: concepts start from the co-click graph (default); random: as the authors do.",
        ),
    ] = None,
    anchor: Annotated[
        float | None,
        typer.Option(
            rich_help_panel="Model",
            min=0.0,
            help="How strongly an item is held to the concept it starts in; items with many clicks can move. Default 0.5.",
        ),
    ] = None,
    balance: Annotated[
        float | None,
        typer.Option(
            rich_help_panel="Training",
            min=0.0,
            max=1.0,
            help="How much less a click counts in a long history: 0 not at all (default), 1 so that all users count alike.",
        ),
    ] = None,
    teacher: Annotated[
        float | None,
        typer.Option(
            rich_help_panel="Training",
            min=0.0,
            max=1.0,
            help="Share of the target that EASE sets; the encoder then sees a part of each history. Default 0; docs/training.md.",
        ),
    ] = None,
    teacher_regularization: Annotated[
        float | None, typer.Option(rich_help_panel="Training", min=0.1, help="λ of that EASE; default 300.")
    ] = None,
    teacher_opinion: Annotated[
        Opinion | None,
        typer.Option(
            rich_help_panel="Training",
            help="What its scores become: softmax (default), or square, sharper where histories are short.",
        ),
    ] = None,
    refinement: Annotated[
        float | None,
        typer.Option(
            rich_help_panel="Training",
            min=0.0,
            max=100.0,
            help="How far components go on, after encoding, to what fits the clicks better, e.g. 1. Default 0; docs/training.md.",
        ),
    ] = None,
    refined: Annotated[
        Refined | None,
        typer.Option(
            rich_help_panel="Training",
            help="When: afterwards, by landmarks (default), or throughout, in training too and by every item; needs a teacher.",
        ),
    ] = None,
    keep_probability: Annotated[
        float | None,
        typer.Option(
            rich_help_panel="Training", min=1e-6, max=1.0, help="Share of clicks that the encoder sees; default 0.5."
        ),
    ] = None,
    basis: Annotated[
        Basis | None,
        typer.Option(
            rich_help_panel="Model",
            help="independent: axes chosen after training so that dimensions are independent, no score changes (default); "
            "trained: left as training left them.",
        ),
    ] = None,
    prior_std: Annotated[
        float | None,
        typer.Option(rich_help_panel="Model", min=1e-6, help="σ₀, the standard deviation of the prior; default 0.075."),
    ] = None,
    recipe: Annotated[
        Recipe,
        typer.Option(
            rich_help_panel="Training",
            help="paper: random start, no anchor, axes as trained, no averaging, batches of 500, no early stop.",
        ),
    ] = "ours",
    averaging: Annotated[
        float | None,
        typer.Option(
            rich_help_panel="Training", min=0.0, max=1.0, help="Decay per update of the averaged weights; default 0.98."
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            rich_help_panel="Training",
            min=0,
            help="Items drawn for an update, beside those clicked; 0 for all. Default: all, or 4096 of a large catalogue.",
        ),
    ] = None,
    sampling: Annotated[
        Sampling | None,
        typer.Option(
            rich_help_panel="Training",
            help="log_uniform: popular items are drawn more often (default); uniform: all alike.",
        ),
    ] = None,
    precision: Annotated[
        Precision | None,
        typer.Option(
            rich_help_panel="Training",
            help="bf16: matrix products take bfloat16, for processors that are fast at it (AMX); auto: where they are; "
            "default float32.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            rich_help_panel="Training",
            help="Settings as `macrid tune` writes them; options given here win over it.",
        ),
    ] = None,
    index_memory: Annotated[
        float | None,
        typer.Option(
            rich_help_panel="Model",
            min=0.0,
            help="How large the index of the bundle may be, as a multiple of the item embeddings; 0 for none. Default 1.5.",
        ),
    ] = None,
    checkpoint: Checkpoint = None,
    checkpoint_seconds: CheckpointSeconds = CHECKPOINT_SECONDS,
    resume: Resume = False,
    log_json: LogJson = None,
    tensorboard: TensorBoard = None,
    refit: Refit = False,
    continue_from: ContinueFrom = None,
    seed: Annotated[
        int,
        typer.Option(
            rich_help_panel="Training",
            min=0,
            max=2**32 - 1,
            help="Of split and training: on one machine and thread count, the same seed gives the same bundle.",
        ),
    ] = 98765,
) -> None:
    """Train MacridVAE on clicks, compare it with EASE and popularity on held-out users, and write a bundle.

    Ctrl-C ends training and keeps the best epoch so far, but does not publish it. Data sets known by name may have defaults of
    their own for the model and training. In several processes: torchrun --nproc-per-node N -m macrid train …

    Example: macrid train clicks.csv --items items.csv --publish && macrid serve
    """
    pipeline = trainer()
    settings = {
        **(pipeline.PAPER_RECIPE if recipe == "paper" else {}),
        **({} if config is None else _read(config)),
        **_given(locals(), pipeline.CONFIG_NAMES),
    }
    _check(settings)
    options = data.source_options(items, name)
    if resume and checkpoint is None:
        raise typer.BadParameter("needs --checkpoint FILE, the file to go on from", param_hint="--resume")
    if checkpoint is None and checkpoint_seconds != CHECKPOINT_SECONDS:
        raise typer.BadParameter("has no effect without --checkpoint FILE", param_hint="--checkpoint-seconds")
    if continue_from is not None and initialisation is not None:
        raise typer.BadParameter(
            "has no effect with --continue-from, which begins with it", param_hint="--initialisation"
        )
    work = LongWork(checkpoint, checkpoint_seconds, resume, log_json, tensorboard, refit, continue_from)
    with processes() as ranks:
        if ranks.rank:
            train_along(given, options, settings, data.held_out_users, work, ranks)
            return
        outcome = train_source(given, options, settings, data.held_out_users, out, index_memory, work, ranks)
    if publish and not outcome.trained.interrupted:
        publish_bundle(outcome.folder, store)
    else:
        console.print(f"publish it with: macrid publish {escape(str(outcome.folder))}")
    if outcome.trained.interrupted:
        raise typer.Exit(130)


def _read(config: Path) -> Any:
    """MacridVAE's settings in a file, checked."""
    from macrid.model.methods import MACRID_KINDS
    from macrid.model.settings import check_settings, read_settings

    settings = read_settings(config, "macridvae")
    check_settings(settings, MACRID_KINDS, str(config))
    return settings


def _check(settings: dict[str, Any]) -> None:
    """Refuse what no training can have, such as a β that is infinite, before there is any work to lose."""
    from macrid.model.methods import MACRID_KINDS
    from macrid.model.settings import check_settings

    check_settings({name: settings[name] for name in MACRID_KINDS if name in settings}, MACRID_KINDS, "options")


def _given(values: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Those options that configure training and that the caller has given."""
    return {name: value for name, value in values.items() if name in names and value is not None}
