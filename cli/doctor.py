"""`macrid doctor`: is this machine, with this store and these settings, fit to serve?"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from macrid.cli.app import app, console
from macrid.cli.options import (
    ConfigOption,
    HostSetting,
    KeysSetting,
    PortSetting,
    SettingOption,
    StoreSetting,
    WorkersSetting,
)
from macrid.cli.serve import settings_given

if TYPE_CHECKING:
    from macrid.cli.checks.finding import Finding

COLOURS = {"ok": "green", "warning": "yellow", "problem": "bold red"}


@app.command()
def doctor(
    store: StoreSetting = None,
    host: HostSetting = None,
    port: PortSetting = None,
    workers: WorkersSetting = None,
    keys_file: KeysSetting = None,
    config: ConfigOption = None,
    setting: SettingOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Check machine, store, current bundle and settings, and say what to do; give it the flags of `macrid serve`.

    A line for each check. The exit status is that of monitoring plugins: 0 all is ok, 1 something is a warning, 2 something is a
    problem, because of which the server would not start or not serve what it should.
    """
    flags = {"store": store, "host": host, "port": port, "workers": workers, "keys_file": keys_file}
    findings = examine(config, {**flags, **settings_given(setting, taken=flags)})
    if as_json:
        entries = [dataclasses.asdict(finding) for finding in findings]
        typer.echo(json.dumps({"status": exit_status(findings), "findings": entries}, ensure_ascii=False, indent=1))
    else:
        for finding in findings:
            _print(finding)
    raise typer.Exit(exit_status(findings))


def examine(config: Path | None, flags: dict[str, object]) -> list["Finding"]:
    """Check everything; where the settings are broken, with those that would hold without them."""
    from macrid.artifacts.store import Store
    from macrid.cli.checks.machine import check_machine
    from macrid.cli.checks.settings import check_settings, store_meant
    from macrid.cli.checks.store import bundle_bytes, check_store

    settings, of_settings = check_settings(config, flags)
    store = Store(settings.store if settings else store_meant(config, flags))
    of_machine = check_machine(settings.workers if settings else 1, bundle_bytes(store))
    return [*of_machine, *check_store(store, settings.ranker if settings else "auto"), *of_settings]


def exit_status(findings: Sequence["Finding"]) -> int:
    """Return the status of the worst: 0 ok, 1 warning, 2 problem."""
    from macrid.cli.checks.finding import STATES

    return max(STATES.index(finding.state) for finding in findings)


def _print(finding: "Finding") -> None:
    colour = COLOURS[finding.state]
    advice = f" [bold]→ {escape(finding.advice)}[/]" if finding.advice else ""
    console.print(
        f"[{colour}]{finding.state:7}[/]  {escape(finding.check)}: {escape(finding.said)}{advice}", highlight=False
    )
