"""The settings: where each comes from, whether they fit, who could ask, and whether the address can be listened on."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from macrid.cli.checks.finding import Finding, ok, problem, warning
from macrid.service.errors import SettingError
from macrid.service.keys import usable_keys
from macrid.service.settings import Settings, load_settings, origins, unknown_variables


def check_settings(config: Path | None, flags: dict[str, Any]) -> tuple[Settings | None, list[Finding]]:
    """Gather the settings as the server does; returns them, None where it would not start, and a finding for each."""
    try:
        settings = load_settings(config, **flags)
        places = origins(config, **flags)
    except SettingError as error:
        advice = "correct it where it was set; docs/operations.md lists the settings"
        return None, [*(problem("settings", line, advice) for line in str(error).splitlines()), *check_variables()]
    values = settings.model_dump(mode="json")
    # None of them is a secret: keys are in a file of their own, as digests, and only its name is a setting.
    findings = [ok(f"settings: {name}", f"{values[name]!r}, {place.where}") for name, place in places.items()]
    return settings, [*findings, *check_variables(), *check_access(settings), *check_extras(settings)]


def store_meant(config: Path | None, flags: dict[str, Any]) -> Path:
    """Return the store that broken settings still name."""
    try:
        given = origins(config, **flags)["store"].value
    except SettingError:  # of the file; flags and environment can still be read
        given = flags.get("store") or os.environ.get("MACRID_STORE")
    return Path(given or Settings.model_fields["store"].default)


def check_variables() -> Iterator[Finding]:
    """Name variables that look like settings and are none. Their values are not shown: one may be a key."""
    for name in unknown_variables():
        yield warning("settings: environment", f"{name} is no setting", "correct its name, or unset it")


def check_access(settings: Settings) -> Iterator[Finding]:
    """See who could ask this server, and whether it can listen."""
    if settings.keys_file is not None:
        yield check_keys(settings.keys_file)
    elif settings.reachable_by_others:
        advice = "see that only a proxy that asks for keys can reach it, or set keys_file (macrid key create)"
        said = f"others can reach {settings.host}, and nobody is asked for a key"
        yield warning("settings: access", said, advice)
    else:
        yield ok("settings: access", "without keys, and only this machine can reach it")
    yield check_address(settings.host, settings.port)


def check_keys(path: Path) -> Finding:
    """Read the file of keys, and see who else may."""
    check = "settings: keys file"
    try:
        keys = usable_keys(path)
        mode = stat.S_IMODE(path.stat().st_mode)
    except (SettingError, OSError) as error:
        return problem(check, str(error), f"make one: macrid key create NAME --keys {path}")
    said = f"{path}: {len(keys)}, of them {sum(key.scope == 'admin' for key in keys)} for /admin; mode {mode:04o}"
    if mode & 0o022:
        return problem(check, f"{said}: others may write to it, and let themselves in", f"chmod 600 {path}")
    if mode & 0o044:
        return warning(check, f"{said}: others may read its digests", f"chmod 600 {path}")
    return ok(check, said)


def check_address(host: str, port: int) -> Finding:
    """Try to listen, for a moment."""
    check = "settings: address"
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.create_server((host, port), family=family):
            pass
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return ok(
                check, f"something listens on {host}:{port} already; a server that runs, or else choose another port"
            )
        said = f"{host}:{port} cannot be listened on: {error.strerror}"
        return problem(check, said, "choose an address of this machine, and a port from 1024 on unless you are root")
    return ok(check, f"{host}:{port} can be listened on")


def check_extras(settings: Settings) -> Iterator[Finding]:
    """See that what is switched on is installed, and that its files can be read."""
    if settings.tracing:
        from fastapi import FastAPI

        from macrid.service.tracing import install_tracing

        try:
            install_tracing(FastAPI()).shutdown()
        except SettingError as error:
            yield problem("settings: tracing", str(error), "pip install 'macrid[tracing]', or set tracing to false")
        else:
            endpoint = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "its default, http://localhost:4318")
            yield ok("settings: tracing", f"spans go to {endpoint}")
