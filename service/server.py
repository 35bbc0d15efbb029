"""Run the server: logs, then uvicorn. What `macrid serve` calls."""

import logging
import sys

import faiss
import structlog
import uvicorn
from structlog.typing import Processor

from macrid.service.app import create_app
from macrid.service.settings import Settings


def serve(settings: Settings | None = None) -> None:
    """Serve until interrupted; then finish the requests that have begun.

    Args:
        settings: defaults to the environment's.
    """
    settings = settings or Settings()
    configure_logs(settings)
    # One request, one core: splitting a search of a millisecond over threads costs throughput and wins nothing.
    faiss.omp_set_num_threads(1)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,  # ours, below: one format for all lines
        access_log=False,
        server_header=False,
        ws="none",
    )


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
