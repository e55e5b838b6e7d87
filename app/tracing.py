"""Traces for OpenTelemetry: of jobs, and of what a job lets run; requests are traced by FastAPI itself. Nothing is kept
or sent unless an address is set that takes them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, StatusCode

from espalier.app.settings import SettingsError
from espalier.search.version import VERSION

PATIENCE = 3.0
"""Seconds for what was traced last to be sent, when the process ends."""
MISSING = "ESPALIER_TRACES_URL needs OpenTelemetry's SDK; pip install 'espalier-nas[traces]'"


@contextmanager
def sent_to(url: str) -> Iterator[None]:
    """Send what this process traces to an address that takes OTLP over HTTP, until the context ends; to none if it is
    empty. Raises SettingsError. Where the address does not answer, traces are lost, and nothing else."""
    if not url:
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError(MISSING) from error
    about = Resource.create({SERVICE_NAME: "espalier", SERVICE_VERSION: VERSION})
    provider = TracerProvider(resource=about, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=PATIENCE)))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        sending = threading.Thread(target=provider.shutdown, daemon=True)
        sending.start()
        sending.join(PATIENCE)


def begin_span(name: str, **attributes: Any) -> Span:
    """A span that whoever began it ends, with `end_span`; it is part of the one that runs now."""
    return _tracer().start_span(name, attributes=_named(attributes))


def end_span(span: Span, error: str | None = None) -> None:
    """The end of a span, and what went wrong in it."""
    if error is not None:
        span.set_status(StatusCode.ERROR, error)
    span.end()


def traced(name: str, **attributes: Any) -> AbstractContextManager[Span]:
    """A span around all that happens in a context; an exception is noted in it."""
    return _tracer().start_as_current_span(name, attributes=_named(attributes))


def _tracer() -> trace.Tracer:
    return trace.get_tracer("espalier", VERSION)


def _named(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {f"espalier.{name}": value for name, value in attributes.items()}
