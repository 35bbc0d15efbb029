"""Item ids in paths: opaque strings that may contain anything, so every id is one percent-encoded segment.

Servers decode a path before routing, which turns `/items/a%2Fwalk` (the item "a/walk") into the walk of "a". Here
routing sees the path as it was sent, and only the id itself is decoded, once.
"""

import re
from typing import Annotated
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from fastapi import Depends, Path
from starlette.types import ASGIApp, Receive, Scope, Send

from macrid.service.errors import InvalidError

# What RFC 3986 lets stand unencoded in a path segment; the rest is encoded in one way, so equal ids make equal paths.
SEGMENT_SAFE = "!$&'()*+,;=:@"
NEEDS_NO_ENCODING = re.compile(r"[A-Za-z0-9_~-]+", re.ASCII)
IS_CANONICAL = re.compile(rb"[A-Za-z0-9_.~/-]+")


def quote_item_id(item_id: str) -> str:
    """Write an id as one path segment."""
    if NEEDS_NO_ENCODING.fullmatch(item_id):  # most ids; in a quarter of the time
        return item_id
    return quote(item_id, safe=SEGMENT_SAFE)


def picture_address(item_id: str) -> str:
    """Return the path at which this server offers an item's picture."""
    return f"/items/{quote_item_id(item_id)}/picture"


async def decoded_item_id(
    item_id: Annotated[
        str,
        Path(
            description="The item's id as one percent-encoded path segment: `a/b` is written `a%2Fb`.",
            examples=["bag-0001"],
        ),
    ],
) -> str:
    """Decode the id in a path (a FastAPI dependency)."""
    try:
        return unquote_to_bytes(item_id).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidError("path", "item_id", "its percent-encoded bytes are not UTF-8") from None


ItemIdInPath = Annotated[str, Depends(decoded_item_id)]


class RawPath:
    """ASGI middleware: route on the path as it was sent, each segment in its canonical encoding."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its path as it was sent."""
        if scope["type"] == "http" and scope.get("raw_path"):
            path = canonical_path(scope["raw_path"])
            if path != scope["path"]:
                scope = {**scope, "path": path}
        await self._app(scope, receive, send)


def canonical_path(raw_path: bytes) -> str:
    """Re-encode every segment the one way `quote_item_id` does: `/%69tems/a%2fb` → `/items/a%2Fb`."""
    if IS_CANONICAL.fullmatch(raw_path):  # most paths; in a tenth of the time
        return raw_path.decode()
    segments = raw_path.split(b"?")[0].split(b"/")
    return "/".join(quote_from_bytes(unquote_to_bytes(segment), safe=SEGMENT_SAFE) for segment in segments)
