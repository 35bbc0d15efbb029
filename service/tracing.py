"""OpenTelemetry traces, where they are wanted: `pip install 'macrid[tracing]'` and MACRID_TRACING=true.

Where spans go to, and how they are sampled, the standard OTEL_* variables say. A span names the route; its query is taken out.
FastAPI's own telemetry, whose spans hold paths, is off: see `app.py`.
"""

from typing import Any

from fastapi import FastAPI

from macrid.service.errors import SettingError

SERVICE_NAME = "macrid"


def install_tracing(app: FastAPI, exporter: Any = None) -> Any:
    """Let an app send a span for each request; returns the provider, to be shut down with the app.

    Args:
        app: the application.
        exporter: where spans go; None for OTLP over HTTP.

    Raises:
        SettingError: the extra is not installed.
    """
    try:
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise SettingError(
            f"tracing is on, but {error.name} is not installed; run: pip install 'macrid[tracing]'"
        ) from None
    if exporter is None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE_NAME}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    FastAPIInstrumentor.instrument_app(
        app, tracer_provider=provider, excluded_urls="healthz,readyz,metrics", server_request_hook=without_address
    )
    return provider


def without_address(span: Any, scope: dict[str, Any]) -> None:
    """Overwrite what says which item was looked at: path and query."""
    if span.is_recording():
        for name in ("http.url", "url.full", "http.target", "url.path", "url.query"):
            span.set_attribute(name, "")
