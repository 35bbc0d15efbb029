"""Headers as ASGI has them: pairs of bytes, names in lower case. What happens to every request makes no objects of them."""

from collections.abc import Mapping

from starlette.types import Message, Scope

Pair = tuple[bytes, bytes]


def as_pairs(headers: Mapping[str, str]) -> list[Pair]:
    """Write headers as ASGI has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def header_of(scope: Scope, name: bytes) -> str | None:
    """Return the first header of this name (in lower case) that a request carries."""
    for sent, value in scope["headers"]:
        if sent == name:
            return str(value, "latin-1")
    return None


def add(message: Message, pairs: list[Pair]) -> None:
    """Add headers to the beginning of an answer."""
    message["headers"] = [*message.get("headers", ()), *pairs]


def add_unless_there(message: Message, pairs: list[Pair]) -> None:
    """Add those headers whose name the beginning of an answer does not have yet."""
    there = {name for name, _ in message.get("headers", ())}
    add(message, [pair for pair in pairs if pair[0] not in there])
