"""Run the server: logs, then uvicorn, with as many workers as wanted. What `macrid serve` calls."""

import json
import logging
import os
import sys
import tempfile
from typing import Any

import faiss
import structlog
import uvicorn
from fastapi import FastAPI
from structlog.typing import Processor

from macrid.service.app import create_app
from macrid.service.connections import Connection
from macrid.service.keys import usable_keys
from macrid.service.memory import keep_for_good, let_small_go, make_room_for_names, share_one_heap
from macrid.service.metrics import WORKERS_FOLDER_VARIABLE
from macrid.service.settings import PREFIX, Settings, load_settings, unknown_variables

# A thread that computes gives way to the event loop after this; Python's own 5 ms are as long as a recommendation takes, so that
# a health check would wait for several.
SWITCH_INTERVAL_SECONDS = 0.0005


def serve(settings: Settings | None = None) -> None:
    """Serve until interrupted or told to stop; then finish the requests that have begun.

    Args:
        settings: defaults to those of the environment.

    Raises:
        SettingError: the keys file cannot be read.
    """
    settings = settings or load_settings()
    configure_logs(settings)
    warn_of(settings)
    if settings.workers == 1:
        uvicorn.run(create_in_process(settings), **how_to_serve(settings))
        return
    with tempfile.TemporaryDirectory(prefix="macrid-metrics-") as folder:
        os.environ[WORKERS_FOLDER_VARIABLE] = folder
        hand_down(settings)
        let_small_go()
        uvicorn.run(
            "macrid.service.server:create_worker", factory=True, workers=settings.workers, **how_to_serve(settings)
        )


def how_to_serve(settings: Settings) -> dict[str, Any]:
    """Return what uvicorn needs to know."""
    return {
        "host": settings.host,
        "port": settings.port,
        "log_config": None,  # ours, below: one format for all lines
        "access_log": False,
        "server_header": False,
        "http": Connection,
        "ws": "none",
        "timeout_graceful_shutdown": settings.shutdown_grace,
    }


def create_worker() -> FastAPI:
    """Return the application of one worker, a process of its own that was handed the settings in its environment."""
    settings = load_settings()
    configure_logs(settings)
    return create_in_process(settings)


def create_in_process(settings: Settings) -> FastAPI:
    """Return the application, in a process that does nothing else."""
    app = create_app(settings)
    prepare_process()
    return app


def prepare_process() -> None:
    """Set what holds for a whole process that serves, once all that it serves with is there."""
    # One request, one core: splitting a search of a millisecond over threads costs throughput and wins nothing.
    faiss.omp_set_num_threads(1)
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    share_one_heap()
    make_room_for_names()
    keep_for_good()


def hand_down(settings: Settings) -> None:
    """Put the settings into the environment, where workers look for them; they win over the file, as flags do."""
    for name, value in settings.model_dump(mode="json", exclude_defaults=True).items():
        os.environ[PREFIX + name.upper()] = value if isinstance(value, str) else json.dumps(value)


def warn_of(settings: Settings) -> None:
    """Say what will not work or is better known, before anything is served.

    Raises:
        SettingError: the keys file cannot be read, or holds no key.
    """
    log = structlog.get_logger("macrid.service.server")
    for name in unknown_variables():
        log.warning("there is no such setting", variable=name)
    if settings.keys_file is not None:
        usable_keys(settings.keys_file)
    if settings.reachable_by_others and settings.keys_file is None:
        log.warning("everybody who reaches this server may ask it", host=settings.host)


def configure_logs(settings: Settings) -> None:
    """Write all log lines, ours and the libraries', to stderr: as text to a terminal, as JSON anywhere else."""
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    rendering = text_rendering() if as_text else json_rendering()
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*common, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    of_libraries = logging.StreamHandler(sys.stderr)
    of_libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(handlers=[of_libraries], level=logging.INFO, force=True)


# Traces never show local variables, as both renderers would by themselves: among them are histories.


def text_rendering() -> list[Processor]:
    """Return the processors that write a line for people."""
    return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]


def json_rendering() -> list[Processor]:
    """Return the processors that write a line for programs."""
    traces = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(traces), structlog.processors.JSONRenderer(ensure_ascii=False)]
