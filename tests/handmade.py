"""Traces built by hand, in milliseconds, for the tests of traces/, ops/ and the page. Not a test itself."""

from typing import Any

from traces.span import Span, Trace

PROJECT, TRACE_ID = "demo-project", "0af7651916cd43dd8448eb211c80319c"
BEGIN_NS = 1_800_000_000 * 10**9
SPAIN, AUSTRALIA = "europe-southwest1", "australia-southeast1"


def span(
    id: int, parent: int, service: str, name: str, kind: str, start: float, end: float, **labels: Any
) -> Span:
    """A span of an application; label keys are given with `__` for a dot."""
    own = {"service.name": service, "faas.name": f"{service}-local", "cloud.region": SPAIN}
    return Span(
        f"{id:016x}",
        f"{parent:016x}" if parent else "",
        name,
        kind,
        BEGIN_NS + round(start * 1e6),
        BEGIN_NS + round(end * 1e6),
        own | {key.replace("__", "."): str(value) for key, value in labels.items()},
    )


def platform(id: int, parent: int, service: str, start: float, end: float, status: int = 200) -> Span:
    """A span that Cloud Run's front end wrote for a service."""
    made = span(id, parent, service, "/documents", "SERVER", start, end, http__response__status_code=status)
    labels = {key: value for key, value in made.labels.items() if key != "service.name"} | {
        "/component": "AppServer"
    }
    return Span(made.span_id, made.parent_id, made.name, made.kind, made.start_ns, made.end_ns, labels)


def trace(*spans: Span) -> Trace:
    return Trace(TRACE_ID, PROJECT, spans)


def server(
    id: int, parent: int, service: str, start: float, end: float, status: int = 201, **labels: Any
) -> Span:
    return span(
        id,
        parent,
        service,
        "POST /documents",
        "SERVER",
        start,
        end,
        http__response__status_code=status,
        **labels,
    )


def call(
    id: int, parent: int, service: str, start: float, end: float, status: int | None = 201, **labels: Any
) -> Span:
    if status is not None:
        labels["http__response__status_code"] = status
    return span(
        id, parent, service, "POST", "CLIENT", start, end, **({"server__address": "127.0.0.1"} | labels)
    )


def started(id: int, parent: int, service: str, start: float, end: float) -> Span:
    """The start of an instance, below the server span of its first request."""
    return span(id, parent, service, "instance.start", "INTERNAL", start, end)


def stored(id: int, parent: int, service: str, bucket: str, start: float, end: float) -> list[Span]:
    """A wrapper span round one upload."""
    url = f"http://127.0.0.1:8080/upload/storage/v1/b/{bucket}/o?uploadType=media"
    return [
        span(id, parent, service, "storage.store", "INTERNAL", start, end, gcp__gcs__bucket=bucket),
        call(id + 1, id, service, start + 0.5, end - 0.5, 200, url__full=url),
    ]


def story() -> Trace:
    """The incident of the design: the gateway gives up at 1000 ms, the upload to another region takes until 1100."""
    return trace(
        server(1, 0, "gateway", 0, 1000, 504, otel__status_code="ERROR"),
        call(2, 1, "gateway", 10, 1000, None, error__type="ReadTimeout", otel__status_code="ERROR"),
        server(3, 2, "extract", 12, 1110),
        call(4, 3, "extract", 13, 1108),
        server(5, 4, "archive", 14, 1107),
        *stored(6, 5, "archive", "documents-overseas", 15, 1100),
    )


def healthy() -> Trace:
    return trace(
        server(1, 0, "gateway", 0, 60),
        call(2, 1, "gateway", 4, 58),
        server(3, 2, "extract", 5, 57),
        call(4, 3, "extract", 35, 56),
        server(5, 4, "archive", 36, 55),
        *stored(6, 5, "archive", "documents", 38, 54),
    )


def v1(span: Span) -> dict[str, Any]:
    """The span as Cloud Trace v1 writes it."""
    kinds = {"SERVER": "RPC_SERVER", "CLIENT": "RPC_CLIENT"}
    made: dict[str, Any] = {
        "spanId": str(int(span.span_id, 16)),
        "name": span.name,
        "kind": kinds.get(span.kind, "SPAN_KIND_UNSPECIFIED"),
        "startTime": rfc3339(span.start_ns),
        "endTime": rfc3339(span.end_ns),
        "labels": dict(span.labels),
    }
    return made | ({"parentSpanId": str(int(span.parent_id, 16))} if span.parent_id else {})


def rfc3339(at_ns: int) -> str:
    from datetime import UTC, datetime

    return (
        datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at_ns % 10**9:09d}Z"
    )


def at(ms: float) -> str:
    return rfc3339(BEGIN_NS + round(ms * 1e6))


def log(ms: float, severity: str, message: str, span_id: int = 0, service: str = "gateway") -> dict[str, Any]:
    entry: dict[str, Any] = {
        "logName": f"projects/{PROJECT}/logs/run.googleapis.com%2Fstdout",
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": f"{service}-local"}},
        "timestamp": at(ms),
        "severity": severity,
        "jsonPayload": {"message": message, "logger": "app"},
        "trace": f"projects/{PROJECT}/traces/{TRACE_ID}",
    }
    return entry | ({"spanId": f"{span_id:016x}"} if span_id else {})


def request_log(ms: float, service: str, status: int, latency: str) -> dict[str, Any]:
    entry = log(ms, "ERROR" if status >= 500 else "INFO", "", 999, service)
    del entry["jsonPayload"]
    entry["logName"] = f"projects/{PROJECT}/logs/run.googleapis.com%2Frequests"
    request = {
        "requestMethod": "POST",
        "requestUrl": "http://gateway/documents",
        "status": status,
        "latency": latency,
    }
    return entry | {"httpRequest": request}
