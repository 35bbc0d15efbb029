"""`macrid push` and `pull`: versions by way of a folder, a share or an object storage."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from macrid.artifacts.errors import ArtifactError
from macrid.artifacts.store import RECALL_FLOOR
from macrid.cli.app import app, console
from macrid.cli.options import DEFAULT_STORE, StoreOption

if TYPE_CHECKING:
    from macrid.artifacts.remote import RemoteStore

Address = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="As s3://bucket/prefix, or a folder; what fsspec knows, it may be.")
]


@app.command()
def push(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder.")],
    address: Address,
    recall_floor: Annotated[float, typer.Option(min=0.0, max=1.0, help="As of `macrid publish`.")] = RECALL_FLOOR,
) -> None:
    """Verify a bundle, bring it to an address, read it back, and make it current there; servers pull it from there.

    Example: macrid push runs/shop-20261121 s3://models/shop
    """
    version = remote_store(address).push(bundle, recall_floor)
    console.print(f"pushed {version} to {escape(address)}; it is current there")


@app.command()
def pull(
    address: Address,
    store: StoreOption = DEFAULT_STORE,
    every: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="Go on looking, so often; until interrupted.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=0, help="After a new version: remove older ones but so many, as `macrid gc` does.")
    ] = None,
) -> None:
    """Fetch what is current at an address into a store, verify it and make it current there; a server follows by itself.

    Example: macrid pull s3://models/shop --store /var/lib/macrid/store --every 30
    """
    remote = remote_store(address)
    if every is None:
        _pull(remote, store, keep)
        return
    said = None
    while True:
        try:
            _pull(remote, store, keep, quiet=True)
            said = None
        except (ArtifactError, OSError) as error:  # the next look may find it mended
            if str(error) != said:  # once per reason
                said = str(error)
                console.print(f"[yellow]not pulled:[/] {escape(said)}")
        time.sleep(every)


def _pull(remote: "RemoteStore", store: Path, keep: int | None, *, quiet: bool = False) -> None:
    from macrid.artifacts.store import Store

    version = remote.pull(Store(store))
    if version is None:
        if not quiet:
            console.print(f"{Store(store).current()} is current already")
        return
    console.print(f"pulled {version} to {escape(str(store))}; it is current now")
    if keep is not None:
        for removed in Store(store).collect_garbage(keep).removed:
            console.print(f"removed {removed}")


def remote_store(address: str) -> "RemoteStore":
    """The versions at an address."""
    from macrid.artifacts.remote import RemoteStore
    from macrid.cli.remote_files import FsspecFiles

    return RemoteStore(FsspecFiles(address))
