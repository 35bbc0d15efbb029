"""Everything that can be set about the server: one list, one prefix, defaults that work on a laptop.

A setting is looked for in this order, and the first place that has it wins:

    flag of `macrid serve`  →  environment, MACRID_<NAME>  →  file (TOML), named by --config or MACRID_CONFIG  →  default

docs/operations.md shows the list; a test keeps it there and in the README. A list in the environment is written as JSON.
"""

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from macrid.service.errors import SettingError

PREFIX = "MACRID_"
CONFIG_VARIABLE = "MACRID_CONFIG"
# Of other parts of Macrid, or of the process: not settings of the server, and not mistakes either.
OTHER_VARIABLES = frozenset({CONFIG_VARIABLE, "MACRID_DATA", "MACRID_API_KEY"})


class Settings(BaseSettings):
    """Settings of one server process; arguments win over the environment, the environment over defaults."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, use_attribute_docstrings=True, frozen=True, extra="forbid")

    # What the file says; `load_settings` fills it for the moment of one call.
    _file: ClassVar[dict[str, Any]] = {}

    store: Path = Path("artifacts/store")
    """Folder of published bundles; the server serves its current version and follows when that changes."""

    host: str = "127.0.0.1"
    """Address to listen on. The default is reachable from this machine only."""

    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes any free one."""

    workers: int = Field(default=1, ge=1, le=256)
    """Processes that serve, each with the same bundle mapped; as many as there are cores is right."""

    ranker: Literal["auto", "exact", "by_concept"] = "auto"
    """How items are ranked: `exact` scores every item; `auto` asks a large catalogue's index, whose recall was measured."""

    max_history: int = Field(default=2000, ge=1)
    """Most item ids that a history may hold; longer ones are refused with 413."""

    max_exclude: int = Field(default=10_000, ge=1)
    """Most item ids that `exclude` may hold; longer ones are refused with 413."""

    max_n: int = Field(default=1000, ge=1)
    """Most items that one answer may be asked for; more is refused with 422."""

    max_body_bytes: int = Field(default=1024 * 1024, ge=1)
    """Largest request body in bytes; larger ones are refused with 413, without being read to the end."""

    threads: int = Field(default=2, ge=1, le=256)
    """Requests that a worker computes at once; more than two cores' worth only makes all of them slower."""

    max_waiting: int = Field(default=32, ge=0)
    """Requests that may wait in a worker for one of its threads; further ones are answered 503 with Retry-After at once."""

    time_limit: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    """Seconds that a request may take, waiting included, before it is answered 503; and its body to arrive, else 408."""

    shutdown_grace: int = Field(default=30, ge=0)
    """Seconds that requests under way get to finish once the server is told to stop."""

    keys_file: Path | None = None
    """File of API keys made with `macrid key create`; with it every call but health checks and the page needs one."""

    allow_without_keys: bool = False
    """Listen on other addresses than this machine's own although there is no keys file; say so only behind a proxy."""

    cors_origins: tuple[str, ...] = ()
    """Origins, such as https://shop.example, whose pages may call the API from a browser; none by default."""

    documentation: bool = True
    """Whether `/openapi.json` is answered."""

    reload_interval: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    """Seconds between two looks at the store for a newly published version."""

    log_format: Literal["auto", "text", "json"] = "auto"
    """How log lines are written; `auto` writes text to a terminal and JSON anywhere else."""

    log_requests: bool = True
    """Whether each answered request is a line in the log; health checks and metrics never are."""

    tracing: bool = False
    """Send OpenTelemetry traces, to where the standard OTEL_* variables say; needs `pip install 'macrid[tracing]'`."""

    @model_validator(mode="after")
    def _not_open_by_accident(self) -> Self:
        """Refuse to listen where others can reach it, with nobody asked for a key."""
        if not self.keys_file and not self.allow_without_keys and not is_loopback(self.host):
            raise ValueError(
                f"host is {self.host!r}, which other machines can reach, and there is no keys_file: make a key with "
                "`macrid key create`, or set allow_without_keys where something in front of the server asks for keys"
            )
        return self

    @model_validator(mode="after")
    def _origins_are_origins(self) -> Self:
        for origin in self.cors_origins:
            if "://" not in origin or origin.rstrip("/") != origin:
                raise ValueError(
                    f"cors_origins has {origin!r}, expected a scheme and a host, as in https://shop.example"
                )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[Any, ...]:
        """Flags, then the environment, then the file."""
        return init_settings, env_settings, lambda: dict(cls._file)

    @property
    def reachable_by_others(self) -> bool:
        """Whether other machines can reach the address."""
        return not is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Say whether an address is reachable from this machine only; a name but `localhost` may lead anywhere."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_settings(config: Path | None = None, **flags: Any) -> Settings:
    """Gather the settings from flags, environment and file.

    Args:
        config: the TOML file; None for the one that MACRID_CONFIG names, if it names one.
        flags: settings given on the command line; None stands for one that was not given.

    Raises:
        SettingError: names the setting, where it was set, its value and what was expected.
    """
    given, path = _given(flags), config_path(config)
    content = read_config(path) if path else {}
    try:
        Settings._file = content
        return Settings(**given)
    except ValidationError as error:
        raise SettingError(_described(error, given, content, path)) from None
    except SettingsError as error:  # a list in the environment that is no JSON
        raise SettingError(f"{error}: {error.__cause__}; expected JSON, as in '[\"https://shop.example\"]'") from None
    finally:
        Settings._file = {}


@dataclass(frozen=True)
class Origin:
    """Where a setting was set: in words, and what stands there; None for the default."""

    where: str
    value: Any


def origins(config: Path | None = None, **flags: Any) -> dict[str, Origin]:
    """Say where each setting comes from; see `load_settings` for the arguments.

    Raises:
        SettingError: the file cannot be read, or has a setting that does not exist.
    """
    given, path = _given(flags), config_path(config)
    content = read_config(path) if path else {}
    return {name: _origin(name, given, content, path) for name in Settings.model_fields}


def config_path(config: Path | None = None) -> Path | None:
    """Return the file of settings: the one given, or the one that MACRID_CONFIG names, if it names one."""
    return config or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)


def _given(flags: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}


def _origin(name: str, flags: Mapping[str, Any], content: Mapping[str, Any], path: Path | None) -> Origin:
    """The first place that has a setting, in the order in which they are asked."""
    if name in flags:
        return Origin(f"--{name.replace('_', '-')}", flags[name])
    variable = PREFIX + name.upper()
    if variable in os.environ:
        return Origin(variable, os.environ[variable])
    return Origin(f"{path}: {name}", content[name]) if name in content else Origin("default", None)


def read_config(path: Path) -> dict[str, Any]:
    """Read a file of settings.

    Raises:
        SettingError: it cannot be read, is not TOML, or has a setting that does not exist.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"{path}: the file of settings cannot be read: {error}") from None
    for name in content:
        if name not in Settings.model_fields:
            raise SettingError(f"{path}: there is no setting {name!r}; there are {', '.join(Settings.model_fields)}")
    return content


def unknown_variables() -> list[str]:
    """Environment variables that look like settings and are none: most likely misspelt."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OTHER_VARIABLES
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def _described(error: ValidationError, flags: dict[str, Any], content: dict[str, Any], path: Path | None) -> str:
    """Say which setting is wrong, where it was set, and why; several on a line each."""
    return "\n".join(_described_entry(entry, flags, content, path) for entry in error.errors())


def _described_entry(entry: Any, flags: dict[str, Any], content: dict[str, Any], path: Path | None) -> str:
    message = str(entry["msg"]).removeprefix("Value error, ")
    if not entry["loc"]:  # of several settings together; the message names them
        return message
    name = str(entry["loc"][0])
    origin = _origin(name, flags, content, path)
    where = name if origin.value is None else origin.where
    return f"{where} is {entry['input']!r}: {message[:1].lower()}{message[1:]}"
