"""What every answer gets, whatever its route: security headers, and HEAD wherever there is GET."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from macrid.service.headers import add_unless_there, as_pairs

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' https: data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Answers of the API are data: opened in a browser by themselves they may load and run nothing.
DATA_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# An SVG opened by itself is a document: it may use its own styles, and nothing else.
PICTURE_POLICY = f"{DATA_POLICY}; style-src 'unsafe-inline'; sandbox"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # A route that says nothing of caching answers about a user, about an error, or about now.
    "Cache-Control": "no-store",
}
ON_PAGES = as_pairs({"Content-Security-Policy": PAGE_POLICY, **HEADERS})
ON_DATA = as_pairs({"Content-Security-Policy": DATA_POLICY, **HEADERS})


class SecurityHeaders:
    """ASGI middleware: add the headers above, each unless the route has set it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and complete the headers of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_page = scope["path"] == "/" or scope["path"].startswith("/web/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_unless_there(message, ON_PAGES if is_page else ON_DATA)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class HeadAsGet:
    """ASGI middleware: answer HEAD like GET without the body, as RFC 9110 asks of every server."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as GET, and drop the body of the answer."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_without_body)
