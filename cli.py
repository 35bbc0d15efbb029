"""The one command, `macrid`: subcommands that parse and call. Heavy imports happen inside the subcommand that needs them."""

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from macrid import __version__
from macrid.artifacts.errors import ArtifactError

if TYPE_CHECKING:
    from macrid.model.datasets.dataset import Source
    from macrid.model.pipeline import Outcome, SourceOptions
    from macrid.model.training import Epoch

app = typer.Typer(
    help="Recommendations that the person who receives them can see into and steer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Public data sets: list them, fetch and verify them.", no_args_is_help=True)
app.add_typer(data_app, name="data")
console = Console(soft_wrap=True)

StoreOption = Annotated[
    Path, typer.Option("--store", envvar="MACRID_STORE", help="Folder of published versions.", show_default=True)
]
Initialisation = Literal["co_clicks", "random"]
Basis = Literal["independent", "trained"]
Recipe = Literal["ours", "paper"]
DEFAULT_STORE = Path("artifacts/store")
Given = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE", help="A data set by name (`macrid data list`) or a .csv, .tsv or .parquet file of clicks."
    ),
]

UserColumn = Annotated[
    str | None, typer.Option(rich_help_panel="Data", help="Column of user ids; default: user, user_id or userId.")
]
ItemColumn = Annotated[
    str | None, typer.Option(rich_help_panel="Data", help="Column of item ids; default: item, item_id or itemId.")
]
RatingColumn = Annotated[
    str | None, typer.Option(rich_help_panel="Data", help="Column of ratings, with --min-rating; default: rating.")
]
TimestampColumn = Annotated[
    str | None, typer.Option(rich_help_panel="Data", help="Put the clicks in this column's order first.")
]
MinRating = Annotated[float | None, typer.Option(rich_help_panel="Data", help="Keep only ratings of at least this.")]
MinUserItems = Annotated[
    int, typer.Option(rich_help_panel="Data", min=1, help="Keep users with at least so many items.")
]
SourceFolder = Annotated[
    Path | None,
    typer.Option("--from", rich_help_panel="Data", help="Folder of a data set's files, if not in the usual places."),
]
HeldOutUsers = Annotated[
    int | None,
    typer.Option(rich_help_panel="Data", min=1, help="Users held out, each for validation and test; default: a tenth."),
]


def main() -> None:
    """Run the command line; an error that a user can act on ends with one line and status 2, any other with its trace."""
    try:
        app()
    except ArtifactError as error:
        _fail(error)
    except OSError as error:  # a folder that cannot be written, a full disk: the system's own words name it
        _fail(error)
    except Exception as error:
        if type(error).__module__ not in ("macrid.model.errors", "macrid.service.errors"):
            raise
        _fail(error)


def _fail(error: Exception) -> None:
    Console(stderr=True, soft_wrap=True).print(f"[bold red]error:[/] {escape(str(error))}")
    sys.exit(2)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"macrid {__version__}")
        raise typer.Exit


@data_app.command("list")
def data_list() -> None:
    """List the data sets that are known by name."""
    datasets = _trainer().datasets.ALL.values()
    table = Table("name", "what it is", "here", "licence", box=None, pad_edge=False)
    for dataset in datasets:
        table.add_row(dataset.name, dataset.summary, str(dataset.locate() or "–"), dataset.licence)
    console.print(table)


@data_app.command("prepare")
def data_prepare(
    name: Annotated[str, typer.Argument(help="A name from `macrid data list`.")],
    folder: Annotated[Path | None, typer.Option("--from", help="Folder where the files already are.")] = None,
) -> None:
    """Find, download or generate a data set, verify its checksums, and count what is in it."""
    pipeline = _trainer()
    dataset = pipeline.datasets.ALL.get(name)
    if dataset is None:
        raise typer.BadParameter(
            f"{name!r} is not known; expected one of {', '.join(pipeline.datasets.ALL)}", param_hint="NAME"
        )
    console.print(f"licence: {escape(dataset.licence)}")
    source = dataset.load(folder)
    clicks = source.interactions
    console.print(
        f"{name}: {len(clicks.user_ids):,} users, {len(clicks.item_ids):,} items, {len(clicks):,} clicks, "
        f"verified in {dataset.locate(folder)}"
    )
    _print_note(source)


@app.command()
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
    user_column: UserColumn = None,
    item_column: ItemColumn = None,
    rating_column: RatingColumn = None,
    timestamp_column: TimestampColumn = None,
    min_rating: MinRating = None,
    min_user_items: MinUserItems = 5,
    folder: SourceFolder = None,
    held_out_users: HeldOutUsers = None,
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
            help="How strongly an item is held to the concept it starts in; items with many clicks can move. Default 1.",
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
    their own for the model and training.

    Example: macrid train clicks.csv --items items.csv --publish && macrid serve
    """
    pipeline = _trainer()
    settings = {**(pipeline.PAPER_RECIPE if recipe == "paper" else {}), **_given(locals(), pipeline.CONFIG_NAMES)}
    options = pipeline.SourceOptions(
        items=items,
        name=name,
        folder=folder,
        columns=pipeline.ColumnNames(user_column, item_column, rating_column, timestamp_column),
        min_rating=min_rating,
        min_user_items=min_user_items,
    )
    outcome = _train(given, options, settings, held_out_users, out)
    if publish and not outcome.trained.interrupted:
        _publish(outcome.folder, store)
    else:
        console.print(f"publish it with: macrid publish {escape(str(outcome.folder))}")
    if outcome.trained.interrupted:
        raise typer.Exit(130)


def _given(values: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Those options that configure training and that the caller has given."""
    return {name: value for name, value in values.items() if name in names and value is not None}


def _train(
    given: str,
    options: "SourceOptions",
    settings: dict[str, Any],
    held_out_users: int | None = None,
    out: Path | None = None,
) -> "Outcome":
    pipeline = _trainer()
    source = pipeline.load_source(given, options)
    config = pipeline.training_config(source, settings)
    _print_source(source)
    split = pipeline.split_source(source, held_out_users, config.seed)
    console.print(
        f"{split.training.shape[0]:,} users train; their {split.training.shape[1]:,} items are the bundle's. "
        f"{len(split.validation.user_ids):,} users choose the epoch, {len(split.test.user_ids):,} test it"
    )
    folder = out or Path("runs") / f"{source.name}-{datetime.now():%Y%m%d-%H%M%S}"
    if folder.exists():
        raise pipeline.DataError(f"{folder} exists already; name another folder with --out")
    folder.parent.mkdir(parents=True, exist_ok=True)  # now, and not after an hour of training
    with _progress(config.epochs) as on_epoch:
        outcome: Outcome = pipeline.run(source, split, config, folder, on_epoch)
    word = "interrupted: " if outcome.trained.interrupted else ""
    console.print(
        f"{word}kept epoch {outcome.trained.best_epoch} of {len(outcome.trained.history)}, best on validation"
    )
    _print_table(outcome.table, len(split.test.user_ids))
    console.print(f"bundle {outcome.manifest.model_version} written to {escape(str(folder))}")
    return outcome


def _print_source(source: "Source") -> None:
    clicks = source.interactions
    described = sum(title != item for title, item in zip(source.items.titles, source.items.item_ids, strict=True))
    console.print(
        f"{source.name}: {len(clicks.user_ids):,} users, {len(clicks.item_ids):,} items "
        f"({described:,} with a title), {len(clicks):,} clicks"
    )
    _print_note(source)


def _print_note(source: "Source") -> None:
    if source.note is not None:
        console.print(f"[yellow]note:[/] {escape(source.note)}")


@contextmanager
def _progress(epochs: int) -> Iterator[Any]:
    """A bar with loss, validation NDCG@100 and time left; yields the function that moves it."""
    columns = (
        TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=epochs)

        def on_epoch(epoch: "Epoch") -> None:
            ndcg = epoch.validation.mean("ndcg@100")
            bar.update(task, advance=1, description=f"loss {epoch.loss:.2f}  validation NDCG@100 {ndcg:.4f}")

        yield on_epoch


@app.command()
def evaluate(
    bundle: Annotated[
        Path | None, typer.Argument(help="A bundle's folder; default: the store's current version.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    folder: Annotated[
        Path | None, typer.Option("--from", help="Where the clicks are now: a folder of a data set, or a file.")
    ] = None,
) -> None:
    """Compare a bundle with EASE and popularity on the test users of the very split it was trained with."""
    from macrid.artifacts.bundle import Bundle
    from macrid.artifacts.store import Store

    pipeline = _trainer()
    opened = Bundle.open(bundle) if bundle else Store(store).open_current()
    console.print(f"{opened.manifest.model_version}, fitted on {opened.manifest.fitted_on.replace('_', ' ')}")
    table, split = pipeline.evaluate_bundle(opened, folder)
    _print_table(table, len(split.test.user_ids))


def _print_table(table: dict[str, dict[str, dict[str, float]]], users: int) -> None:
    measures = list(next(iter(table.values())))
    out = Table("", *measures, box=None, pad_edge=False)
    for method, values in table.items():
        out.add_row(
            method, *(f"{values[name]['mean']:.4f} ± {values[name]['standard_error']:.4f}" for name in measures)
        )
    console.print(out)
    console.print(f"mean ± standard error over {users:,} held-out test users")


@app.command()
def analyse(
    bundle: Annotated[
        Path | None, typer.Argument(help="A bundle's folder; default: the store's current version.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    folder: Annotated[
        Path | None, typer.Option("--from", help="Where the clicks are now: a folder of a data set, or a file.")
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(
            help="Item column to compare the concepts with; default: the one that groups items into the fewest."
        ),
    ] = None,
    factors: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="Numeric item columns as factors; default: all that vary.")
    ] = None,
    starts: Annotated[
        int, typer.Option(min=0, help="Items to walk from for each category and factor; 0 for no walks.")
    ] = 50,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of shuffles, halves and samples.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures there.")] = None,
) -> None:
    """Measure what a bundle learnt: concepts against categories, independence, and factors against dimensions.

    docs/analysis.md defines every measure. What needs the clicks is left out, with a word, where they cannot be read again.
    """
    from macrid.artifacts.bundle import Bundle
    from macrid.artifacts.store import Store

    pipeline = _trainer()
    from macrid.model.analysis.analysis import Options, plain
    from macrid.model.analysis.analysis import analyse as measure
    from macrid.model.analysis.tables import tables
    from macrid.model.analysis.walks import walker_over
    from macrid.service.walk import walk

    opened = Bundle.open(bundle) if bundle else Store(store).open_current()
    split, reason = pipeline.split_if_there(opened, folder)
    named = None if factors is None else tuple(name.strip() for name in factors.split(",") if name.strip())
    options = Options(category=category, factors=named, starts=starts, seed=seed)
    found = measure(opened, options, split=split, no_split=reason, walker=walker_over(opened, walk) if starts else None)
    console.print(f"{found.model_version}, fitted on {found.fitted_on.replace('_', ' ')}, seed {seed}")
    for table in tables(found):
        console.print()
        console.print(table)
    for reason in found.left_out:
        console.print(f"\n[yellow]left out:[/] {escape(reason)}")
    if json_file is not None:
        _write_json(json_file, plain(found))


@app.command("choose-k")
def choose_k(
    given: Given,
    candidates: Annotated[str, typer.Option(metavar="2,3,5", help="Numbers of concepts to try.")] = "2,3,5,7,10,15,20",
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each, from different seeds.")] = 3,
    updates: Annotated[int, typer.Option(min=1, help="Of each training, in small batches.")] = 400,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the split, and the first of the seeds.")] = 98765,
    user_column: UserColumn = None,
    item_column: ItemColumn = None,
    rating_column: RatingColumn = None,
    timestamp_column: TimestampColumn = None,
    min_rating: MinRating = None,
    min_user_items: MinUserItems = 5,
    folder: SourceFolder = None,
    held_out_users: HeldOutUsers = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures there.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table there as Markdown.")] = None,
) -> None:
    """Recommend a number of concepts: train each candidate briefly, and see which serves and is found again.

    Judged by validation users; test users are never looked at. docs/analysis.md has the rule.
    """
    pipeline = _trainer()
    from macrid.model.analysis.analysis import plain
    from macrid.model.analysis.choosing import brief, choose_concepts
    from macrid.model.analysis.tables import choice_markdown, choice_table

    options = pipeline.SourceOptions(
        folder=folder,
        columns=pipeline.ColumnNames(user_column, item_column, rating_column, timestamp_column),
        min_rating=min_rating,
        min_user_items=min_user_items,
    )
    source = pipeline.load_source(given, options)
    _print_source(source)
    split = pipeline.split_source(source, held_out_users, seed)
    config = brief(pipeline.training_config(source, {}), split.training.shape[0], updates)
    numbers = _whole_numbers(candidates)
    with _trainings(len(set(numbers)) * seeds) as on_trained:
        choice = choose_concepts(
            split, config, candidates=numbers, seeds=range(seed, seed + seeds), on_trained=on_trained
        )
    console.print(choice_table(choice))
    console.print(f"\n[bold]{escape(choice.reason)}[/]\nmacrid train {escape(given)} --concepts {choice.recommended}")
    if markdown is not None:
        markdown.write_text(choice_markdown(choice), encoding="utf-8")
        console.print(f"\nwritten to {escape(str(markdown))}")
    if json_file is not None:
        _write_json(json_file, plain(choice))


def _whole_numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r}; expected whole numbers with commas between", param_hint="--candidates"
        ) from error


@contextmanager
def _trainings(total: int) -> Iterator[Any]:
    """A bar over trainings; yields the function that moves it."""
    columns = (
        TextColumn("trained"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)
        yield lambda concepts, seed: bar.update(task, advance=1, description=f"K = {concepts}, seed {seed}")


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    console.print(f"\nwritten to {escape(str(path))}")


@app.command()
def publish(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder.")], store: StoreOption = DEFAULT_STORE
) -> None:
    """Verify a bundle, copy it into the store and make it current; running servers take it up by themselves."""
    _publish(bundle, store)


def _publish(bundle: Path, store: Path) -> None:
    from macrid.artifacts.store import Store

    console.print(f"published {Store(store).publish(bundle)} to {escape(str(store))}; it is current now")


@app.command("roll-back")
def roll_back(store: StoreOption = DEFAULT_STORE) -> None:
    """Make the version before the current one current again."""
    from macrid.artifacts.store import Store

    console.print(f"{Store(store).roll_back()} is current now")


@app.command()
def serve(
    store: Annotated[
        Path | None,
        typer.Option("--store", help="Folder of published versions; default MACRID_STORE or artifacts/store."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default MACRID_HOST or 127.0.0.1.")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port to listen on, 0 for any free one; default MACRID_PORT or 8000."),
    ] = None,
) -> None:
    """Serve the API and the page from the store's current version; every setting is also an environment variable MACRID_…."""
    from pydantic import ValidationError

    from macrid.service.server import serve as run_server
    from macrid.service.settings import Settings

    given = {name: value for name, value in {"store": store, "host": host, "port": port}.items() if value is not None}
    try:
        settings = Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = f"MACRID_{str(first['loc'][0]).upper()}"
        raise typer.BadParameter(f"{first['input']!r}: {first['msg']}", param_hint=name) from error
    run_server(settings)


@app.command()
def demo(
    store: StoreOption = DEFAULT_STORE,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop when the demo shop is published.")] = False,
) -> None:
    """Generate the demo shop, train on it, publish the bundle and serve it; what is there already is used again."""
    if not no_serve:
        _check_port(host, port)
    _ensure_demo(store)
    if not no_serve:
        _print_invitation(store, f"http://{host}:{port}")
        serve(store, host, port)


def _check_port(host: str, port: int) -> None:
    """Find out now, and not after training, that somebody else listens there."""
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise typer.BadParameter(
            f"{host}:{port} cannot be listened on: {error.strerror}", param_hint="--port"
        ) from error


def _ensure_demo(store: Path) -> None:
    """Make a demo shop the store's current version, without replacing anyone's own."""
    from macrid.artifacts.manifest import read_manifest
    from macrid.artifacts.store import Store

    opened = Store(store)
    current = opened.current()
    if current is None:
        outcome = _train("demo-shop", _trainer().SourceOptions(), {})
        _publish(outcome.folder, store)
    elif read_manifest(opened.folder(current)).data.get("source") == "demo-shop":
        console.print(f"using {current}, already published to {store}")
    else:
        raise typer.BadParameter(
            f"{store} serves {current}, which the demo would replace; name another folder, for example --store demo-store",
            param_hint="--store",
        )


def _print_invitation(store: Path, address: str) -> None:
    from macrid.artifacts.store import Store

    bundle = Store(store).open_current()
    clicks = [item_id for concept in bundle.concepts[:2] for item_id in concept.exemplars[:2]]
    dim = bundle.concepts[0].dimensions[0].dim
    bundle.close()
    history = ", ".join(f'"{item_id}"' for item_id in clicks)
    console.print(f"\nThe page:  [bold]{address}[/]   API: {address}/openapi.json\n\nTry:", highlight=False)
    for line in (
        f"curl -s {address}/recommend -H 'content-type: application/json' -d '{{\"history\": [{history}], \"n\": 5}}'",
        f"curl -s '{address}/items/{clicks[0]}/walk?dim={dim}'\n",
    ):
        console.print(f"  {line}", markup=False, highlight=False)


def _trainer() -> Any:
    """The trainer's pipeline, or a plain word when the extra is not installed."""
    try:
        from macrid.model import pipeline
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("macrid"):
            raise
        Console(stderr=True, soft_wrap=True).print(
            f"[bold red]error:[/] training needs {error.name}, which is not installed; run: pip install 'macrid\\[train]'"
        )
        raise typer.Exit(2) from error
    return pipeline


if __name__ == "__main__":
    main()
