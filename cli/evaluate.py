"""`macrid evaluate`, `analyse` and `choose-k`: how good a model is, what it learnt, and how many concepts it needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from macrid.cli.app import app, console, trainer
from macrid.cli.compare import compare_source, seeds_in, whole_numbers
from macrid.cli.loading import load_source
from macrid.cli.options import (
    DEFAULT_DATA,
    DEFAULT_STORE,
    BundleArgument,
    CategoryOption,
    ClicksOption,
    DataOptions,
    Given,
    JsonFile,
    StoreOption,
    with_data_options,
)
from macrid.cli.output import print_source, print_table, trainings, write_json

SEEDS = "98765"


@app.command()
@with_data_options
def evaluate(
    bundle: BundleArgument = None,
    store: StoreOption = DEFAULT_STORE,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            rich_help_panel="Comparison",
            help="Instead of a bundle: train MacridVAE and the baselines on a data set by name, or a file of clicks.",
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option(metavar="1,2,3", rich_help_panel="Comparison", help="Of the splits and of training.")
    ] = SEEDS,
    baselines: Annotated[
        str | None, typer.Option(metavar="A,B", rich_help_panel="Comparison", help="Default: all there are.")
    ] = None,
    configs: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            rich_help_panel="Comparison",
            help="Tuned settings, METHOD.toml each, as `macrid tune` writes them; a method without a file has its defaults.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            rich_help_panel="Comparison",
            help="Tables as Markdown and JSON, and every fit, so that it goes on where it was. Default: runs/compare-NAME.",
        ),
    ] = None,
    data: DataOptions = DEFAULT_DATA,
) -> None:
    """Compare a bundle with EASE and popularity on the test users of the very split it was trained with.

    With --compare, train MacridVAE and all baselines anew on the same splits, and test the differences: docs/baselines.md.

    Example: macrid evaluate --compare ml-latest-small --seeds 1,2,3 --baselines ease,recvae
    """
    if compare is not None:
        if bundle is not None:
            raise typer.BadParameter("a bundle and --compare exclude each other", param_hint="BUNDLE")
        numbers = seeds_in(seeds)
        source = load_source(compare, data.source_options())
        folder = out or Path("runs") / f"compare-{source.name}"
        compare_source(source, numbers, baselines, configs, data.held_out_users, folder)
        return
    of_comparison = {"seeds": seeds != SEEDS, "baselines": baselines, "configs": configs, "out": out}
    _refuse_without_compare({**of_comparison, **data.changed(but="folder")})
    from macrid.artifacts.bundle import Bundle
    from macrid.artifacts.store import Store

    pipeline = trainer()
    opened = Bundle.open(bundle) if bundle else Store(store).open_current()
    console.print(f"{opened.manifest.model_version}, fitted on {opened.manifest.fitted_on.replace('_', ' ')}")
    table, split = pipeline.evaluate_bundle(opened, data.folder)
    print_table(table, len(split.test.user_ids))


def _refuse_without_compare(given: Mapping[str, object]) -> None:
    """Refuse what is for a comparison; a bundle says itself how its clicks were read and split."""
    name = next((name for name, value in given.items() if value), None)
    if name is not None:
        option = "--" + name.replace("_", "-")
        raise typer.BadParameter(
            "has no effect without --compare: a bundle says how its clicks were read", param_hint=option
        )


@app.command()
def analyse(
    bundle: BundleArgument = None,
    store: StoreOption = DEFAULT_STORE,
    folder: ClicksOption = None,
    category: CategoryOption = None,
    factors: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="Numeric item columns as factors; default: all that vary.")
    ] = None,
    starts: Annotated[
        int, typer.Option(min=0, help="Items to walk from for each category and factor; 0 for no walks.")
    ] = 50,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of shuffles, halves and samples.")] = 0,
    json_file: JsonFile = None,
) -> None:
    """Measure what a bundle learnt: concepts against categories, independence, and factors against dimensions.

    docs/analysis.md defines every measure. What needs the clicks is left out, with a word, where they cannot be read again.
    """
    from macrid.artifacts.bundle import Bundle
    from macrid.artifacts.store import Store

    pipeline = trainer()
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
        write_json(json_file, plain(found))


@app.command("choose-k")
@with_data_options
def choose_k(
    given: Given,
    candidates: Annotated[str, typer.Option(metavar="2,3,5", help="Numbers of concepts to try.")] = "2,3,5,7,10,15,20",
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each, from different seeds.")] = 3,
    updates: Annotated[int, typer.Option(min=1, help="Of each training, in small batches.")] = 400,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the split, and the first of the seeds.")] = 98765,
    data: DataOptions = DEFAULT_DATA,
    json_file: JsonFile = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table there as Markdown.")] = None,
) -> None:
    """Recommend a number of concepts: train each candidate briefly, and see which serves and is found again.

    Judged by validation users; test users are never looked at. docs/analysis.md has the rule.
    """
    pipeline = trainer()
    from macrid.model.analysis.analysis import plain
    from macrid.model.analysis.choosing import brief, choose_concepts
    from macrid.model.analysis.tables import choice_markdown, choice_table

    source = load_source(given, data.source_options())
    print_source(source)
    split = pipeline.split_source(source, data.held_out_users, seed)
    config = brief(pipeline.training_config(source, {}), split.training.shape[0], updates)
    numbers = whole_numbers(candidates, "--candidates")
    with trainings(len(set(numbers)) * seeds) as on_trained:
        choice = choose_concepts(
            split, config, candidates=numbers, seeds=range(seed, seed + seeds), on_trained=on_trained
        )
    console.print(choice_table(choice))
    console.print(f"\n[bold]{escape(choice.reason)}[/]\nmacrid train {escape(given)} --concepts {choice.recommended}")
    if markdown is not None:
        markdown.write_text(choice_markdown(choice), encoding="utf-8")
        console.print(f"\nwritten to {escape(str(markdown))}")
    if json_file is not None:
        write_json(json_file, plain(choice))
