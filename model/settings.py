"""Settings by name, as command lines and files give them: which there are, what kind of value each takes, and TOML files of them.

A file that `macrid tune` writes and `macrid train --config` reads:

    model = "macridvae"

    [settings]
    concepts = 12
    beta = 0.9

    [study]          # how they were found; for the reader, not read again
    trials = 60
"""

import dataclasses
import json
import math
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from macrid.model.errors import DataError

Settings = Mapping[str, object]
SECTIONS = ("model", "settings", "study")
LEAST: Mapping[str, float] = {  # where a value below makes no sense; anything else that is a number must not be negative
    "concepts": 1, "dimensions": 2, "epochs": 1, "patience": 1, "batch_size": 1, "anneal_epochs": 1, "latent": 1, "hidden": 1,
    "neighbours": 1, "encoder_passes": 1, "decoder_passes": 1, "learning_rate": 1e-9, "temperature": 1e-6, "prior_std": 1e-6,
    "keep_probability": 1e-6, "regularization": 1e-9, "teacher_regularization": 0.1,
}  # fmt: skip
MOST: Mapping[str, float] = {
    "keep_probability": 1.0, "averaging": 1.0, "balance": 1.0, "teacher": 1.0, "refinement": 100.0,
}  # fmt: skip


def kinds_of(*configs: type) -> dict[str, Any]:
    """Setting -> annotated type of the fields of these dataclasses, but for the seed and what is a dataclass itself."""
    kinds = {name: kind for config in configs for name, kind in typing.get_type_hints(config).items()}
    fields = {field.name for config in configs for field in dataclasses.fields(config)}
    return {
        name: kind
        for name, kind in kinds.items()
        if name in fields and name != "seed" and not dataclasses.is_dataclass(kind)
    }


def check_settings(settings: Settings, kinds: Mapping[str, Any], where: str) -> None:
    """Refuse what is not known or cannot be.

    Raises:
        DataError: names the setting, its value and what was expected.
    """
    for name, value in settings.items():
        if name not in kinds:
            raise DataError(f"{where}: {name!r} is no setting; expected {', '.join(sorted(kinds))}")
        if not _fits(value, kinds[name]):
            raise DataError(f"{where}: {name} is {value!r}, expected {_described(kinds[name])}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            low, high = LEAST.get(name, 0.0), MOST.get(name, math.inf)
            if not (math.isfinite(value) and low <= value <= high):
                bounds = f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
                raise DataError(f"{where}: {name} is {value!r}, expected a number of {bounds}")


def read_settings(path: Path, model: str) -> Settings:
    """Read a file of settings of a model; `check_settings` checks them.

    Raises:
        DataError: the file cannot be read, has another shape, or is of another model.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file of settings") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as TOML: {error}") from error
    unknown = next((name for name in content if name not in SECTIONS), None)
    if unknown is not None:
        raise DataError(f"{path}: {unknown!r} is not known; expected model, [settings] and perhaps [study]")
    settings = content.get("settings")
    if content.get("model") != model or not isinstance(settings, dict):
        raise DataError(
            f"{path}: the model is {content.get('model')!r}; expected model = {model!r} and a section [settings]"
        )
    return settings


def write_settings(path: Path, model: str, settings: Settings, study: Settings) -> None:
    """Write a file of settings, beside and then renamed, so that no reader sees half of one."""
    sections = [("settings", settings), ("study", study)]
    text = f"model = {_toml(model)}\n" + "".join(
        f"\n[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in content.items() if value is not None)
        for name, content in sections
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _toml(value: object) -> str:
    """A text, number, truth value or list of them as TOML; JSON is a part of it for these."""
    return json.dumps(value, ensure_ascii=False)


def _fits(value: object, kind: Any) -> bool:
    if typing.get_origin(kind) is Literal:
        return value in typing.get_args(kind)
    if isinstance(kind, types.UnionType):
        return any(_fits(value, each) for each in typing.get_args(kind))
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _described(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return " or ".join(map(repr, typing.get_args(kind)))
    if isinstance(kind, types.UnionType):
        return " or ".join(_described(each) for each in typing.get_args(kind) if each is not types.NoneType)
    return {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}.get(kind, str(kind))
