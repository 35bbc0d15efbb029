"""Long answers are compressed for whoever asks for that, and all are told that others may get them otherwise."""

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Message, Receive, Scope, Send

from macrid.service.headers import add, header_of

VARY = (b"vary", b"Accept-Encoding")


class Compression(GZipMiddleware):
    """Starlette's middleware, and a shorter way for answers to POST to whoever wants them plain.

    Starlette keeps back the head of each answer until it has seen the body. Ours to POST are JSON in one piece, so the head says
    all.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and compress its answer or mention that it could be."""
        if scope.get("method") != "POST" or "gzip" in (header_of(scope, b"accept-encoding") or ""):
            await super().__call__(scope, receive, send)
            return

        async def send_with_vary(message: Message) -> None:
            if message["type"] == "http.response.start" and length_of(message) >= self.minimum_size:
                add(message, [VARY])
            await send(message)

        await self.app(scope, receive, send_with_vary)


def length_of(message: Message) -> int:
    """Return how long the body is that the beginning of an answer announces, 0 if it does not say."""
    return int(dict(message["headers"]).get(b"content-length", 0))
