"""A small published bundle, the facade on it, and a client that asks the whole application."""

from contextlib import ExitStack, contextmanager
from functools import partial

import anyio.from_thread
import httpx
import pytest

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.store import Store
from macrid.service.app import create_app
from macrid.service.loaded_model import LoadedModel
from macrid.service.recommender import Limits, Recommender
from macrid.service.settings import Settings
from tests.support.bundles import make_bundle


class Client:
    """Asks an application in this process: its lifespan runs, paths stay as they are written, errors become answers.

    Starlette's own TestClient wants a package the project does not otherwise need.
    """

    def __init__(self, app):
        self.app = app
        self._stack = ExitStack()

    def __enter__(self):
        self._portal = self._stack.enter_context(anyio.from_thread.start_blocking_portal())
        self._stack.enter_context(self._portal.wrap_async_context_manager(self.app.router.lifespan_context(self.app)))
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://macrid.test")
        self._stack.push(lambda *_: self._portal.call(self._http.aclose))
        return self

    def __exit__(self, *error):
        self._stack.close()

    def request(self, method, path, **options):
        return self._portal.call(partial(self._http.request, method, path, **options))

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, **options):
        return self.request("POST", path, **options)


@contextmanager
def serving(store_folder, **settings):
    with Client(create_app(Settings(store=store_folder, **settings))) as client:
        yield client


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundles") / "small")


@pytest.fixture(scope="session")
def store_folder(bundle_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    Store(folder).publish(bundle_folder)
    return folder


@pytest.fixture(scope="session")
def client(store_folder):
    with serving(store_folder) as client:
        yield client


@pytest.fixture(scope="session")
def recommender(bundle_folder):
    limits = Limits(max_history=8, max_exclude=8, max_n=50)
    return Recommender(LoadedModel.prepare(Bundle.open(bundle_folder)), limits)
