"""Where spans go, by `OTEL_TRACES_EXPORTER`. An exporter is imported and built when its first spans are ready.

So an unused one costs nothing, a used one no cold start, and missing credentials no request.
"""

import sys
import warnings
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace.export import SpanExporter

from app.settings import Settings
from app.telemetry.counters import Counters
from app.telemetry.export_errors import Sender
from app.telemetry.outbox import NoOutbox, Outbox

COLLECTOR = "http://localhost:4318/v1/traces"
TELEMETRY_API = "https://telemetry.googleapis.com/v1/traces"
CLOUD_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# The deprecated API has no resource: these of its attributes become labels of each span.
RESOURCE_LABELS = r"service\..*|cloud\..*|faas\..*|gcp\..*|deployment\..*"


def outbox(settings: Settings, project: str, counters: Counters) -> Outbox:
    """The outbox that sends where the settings say."""
    builders: dict[str, Callable[[Settings, str], SpanExporter]] = {
        "gcp_otlp": _gcp_otlp,
        "gcp_trace": _gcp_trace,
        "otlp": _otlp,
        "console": _console,
    }
    build = builders.get(settings.traces_exporter)
    if build is None:
        return NoOutbox()
    sender = Sender(settings.traces_exporter, lambda: build(settings, project))
    return Outbox(sender.send, counters, settings.export_delay_ms / 1000, close=sender.close)


def _gcp_otlp(settings: Settings, project: str) -> SpanExporter:
    import requests

    from app.telemetry.otlp import OtlpExporter
    from app.telemetry.token import MetadataToken

    session = requests.Session()
    session.trust_env = False  # no .netrc, which would replace the token
    host = settings.metadata_host or ("metadata.google.internal" if settings.k_service else "")
    if host and not settings.credentials_file:
        session.auth = MetadataToken(host)
    else:
        session = _default_credentials()
    return OtlpExporter(_endpoint(settings) or TELEMETRY_API, settings.export_timeout_s, session=session)


def _default_credentials() -> Any:
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    credentials, _ = google.auth.default(scopes=[CLOUD_SCOPE])
    return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]  # google-auth has no types


def _otlp(settings: Settings, project: str) -> SpanExporter:
    from app.telemetry.otlp import OtlpExporter

    return OtlpExporter(
        _endpoint(settings) or COLLECTOR,
        settings.export_timeout_s,
        headers=settings.otlp_headers,
        compress=settings.otlp_compression == "gzip",
        certificate=settings.otlp_certificate or None,
    )


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
