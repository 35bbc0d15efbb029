"""Frozen dataclasses to and from JSON, strictly: a missing, surplus or mistyped field is refused with its name.

Used for the manifest, the concepts and the store's pointer, whose shapes are declared in `schema` and `store`.
"""

import dataclasses
import sys
import types
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from macrid.artifacts.errors import BundleError

Record = TypeVar("Record")
Reader = Callable[[object], Any]


class _MisfitError(Exception):
    """A value that does not fit. Its place is put together on the way out, so that values that fit pay nothing for it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.place = ""
        self.message = message

    def within(self, outer: str) -> "_MisfitError":
        self.place = outer + self.place
        return self


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
    reader: Reader = _reader(kind)  # type: ignore[arg-type]  # a class can be hashed
    try:
        result: Record = reader(value)
    except _MisfitError as misfit:
        raise BundleError(f"{where}{misfit.place}: {misfit.message}") from None
    return result


@cache  # concepts.json holds K * d * 3 records of three kinds
def _reader(kind: Any) -> Reader:
    """What reads values of a kind."""
    if dataclasses.is_dataclass(kind):
        return _record_reader(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _tuple_reader(_reader(arguments[0]))
    if origin is dict:
        return _dict_reader(_reader(arguments[1]))
    if origin is Literal:
        return _literal_reader(arguments)
    if origin is types.UnionType:
        return _optional_reader(_reader(next(a for a in arguments if a is not type(None))))
    return {object: lambda value: value, float: _read_float}.get(kind) or _scalar_reader(kind)


def _record_reader(kind: Any) -> Reader:
    readers = {name: _reader(hint) for name, hint in get_type_hints(kind).items()}

    def read(value: object) -> Any:
        fields = _expect(value, dict, "an object")
        missing, surplus = readers.keys() - fields.keys(), fields.keys() - readers.keys()
        if missing or surplus:
            names = "misses " + ", ".join(sorted(missing)) if missing else "has unknown " + ", ".join(sorted(surplus))
            raise _MisfitError(f"{names}; expected exactly {', '.join(readers)}")
        return kind(**_each(readers, fields))

    return read


def _each(readers: dict[str, Reader], fields: dict[str, object]) -> dict[str, Any]:
    found = {}
    for name, read in readers.items():
        try:
            found[name] = read(fields[name])
        except _MisfitError as misfit:
            raise misfit.within(f": {name}") from None
    return found


def _tuple_reader(read_entry: Reader) -> Reader:
    def read(value: object) -> tuple[Any, ...]:
        entries = _expect(value, list, "a list")
        found: list[Any] = []
        try:
            for entry in entries:
                found.append(read_entry(entry))
        except _MisfitError as misfit:
            raise misfit.within(f"[{len(found)}]") from None
        return tuple(found)

    return read


def _dict_reader(read_entry: Reader) -> Reader:
    def read(value: object) -> dict[str, Any]:
        found = {}
        for name, entry in _expect(value, dict, "an object").items():
            try:
                found[name] = read_entry(entry)
            except _MisfitError as misfit:
                raise misfit.within(f".{name}") from None
        return found

    return read


def _literal_reader(allowed: tuple[object, ...]) -> Reader:
    def read(value: object) -> object:
        if value not in allowed:
            raise _misfit(value, " or ".join(map(repr, allowed)))
        return value

    return read


def _optional_reader(read_other: Reader) -> Reader:
    return lambda value: None if value is None else read_other(value)


def _scalar_reader(kind: type) -> Reader:
    return lambda value: _expect(value, kind, kind.__name__)


def _read_float(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _misfit(value, "float")
    if not abs(value) <= sys.float_info.max:
        raise _misfit(value, "a finite number")
    return float(value)


def _expect(value: Any, kind: type, expected: str) -> Any:
    """The value if it is of this very type: a truth value is no whole number here."""
    if type(value) is not kind:
        raise _misfit(value, expected)
    return value


def _misfit(value: object, expected: str) -> _MisfitError:
    return _MisfitError(f"is {value!r:.80}, expected {expected}")
