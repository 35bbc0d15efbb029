"""`macrid tune`: a search for a method's settings."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from macrid.cli.app import app, console, trainer
from macrid.cli.compare import seeds_in
from macrid.cli.loading import load_source
from macrid.cli.options import DEFAULT_DATA, DataOptions, Given, with_data_options
from macrid.cli.output import counting, print_source


@app.command()
@with_data_options
def tune(
    given: Given,
    model: Annotated[str, typer.Option(help="What to tune: macridvae, or a baseline by name.")] = "macridvae",
    trials: Annotated[int, typer.Option(min=1, help="Finished trials of the study in all, pruned ones included.")] = 50,
    timeout: Annotated[float | None, typer.Option(min=1, help="Begin no trial after so many seconds.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that try at once.")] = 1,
    seeds: Annotated[
        str,
        typer.Option(metavar="1,2,3", help="Of the splits over whose validation users a trial's value is the mean."),
    ] = "98765",
    fixed: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Keep a setting at this value; may be given several times."),
    ] = None,
    also: Annotated[
        str, typer.Option(metavar="A,B", help="Search these too, for macridvae: temperature, dimensions.")
    ] = "",
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Database of studies, as SQLAlchemy has it; one that many machines reach lets them search together. "
            "Default: the file runs/studies.db.",
        ),
    ] = None,
    study: Annotated[
        str | None, typer.Option(help="Name of the study; one that is there is continued. Default: NAME-MODEL.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Best settings as TOML. Default: configs/NAME/MODEL.toml.")
    ] = None,
    data: DataOptions = DEFAULT_DATA,
) -> None:
    """Search for good settings on validation users, and write the best as a file for `macrid train --config`.

    Broken off, it goes on with the same command. Test users are never looked at. docs/tuning.md has the ranges.

    Example: macrid tune demo-shop --trials 60 && macrid train demo-shop --config configs/demo-shop/macridvae.toml
    """
    trainer()
    from macrid.model import tuning

    numbers = seeds_in(seeds)
    source = load_source(given, data.source_options())
    print_source(source)
    search = tuning.Search(
        method=model,
        fixed=dict(_setting(text) for text in fixed or ()),
        also=tuple(name.strip() for name in also.split(",") if name.strip()),
        seeds=tuple(numbers),
        held_out_users=data.held_out_users,
    )
    out = out or Path("configs") / source.name / f"{model}.toml"
    out.parent.mkdir(parents=True, exist_ok=True)
    storage = storage or _file_of_studies()
    opened, interrupted = _search(source, search, study or f"{source.name}-{model}", storage, trials, timeout, workers)
    if interrupted and tuning.best_value(opened) is None:
        console.print("interrupted before a trial was completed; the same command goes on")
        raise typer.Exit(130)
    best = tuning.write_best(opened, source, search, out)
    console.print(
        f"best validation NDCG@100 {best.ndcg:.4f}, trial {best.best_trial} of {best.finished} ({best.pruned} pruned); "
        f"settings written to {escape(str(out))}, all trials to {escape(str(out.with_suffix('.trials.csv')))}"
    )
    if interrupted:
        raise typer.Exit(130)


def _search(
    source: Any, search: Any, name: str, storage: str, trials: int, timeout: float | None, workers: int
) -> tuple[Any, bool]:
    """Run the study under a bar; the study, and whether Ctrl-C ended it."""
    from macrid.model import tuning

    opened = tuning.open_search(source, search, name, storage)
    with counting("trials") as bar:
        task = bar.add_task("", total=trials, completed=tuning.finished(opened))

        def on_trial(running: Any, trial: Any) -> None:
            if tuning.WHY in trial.user_attrs:
                console.print(f"[yellow]note:[/] trial {trial.number} failed: {escape(trial.user_attrs[tuning.WHY])}")
            best = tuning.best_value(running)
            shown = "" if best is None else f"best NDCG@100 {best:.4f}"
            bar.update(task, completed=tuning.finished(running), description=shown)

        try:
            tuning.tune(
                opened,
                source,
                search,
                storage=storage,
                trials=trials,
                timeout=timeout,
                workers=workers,
                on_trial=on_trial,
            )
        except KeyboardInterrupt:
            return opened, True
    return opened, False


def _file_of_studies() -> str:
    path = Path("runs") / "studies.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def _setting(text: str) -> tuple[str, object]:
    """`name=value`, the value as TOML has it, or a word."""
    name, mark, value = text.partition("=")
    if not mark or not name.strip():
        raise typer.BadParameter(f"{text!r}; expected NAME=VALUE", param_hint="--set")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()
