"""`macrid report` and `sweep`: the paper's figures for one's own model."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from macrid.cli.app import app, console, trainer
from macrid.cli.loading import load_source
from macrid.cli.options import (
    DEFAULT_DATA,
    DEFAULT_STORE,
    BundleArgument,
    CategoryOption,
    ClicksOption,
    DataOptions,
    Given,
    StoreOption,
    with_data_options,
)
from macrid.cli.output import counting, print_source


@app.command()
def report(
    bundle: BundleArgument = None,
    store: StoreOption = DEFAULT_STORE,
    folder: ClicksOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report; must be empty. Default: runs/report-VERSION.")
    ] = None,
    category: CategoryOption = None,
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
@with_data_options
def sweep(
    given: Given,
    out: Annotated[Path, typer.Option(help="File of JSON lines; a sweep it holds goes on.")],
    configurations: Annotated[int, typer.Option(min=1, help="Of each of the four models.")] = 50,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31, help="Of the split, of what is drawn, of all trainings.")
    ] = 98765,
    data: DataOptions = DEFAULT_DATA,
) -> None:
    """Try random configurations of MacridVAE and β-MultVAE: independence against Recall@20, the paper's Figure 4.

    Every configuration is written down when it is known; Ctrl-C loses one at most, and the same command goes on.
    """
    pipeline = trainer()
    from macrid.model.report.sweep import METHODS, summarise
    from macrid.model.report.sweep import sweep as run

    source = load_source(given, data.source_options())
    print_source(source)
    split = pipeline.split_source(source, data.held_out_users, seed)
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
    with counting("tried") as bar:
        task = bar.add_task("", total=total)
        yield (
            lambda known: bar.update(task, completed=known),
            lambda point: bar.update(task, advance=1, description=f"{point.method} Recall@20 {point.recall_20:.3f}"),
        )
