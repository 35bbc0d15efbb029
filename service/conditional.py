"""Answers that depend only on the loaded model carry an ETag, and a client that has them already gets 304."""

from hashlib import blake2b

from fastapi import Depends, FastAPI, Request, Response

from macrid import __version__
from macrid.service.current import CurrentRecommender

# Kept by clients and proxies, but asked about each time: a new model shows at once, and the 304 costs no computation.
REVALIDATE = "no-cache"


class NotModified(Exception):  # noqa: N818 - an answer, not an error
    """The client has this answer already."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__("not modified")
        self.headers = headers


async def answer_unless_known(request: Request, response: Response, recommender: CurrentRecommender) -> None:
    """Set the ETag of an answer, or stop here when the client's copy carries it (a FastAPI dependency)."""
    # The address is part of the tag, so that only an answer that was given for an address is answered with 304 there.
    address = f"{request.scope['path']}?{request.url.query}"
    tag = entity_tag(__version__, recommender.version, address)
    response.headers.update(caching_headers(request, tag, REVALIDATE))


UnlessKnown = Depends(answer_unless_known)


def entity_tag(*parts: str | bytes) -> str:
    """Return a tag of what an answer depends on; a weak one, because the body may be compressed on its way."""
    encoded = [part.encode() if isinstance(part, str) else part for part in parts]
    digest = blake2b(b"\0".join(encoded), digest_size=12).hexdigest()
    return f'W/"{digest}"'


def caching_headers(request: Request, tag: str, cache_control: str) -> dict[str, str]:
    """Return the headers that let a client keep an answer, or stop here when it holds the very same one.

    A weak and a strong tag of the same name are the same here (RFC 9110, 13.1.2).

    Raises:
        NotModified: it does.
    """
    headers = {"ETag": tag, "Cache-Control": cache_control}
    held = request.headers.get("if-none-match", "").split(",")
    if tag in [f"W/{entry.strip().removeprefix('W/')}" for entry in held]:
        raise NotModified(headers)
    return headers


def install_not_modified(app: FastAPI) -> None:
    """Let an app answer `NotModified` with 304."""

    async def on_not_modified(request: Request, error: Exception) -> Response:
        assert isinstance(error, NotModified)
        return Response(status_code=304, headers=error.headers)

    app.add_exception_handler(NotModified, on_not_modified)
