"""The page: `/` is its index, everything it loads lies under `/web/`."""

from pathlib import Path

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

WEB = Path(__file__).parent / "web"


class PageFiles(StaticFiles):
    """The page's files. Their names never change, so browsers keep them but ask each time (304 while unchanged)."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, or 304."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def mount_page(app: FastAPI) -> None:
    """Serve the page from an app."""
    files = PageFiles(directory=WEB)

    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    app.mount("/web", files)
