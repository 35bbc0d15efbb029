"""`macrid publish` and `roll-back`: versions in the store."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from macrid.artifacts.store import RECALL_FLOOR
from macrid.cli.app import app, console
from macrid.cli.options import (
    DEFAULT_STORE,
    StoreOption,
)
from macrid.cli.steps import publish_bundle


@app.command()
def publish(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder.")],
    store: StoreOption = DEFAULT_STORE,
    names: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your own names for concepts and dimensions; see `macrid names`."),
    ] = None,
    recall_floor: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Refuse a bundle whose index finds less than this share of the true first 20 or 100."
        ),
    ] = RECALL_FLOOR,
) -> None:
    """Verify a bundle, copy it into the store and make it current; running servers take it up by themselves."""
    if names is None:
        publish_bundle(bundle, store, recall_floor)
        return
    from macrid.artifacts.names import read_names, write_renamed

    with tempfile.TemporaryDirectory() as scratch:
        write_renamed(bundle, read_names(names), Path(scratch) / "bundle")
        publish_bundle(Path(scratch) / "bundle", store, recall_floor)


@app.command()
def names(
    bundle: Annotated[
        Path | None, typer.Argument(help="A bundle's folder; default: the store's current version.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    dimensions: Annotated[int, typer.Option(min=0, help="Of each concept, the most important ones.")] = 5,
) -> None:
    """Print the names of concepts and dimension ends as a file to edit, for `macrid publish --names FILE`.

    Its keys are ids that stay the same when a model is trained further, so the file is kept and used again.

    Example: macrid names > names.toml; edit it; macrid publish runs/my-bundle --names names.toml
    """
    from macrid.artifacts.bundle import Bundle
    from macrid.artifacts.names import as_toml
    from macrid.artifacts.store import Store

    opened = Bundle.open(bundle) if bundle else Store(store).open_current()
    typer.echo(as_toml(opened.concepts, dimensions), nl=False)


@app.command()
def gc(
    store: StoreOption = DEFAULT_STORE,
    keep: Annotated[int, typer.Option(min=0, help="Versions to keep for rolling back, beside the current one.")] = 2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove old versions from the store, but none that a server on this machine or share has open."""
    from macrid.artifacts.store import Store

    garbage = Store(store).collect_garbage(keep, dry_run=dry_run)
    for version in garbage.removed:
        console.print(f"{'would remove' if dry_run else 'removed'} {version}")
    for version in garbage.in_use:
        console.print(f"kept {version}: a server has it open")
    if not (garbage.removed or garbage.in_use):
        console.print("nothing to remove")


@app.command("roll-back")
def roll_back(
    store: StoreOption = DEFAULT_STORE,
    address: Annotated[
        str | None, typer.Option("--at", metavar="ADDRESS", help="Where versions are pushed to, instead of a store.")
    ] = None,
) -> None:
    """Make the version before the current one current again."""
    if address is not None:
        from macrid.cli.remote import remote_store

        console.print(f"{remote_store(address).roll_back()} is current now at {escape(address)}")
        return
    from macrid.artifacts.store import Store

    console.print(f"{Store(store).roll_back()} is current now")
