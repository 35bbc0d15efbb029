"""Frozen dataclasses to and from JSON, strictly: a missing, surplus or mistyped field is refused with its name.

Used for the manifest, the concepts and the store's pointer, whose shapes are declared in `schema` and `store`.
"""

import dataclasses
import sys
import types
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from macrid.artifacts.errors import BundleError

Record = TypeVar("Record")


def to_json(record: Any) -> dict[str, object]:
    """A dataclass as a JSON object."""
    return dataclasses.asdict(record)


def from_json(kind: type[Record], value: object, where: str) -> Record:
    """A JSON object as the dataclass `kind`.

    Args:
        kind: a frozen dataclass of str, int, float, None, Literal, tuple, dict and other such dataclasses.
        value: what was parsed.
        where: the file, for messages.

    Raises:
        BundleError: names the file, the field, the value and what was expected.
    """
    result: Record = _convert(kind, value, where)
    return result


def _convert(kind: Any, value: object, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _record(kind, value, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        _expect(isinstance(value, list), where, value, "a list")
        assert isinstance(value, list)
        return tuple(_convert(arguments[0], entry, f"{where}[{at}]") for at, entry in enumerate(value))
    if origin is dict:
        _expect(isinstance(value, dict), where, value, "an object")
        assert isinstance(value, dict)
        return {name: _convert(arguments[1], entry, f"{where}.{name}") for name, entry in value.items()}
    if origin is Literal:
        _expect(value in arguments, where, value, " or ".join(map(repr, arguments)))
        return value
    if origin is types.UnionType:
        return None if value is None else _convert(next(a for a in arguments if a is not type(None)), value, where)
    return _scalar(kind, value, where)


def _record(kind: Any, value: object, where: str) -> Any:
    _expect(isinstance(value, dict), where, value, "an object")
    assert isinstance(value, dict)
    hints = _fields(kind)
    missing, surplus = hints.keys() - value.keys(), value.keys() - hints.keys()
    if missing or surplus:
        names = "misses " + ", ".join(sorted(missing)) if missing else "has unknown " + ", ".join(sorted(surplus))
        raise BundleError(f"{where}: {names}; expected exactly {', '.join(hints)}")
    return kind(**{name: _convert(hint, value[name], f"{where}: {name}") for name, hint in hints.items()})


@cache  # concepts.json holds K * d * 3 records
def _fields(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _scalar(kind: Any, value: object, where: str) -> Any:
    if kind is object:
        return value
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        _expect(abs(value) <= sys.float_info.max, where, value, "a finite number")
        return float(value)
    _expect(type(value) is kind, where, value, kind.__name__)
    return value


def _expect(holds: bool, where: str, value: object, expected: str) -> None:
    if not holds:
        raise BundleError(f"{where}: is {value!r:.80}, expected {expected}")
