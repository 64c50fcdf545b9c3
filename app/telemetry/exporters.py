"""Where spans go, by `OTEL_TRACES_EXPORTER`. An exporter is imported and built when its first spans are ready.

So an unused one costs nothing, a used one no cold start, and missing credentials no request.
"""

import sys
import warnings
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from app.settings import Settings
from app.telemetry.export_errors import ReportedExporter

TELEMETRY_API = "https://telemetry.googleapis.com/v1/traces"
CLOUD_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# The deprecated API has no resource: these of its attributes become labels of each span.
RESOURCE_LABELS = r"service\..*|cloud\..*|faas\..*|gcp\..*|deployment\..*"


def attach(provider: TracerProvider, settings: Settings, project: str) -> None:
    """Send the provider's spans, in batches and from a thread of their own, where the settings say."""
    builders: dict[str, Callable[[Settings, str], SpanExporter]] = {
        "gcp_otlp": _gcp_otlp,
        "gcp_trace": _gcp_trace,
        "otlp": _otlp,
        "console": _console,
    }
    if build := builders.get(settings.traces_exporter):
        exporter = ReportedExporter(settings.traces_exporter, lambda: build(settings, project))
        provider.add_span_processor(BatchSpanProcessor(exporter))


def _gcp_otlp(settings: Settings, project: str) -> SpanExporter:
    import google.auth
    from google.auth.transport.requests import AuthorizedSession
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    credentials, _ = google.auth.default(scopes=[CLOUD_SCOPE])
    return OTLPSpanExporter(
        endpoint=_endpoint(settings) or TELEMETRY_API,
        session=AuthorizedSession(credentials),  # type: ignore[no-untyped-call]  # google-auth has no types
        timeout=settings.export_timeout_s,
    )


def _otlp(settings: Settings, project: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=_endpoint(settings), timeout=settings.export_timeout_s)


def _gcp_trace(settings: Settings, project: str) -> SpanExporter:
    warnings.filterwarnings("ignore", message="CloudTraceSpanExporter is deprecated")
    import google.auth
    from google.cloud.trace_v2 import TraceServiceClient
    from opentelemetry.exporter.cloud_trace import CloudTraceSpanExporter

    credentials, _ = google.auth.default(scopes=[CLOUD_SCOPE])
    options = {"api_endpoint": settings.cloud_trace_endpoint} if settings.cloud_trace_endpoint else {}
    client = TraceServiceClient(credentials=credentials, client_options=options)
    bounded = _BoundedClient(client, settings.export_timeout_s)
    build: Any = CloudTraceSpanExporter
    exporter: SpanExporter = build(project_id=project or None, client=bounded, resource_regex=RESOURCE_LABELS)
    return exporter


def _console(settings: Settings, project: str) -> SpanExporter:
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    return ConsoleSpanExporter(out=sys.stdout, formatter=lambda span: span.to_json(indent=None) + "\n")


def _endpoint(settings: Settings) -> str | None:
    if settings.otlp_traces_endpoint:
        return settings.otlp_traces_endpoint
    return f"{settings.otlp_endpoint.removesuffix('/')}/v1/traces" if settings.otlp_endpoint else None


class _BoundedClient:
    """The one method the deprecated exporter calls, with the time limit that it does not pass."""

    def __init__(self, client: Any, seconds: float) -> None:
        self._client, self._seconds = client, seconds

    def batch_write_spans(self, request: Any) -> None:
        self._client.batch_write_spans(request=request, timeout=self._seconds, retry=None)
