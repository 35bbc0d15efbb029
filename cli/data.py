"""`macrid data`: public data sets."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from macrid.cli.app import app, console, known_data_sets
from macrid.cli.loading import Watching
from macrid.cli.output import print_note

data_app = typer.Typer(help="Public data sets: list them, fetch and verify them.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@data_app.command("list")
def data_list() -> None:
    """List the data sets that are known by name."""
    table = Table("name", "what it is", "here", "licence", box=None, pad_edge=False)
    for dataset in known_data_sets().values():
        table.add_row(dataset.name, dataset.summary, str(dataset.locate() or "–"), dataset.licence)
    console.print(table)


@data_app.command("prepare")
def data_prepare(
    name: Annotated[str, typer.Argument(help="A name from `macrid data list`.")],
    folder: Annotated[Path | None, typer.Option("--from", help="Folder where the files already are.")] = None,
) -> None:
    """Find, download or generate a data set, verify its checksums, and count what is in it."""
    known = known_data_sets()
    dataset = known.get(name)
    if dataset is None:
        raise typer.BadParameter(f"{name!r} is not known; expected one of {', '.join(known)}", param_hint="NAME")
    console.print(f"licence: {escape(dataset.licence)}")
    with Watching() as watching:
        source = dataset.load(folder, watching)
    clicks = source.interactions
    console.print(
        f"{name}: {len(clicks.user_ids):,} users, {len(clicks.item_ids):,} items, {len(clicks):,} clicks, "
        f"verified in {dataset.locate(folder)}"
    )
    print_note(source)
