"""The tracing bootstrap, as a table of contents. A fork changes nothing in this folder; docs/telemetry.md says how it works.

Import this before anything that makes requests or serves them; `setup` first, then the application.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider

from app.settings import Settings
from app.telemetry import (
    background, client, coldstart, counters, exporters, flush, keeping, logs, parts, propagation, resource, sampling,
    server, uncaught,
)  # fmt: skip
from app.telemetry.serving import Serving

# FastAPI makes four spans of its own per request as soon as a provider is set: ours is made by `server`.
NO_NATIVE_SPANS: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}

logger = logging.getLogger(__name__)
_serving: Serving | None = None  # what `setup` made


def setup(settings: Settings) -> Serving:
    """Configure logs, traces and propagation of this process. Call once, before the application is imported."""
    place = resource.locate(settings)
    logs.setup(settings, place.project)
    if place.missing:
        logger.warning("the metadata server gave no %s", place.missing, extra={"event": "metadata_missing"})
    tally = counters.Counters()
    gathered = parts.Parts(
        sampling.HeadSampler(settings.sampler_ratio),
        exporters.outbox(settings, place.project, tally),
        tally,
        keeping.KeepLimit(settings.keep_per_second),
        settings.keep_slow_ms,
    )
    described = resource.describe(settings, place)
    # atexit does not run when SIGTERM ends uvicorn: `lifespan` sends the last spans.
    provider = TracerProvider(sampler=gathered.sampler, resource=described, shutdown_on_exit=False)
    provider.add_span_processor(gathered)
    trace.set_tracer_provider(provider)
    propagate.set_global_textmap(propagation.CloudRunPropagator(public=settings.service_public))
    client.outgoing(settings.service_urls, gathered, described)
    background.trace_tasks()
    global _serving
    _serving = Serving(
        gathered,
        described,
        public=settings.service_public,
        frozen=settings.service_billing == "request",
        coldstart=coldstart.ColdStart(),
    )
    return _serving


def instrument(app: FastAPI) -> None:
    """Give each request of `app` one server span; call it before the first request."""
    server.install(app, _ready())


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The application's life; at its end the last spans are sent."""
    serving = _ready()
    uncaught.watch(asyncio.get_running_loop())
    serving.coldstart.ready()
    try:
        yield
    finally:
        await flush.shutdown(serving)


def _ready() -> Serving:
    if _serving is None:
        raise RuntimeError("telemetry.setup(settings) was not called: call it before the application is made")
    return _serving
