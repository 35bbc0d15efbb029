"""`macrid report` and `sweep`: the paper's figures for one's own model."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from macrid.cli.app import app, console, trainer
from macrid.cli.loading import load_source
from macrid.cli.options import (
    DEFAULT_STORE,
    Given,
    HeldOutUsers,
    ItemColumn,
    MinRating,
    MinUserItems,
    RatingColumn,
    SourceFolder,
    StoreOption,
    TimestampColumn,
    UserColumn,
)
from macrid.cli.output import print_source


@app.command()
def report(
    bundle: Annotated[
        Path | None, typer.Argument(help="A bundle's folder; default: the store's current version.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    folder: Annotated[
        Path | None, typer.Option("--from", help="Where the clicks are now: a folder of a data set, or a file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report; must be empty. Default: runs/report-VERSION.")
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(
            help="Item column to compare the concepts with; default: the one that groups items into the fewest."
        ),
    ] = None,
    inner_product: Annotated[
        bool, typer.Option(help="Train once more with the inner product, for Figure 2e; takes as long as training did.")
    ] = True,
    sweeps: Annotated[
        list[Path] | None, typer.Option("--sweep", metavar="FILE", help="Of `macrid sweep`, for Figure 4; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of samples, shuffles and projections.")] = 0,
) -> None:
    """Write a report of a bundle: one page that needs nothing beside it, and its figures as PNG and SVG.

    What needs the clicks is left out, with a word, where they cannot be read again.
    """
    from macrid.artifacts.bundle import Bundle
    from macrid.artifacts.store import Store

    pipeline = trainer()
    from macrid.model.analysis.analysis import Options
    from macrid.model.analysis.walks import walker_over
    from macrid.model.report.report import train_with_inner_product, write_report
    from macrid.model.report.sweep import read_points
    from macrid.service.walk import walk

    points = [point for path in sweeps or () for point in read_points(path)]
    opened = Bundle.open(bundle) if bundle else Store(store).open_current()
    split, reason = pipeline.split_if_there(opened, folder)
    ablation = None
    if inner_product and split is not None:
        with console.status("training with the inner product"):
            ablation = train_with_inner_product(opened, split)
    with console.status("") as status:
        path = write_report(
            opened,
            out or Path("runs") / f"report-{opened.manifest.model_version}",
            walker=walker_over(opened, walk),
            options=Options(category=category, seed=seed),
            split=split,
            no_split=reason,
            inner_product=ablation,
            points=points,
            on_step=status.update,
        )
    if split is None:
        console.print(f"[yellow]left out:[/] what is of users: {escape(reason)}")
    console.print(f"written to {escape(str(path))}")


@app.command()
def sweep(
    given: Given,
    out: Annotated[Path, typer.Option(help="File of JSON lines; a sweep it holds goes on.")],
    configurations: Annotated[int, typer.Option(min=1, help="Of each of the four models.")] = 50,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31, help="Of the split, of what is drawn, of all trainings.")
    ] = 98765,
    user_column: UserColumn = None,
    item_column: ItemColumn = None,
    rating_column: RatingColumn = None,
    timestamp_column: TimestampColumn = None,
    min_rating: MinRating = None,
    min_user_items: MinUserItems = 5,
    folder: SourceFolder = None,
    held_out_users: HeldOutUsers = None,
) -> None:
    """Try random configurations of MacridVAE and β-MultVAE: independence against Recall@20, the paper's Figure 4.

    Every configuration is written down when it is known; Ctrl-C loses one at most, and the same command goes on.
    """
    pipeline = trainer()
    from macrid.model.report.sweep import METHODS, summarise
    from macrid.model.report.sweep import sweep as run

    options = pipeline.SourceOptions(
        folder=folder,
        columns=pipeline.ColumnNames(user_column, item_column, rating_column, timestamp_column),
        min_rating=min_rating,
        min_user_items=min_user_items,
    )
    source = load_source(given, options)
    print_source(source)
    split = pipeline.split_source(source, held_out_users, seed)
    with _configurations(configurations * len(METHODS)) as (on_known, on_point):
        points = run(split, out, configurations, seed, on_known=on_known, on_point=on_point)
    for found in summarise(points):
        console.print(
            f"{found.method}: {found.count} configurations, Recall@20 best {found.best:.4f}, median {found.median:.4f}; "
            f"independence of items {found.items:.3f}, users {found.users:.3f}"
        )
    console.print(f"written to {escape(str(out))}; draw it with: macrid report --sweep {escape(str(out))}")


@contextmanager
def _configurations(total: int) -> Iterator[tuple[Any, Any]]:
    """A bar over configurations; yields what tells it how many are known already, and what moves it."""
    columns = (
        TextColumn("tried"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)
        yield (
            lambda known: bar.update(task, completed=known),
            lambda point: bar.update(task, advance=1, description=f"{point.method} Recall@20 {point.recall_20:.3f}"),
        )
