"""Put the server together: settings in, an ASGI application out. No logic, and no work before it starts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from macrid import __version__
from macrid.artifacts.store import Store
from macrid.service.access import Access
from macrid.service.addresses import RawPath
from macrid.service.admission import Admission
from macrid.service.compression import Compression
from macrid.service.conditional import install_not_modified
from macrid.service.connections import TURNSTILE
from macrid.service.documentation import document
from macrid.service.gathering import Gathering
from macrid.service.keys import KeyRing
from macrid.service.metrics import Metrics
from macrid.service.middleware import HeadAsGet, SecurityHeaders
from macrid.service.page import mount_page
from macrid.service.problems import UnforeseenErrors, install_error_handlers
from macrid.service.recommender import Limits
from macrid.service.reload import Reloader
from macrid.service.request_log import NoteRoute, RequestLog
from macrid.service.routes import admin, concepts, controls, items, map, operations, recommend, walks
from macrid.service.settings import Settings, load_settings
from macrid.service.tracing import install_tracing
from macrid.service.traffic import Traffic
from macrid.service.turnstile import Turnstile

# Smaller answers fit one packet anyway; level 5 costs half the time of level 9 for a few per cent more bytes.
COMPRESS_FROM_BYTES, COMPRESSION_LEVEL = 1000, 5


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application. The store is opened when it starts, not here; without a model it answers 503.

    Args:
        settings: defaults to the environment's.
    """
    settings = settings or load_settings()
    metrics = Metrics()
    app = FastAPI(
        title="Macrid",
        version=__version__,
        lifespan=lifespan,
        middleware=[  # outermost first
            Middleware(RequestLog, metrics=metrics, log_requests=settings.log_requests),
            Middleware(SecurityHeaders),
            *cross_origin(settings),
            Middleware(HeadAsGet),
            Middleware(Compression, minimum_size=COMPRESS_FROM_BYTES, compresslevel=COMPRESSION_LEVEL),
            Middleware(UnforeseenErrors),
            Middleware(RawPath),
            Middleware(
                Access,
                keys=KeyRing(settings.keys_file) if settings.keys_file else None,
                reachable_by_others=settings.reachable_by_others,
            ),
            Middleware(NoteRoute),
        ],
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # operation ids: the names of the handlers
        docs_url=None,  # both viewers load scripts from elsewhere, which the security policy forbids
        redoc_url=None,
        openapi_url="/openapi.json" if settings.documentation else None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # its own, which names paths; see `tracing.py`
    )
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.traffic = traffic = Traffic(metrics)
    app.state.admission = admission = Admission(settings.threads, settings.max_waiting, settings.time_limit, metrics)
    app.state.gathering = Gathering()
    app.state.turnstile = Turnstile(admission, metrics, cross_origin=bool(settings.cors_origins))
    app.state.reloader = Reloader(
        Store(settings.store),
        Limits(max_history=settings.max_history, max_exclude=settings.max_exclude, max_n=settings.max_n),
        ranker=settings.ranker,
        interval=settings.reload_interval,
        metrics=metrics,
        sample=traffic.sample,
    )
    if settings.tracing:
        app.state.tracing = install_tracing(app)
    install_error_handlers(app)
    install_not_modified(app)
    app.router.routes.extend(recommend.direct.routes)  # as they are: FastAPI looks twice for what it includes
    for room in (recommend, walks, controls, items, concepts, map, operations, admin):
        app.include_router(room.router)
    mount_page(app)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    return app


def cross_origin(settings: Settings) -> list[Middleware]:
    """Let pages of other origins ask, where the settings name any; before `Access`, for browsers ask first without a key."""
    if not settings.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "X-API-Key", "X-Request-ID"],
            expose_headers=["ETag", "Retry-After", "X-Request-ID"],
            max_age=600,
        )
    ]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Load the current model before the first request, and follow the store until the last; tell connections of the turnstile."""
    reloader: Reloader = app.state.reloader
    await run_in_threadpool(reloader.start)
    yield {TURNSTILE: app.state.turnstile}
    reloader.stop()
    if app.state.settings.tracing:
        await run_in_threadpool(app.state.tracing.shutdown)  # sends what it still holds
