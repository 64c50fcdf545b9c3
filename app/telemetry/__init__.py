"""The tracing bootstrap, as a table of contents. A fork changes nothing in this folder.

Import this before anything that makes requests or serves them; `setup` first, then the application.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider

from app.settings import Settings
from app.telemetry import exporters, flush, ids, instrumentation, logs, propagation, resource, sampling

# FastAPI makes four spans of its own per request as soon as a provider is set: ours are the instrumentation's.
NO_NATIVE_SPANS: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}

logger = logging.getLogger(__name__)


def setup(settings: Settings) -> TracerProvider:
    """Configure logs, traces and propagation of this process. Call once, before the application is imported."""
    place = resource.locate(settings)
    logs.setup(settings, place.project)
    if place.missing:
        logger.warning("the metadata server gave no %s", place.missing, extra={"event": "metadata_missing"})
    provider = TracerProvider(
        resource=resource.describe(settings, place),
        sampler=sampling.by_trace_id(settings.sampler_ratio),
        id_generator=ids.InheritingIdGenerator(),
        shutdown_on_exit=False,  # atexit does not run when SIGTERM ends uvicorn; `lifespan` flushes
    )
    exporters.attach(provider, settings, place.project)
    trace.set_tracer_provider(provider)
    propagate.set_global_textmap(propagation.CloudRunPropagator(public=settings.service_public))
    instrumentation.outgoing(settings.service_urls)
    return provider


def instrument(app: FastAPI) -> None:
    """Give each request of `app` one server span; call it before the first request."""
    instrumentation.incoming(app)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The application's life; at its end the last spans are sent."""
    yield
    await flush.shutdown(trace.get_tracer_provider())
