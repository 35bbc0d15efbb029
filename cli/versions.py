"""`macrid publish` and `roll-back`: versions in the store."""

from pathlib import Path
from typing import Annotated

import typer

from macrid.cli.app import app, console
from macrid.cli.options import (
    DEFAULT_STORE,
    StoreOption,
)
from macrid.cli.steps import publish_bundle


@app.command()
def publish(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder.")], store: StoreOption = DEFAULT_STORE
) -> None:
    """Verify a bundle, copy it into the store and make it current; running servers take it up by themselves."""
    publish_bundle(bundle, store)


@app.command("roll-back")
def roll_back(store: StoreOption = DEFAULT_STORE) -> None:
    """Make the version before the current one current again."""
    from macrid.artifacts.store import Store

    console.print(f"{Store(store).roll_back()} is current now")
