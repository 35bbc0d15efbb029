"""`macrid serve` and `demo`."""

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from macrid.cli.app import app, console, trainer
from macrid.cli.options import (
    DEFAULT_STORE,
    ConfigOption,
    HostSetting,
    KeysSetting,
    PortSetting,
    SettingOption,
    StoreOption,
    StoreSetting,
    WorkersSetting,
)
from macrid.cli.steps import publish_bundle, train_source


@app.command()
def serve(
    store: StoreSetting = None,
    host: HostSetting = None,
    port: PortSetting = None,
    workers: WorkersSetting = None,
    keys_file: KeysSetting = None,
    config: ConfigOption = None,
    setting: SettingOption = None,
) -> None:
    """Serve the API and the page from the store's current version.

    Every setting is a flag here (--set NAME=VALUE where it has none of its own), an environment variable MACRID_NAME, or a line
    of a TOML file; the first of these that has it wins. docs/operations.md lists them.
    """
    from macrid.service.server import serve as run_server
    from macrid.service.settings import load_settings

    flags = {"store": store, "host": host, "port": port, "workers": workers, "keys_file": keys_file}
    run_server(load_settings(config, **flags, **settings_given(setting, taken=flags)))


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


def settings_given(given: list[str] | None, taken: Iterable[str] = ()) -> dict[str, object]:
    """Read `--set NAME=VALUE`; of a list, the values stand between commas."""
    from macrid.service.settings import Settings

    found: dict[str, object] = {}
    for entry in given or []:
        name, equals, value = entry.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in Settings.model_fields or name in taken:
            free = ", ".join(name for name in Settings.model_fields if name not in taken)
            raise typer.BadParameter(f"{entry!r}, expected NAME=VALUE with one of {free}", param_hint="--set")
        found[name] = [part.strip() for part in value.split(",") if part.strip()] if name == "cors_origins" else value
    return found


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
        outcome = train_source("demo-shop", trainer().SourceOptions(), {})
        publish_bundle(outcome.folder, store)
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
