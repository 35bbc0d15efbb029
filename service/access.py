"""Who may ask what: an ASGI middleware that asks for a key, where there are keys.

Health checks and the page's files are for everybody, `/admin` is for keys of the scope "admin", all else for any key. Without a
keys file there is nothing to ask for; then `/admin` is for callers of a server that only its own machine can reach.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from macrid.service.documentation import FOR_EVERYBODY
from macrid.service.errors import ForbiddenError, ServiceError, UnauthorizedError
from macrid.service.keys import KeyRing
from macrid.service.problems import answer_service_error
from macrid.service.request_log import SEEN

PAGE_FILES = "/web/"
ADMIN = "/admin/"


class Access:
    """ASGI middleware: answer 401 or 403, or pass the request on. It sees the path as routing will see it."""

    def __init__(self, app: ASGIApp, keys: KeyRing | None, reachable_by_others: bool) -> None:
        self._app = app
        self._keys = keys
        self._reachable_by_others = reachable_by_others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if its sender may ask it."""
        if scope["type"] == "http":
            refusal = self._refusal(scope)
            if refusal is not None:
                await answer_service_error(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> ServiceError | None:
        path: str = scope["path"]
        is_admin = path.startswith(ADMIN)
        if self._keys is None:
            if is_admin and self._reachable_by_others:
                return ForbiddenError(
                    "/admin is closed: others can reach this server and it has no keys; set keys_file"
                )
            return None
        if path in FOR_EVERYBODY or path.startswith(PAGE_FILES):
            return None
        sent = key_in(Headers(scope=scope))
        stored = self._keys.find(sent) if sent else None
        if stored is None:
            return UnauthorizedError(sent=bool(sent))
        if SEEN in scope:
            scope[SEEN].key = stored.name
        if is_admin and stored.scope != "admin":
            return ForbiddenError(f"the key {stored.name!r} is not for /admin; that takes one of the scope 'admin'")
        return None


def key_in(headers: Headers) -> str | None:
    """Return the key that a request carries."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get("x-api-key") or None
