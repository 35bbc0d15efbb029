"""`macrid key`: API keys made, listed, revoked."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from macrid.cli.app import app, console

keys_app = typer.Typer(help="API keys: made, listed, revoked.", no_args_is_help=True)
app.add_typer(keys_app, name="key")

KeysOption = Annotated[Path, typer.Option("--keys", envvar="MACRID_KEYS_FILE", help="File of keys.", show_default=True)]
DEFAULT_KEYS = Path("keys.json")


@keys_app.command()
def create(
    name: Annotated[str, typer.Argument(help="What logs call it.")],
    keys: KeysOption = DEFAULT_KEYS,
    admin: Annotated[bool, typer.Option("--admin", help="Let it call /admin/… too.")] = False,
) -> None:
    """Make a key and print it, which happens only now: the file keeps its digest."""
    from macrid.service.keys import create_key

    typer.echo(create_key(keys, name, "admin" if admin else "use"))


@keys_app.command("list")
def list_keys(keys: KeysOption = DEFAULT_KEYS) -> None:
    """Show the names of the keys."""
    from macrid.service.keys import read_keys

    table = Table("name", "scope", "made", box=None, pad_edge=False)
    for key in read_keys(keys):
        table.add_row(key.name, key.scope, key.created_at)
    console.print(table)


@keys_app.command()
def revoke(name: Annotated[str, typer.Argument(help="Its name.")], keys: KeysOption = DEFAULT_KEYS) -> None:
    """Take a key out; running servers refuse it from their next request on."""
    from macrid.service.keys import revoke_key

    revoke_key(keys, name)
    console.print(f"{name} is revoked")
