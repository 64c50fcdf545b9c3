"""How each variant begins its process: one function, by the name given on the command line, that returns the application.

Imports stay inside, so that a variant pays for its own only. `zero_code` is `bare` under a launcher.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter


def bare() -> "FastAPI":
    """No tracing."""
    from bench.routes import create_app

    return create_app()


def textbook() -> "FastAPI":
    """The SDK, the Cloud Trace exporter and two instrumentations, all with their defaults."""
    import warnings

    warnings.filterwarnings("ignore", message="CloudTraceSpanExporter is deprecated")
    import grpc
    from google.cloud.trace_v2 import TraceServiceClient
    from google.cloud.trace_v2.services.trace_service.transports import TraceServiceGrpcTransport
    from opentelemetry.exporter.cloud_trace import CloudTraceSpanExporter
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    channel = grpc.insecure_channel(os.environ["CLOUD_TRACE_ENDPOINT"])
    client = TraceServiceClient(transport=TraceServiceGrpcTransport(channel=channel))
    build: Any = CloudTraceSpanExporter  # it has no types
    # The one setting beyond the defaults: without it nobody can tell whose a span is.
    _set_provider(build(project_id="bench", client=client, resource_regex=r"service\.name"))

    from bench.routes import create_app

    app = create_app()
    FastAPIInstrumentor.instrument_app(app)
    return app


def lean_otlp() -> "FastAPI":
    """The best that settings alone can do: OTLP over HTTP, and no spans for ASGI's single events."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    _set_provider(OTLPSpanExporter())

    from bench.routes import create_app

    app = create_app()
    FastAPIInstrumentor.instrument_app(app, exclude_spans=["send", "receive"])
    return app


def ours() -> "FastAPI":
    """The template's own telemetry, as `app/main.py` and `app/__main__.py` use it."""
    from app import settings as environment
    from app import telemetry

    telemetry.setup(environment.load())

    from bench.routes import create_app

    app = create_app(lifespan=telemetry.lifespan, telemetry=telemetry.NO_NATIVE_SPANS)
    telemetry.instrument(app)
    return app


def _set_provider(exporter: "SpanExporter") -> "TracerProvider":
    from opentelemetry import trace
    from opentelemetry.instrumentation.requests import RequestsInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

    resource = Resource.create({"service.name": os.environ["OTEL_SERVICE_NAME"]})
    sampler = TraceIdRatioBased(float(os.environ["OTEL_TRACES_SAMPLER_ARG"]))
    provider = TracerProvider(resource=resource, sampler=sampler)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    RequestsInstrumentor().instrument()
    return provider
