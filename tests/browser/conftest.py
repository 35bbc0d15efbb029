"""A real server on a small bundle, and a real browser that looks at it."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from macrid.artifacts.store import Store
from macrid.service.app import create_app
from macrid.service.settings import Settings
from tests.support.bundles import make_bundle

PATIENCE = 20_000  # milliseconds; a busy machine is slow, and no test is about speed
expect.set_options(timeout=PATIENCE)
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'  # stands for the addresses in the catalogue
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def serve(store: Path, **settings: Any) -> Iterator[str]:
    """Serve a store on a free port of this machine; yields its address."""
    app = create_app(Settings(store=store, **settings))
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join(timeout=5)


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A small generated bundle, served."""
    root = tmp_path_factory.mktemp("browser")
    Store(root / "store").publish(make_bundle(root / "bundle"))
    with serve(root / "store") as address:
        yield address


@pytest.fixture(
    scope="module"
)  # not the session: while it lives, this thread has a running event loop, and no test could run its own
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        installed = shutil.which("chromium") or shutil.which("chromium-browser") or playwright.chromium.executable_path
        if not Path(installed).exists():
            pytest.skip("no Chromium here: install one, or run `playwright install chromium`")
        try:
            browser = playwright.chromium.launch(executable_path=installed, args=QUIET)
        except Error as error:
            pytest.skip(f"Chromium does not start: {error}")
        yield browser
        browser.close()


@pytest.fixture
def expected_errors() -> list[str]:
    """Console errors that a test provokes: parts of their texts."""
    return []


@pytest.fixture
def page(browser: Browser, expected_errors: list[str]) -> Iterator[Page]:
    """A fresh browser window; whatever it complains about in its console fails the test."""
    with browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce") as context:
        context.set_default_timeout(PATIENCE)
        context.route("https://example.org/**", lambda route: route.fulfill(content_type="image/svg+xml", body=PICTURE))
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None
        )
        yield page
    assert [text for text in complaints if not any(part in text for part in expected_errors)] == []
