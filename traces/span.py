"""Spans as Cloud Trace v1 gives them (projects.traces.get). The meaning of labels is decided here and nowhere else.

Three writers are known: the OTLP door (OpenTelemetry's own keys), the deprecated exporter ("/http/…" and
"g.co/r/cloud_run_revision/…"), and Cloud Run's own front end.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

CLOUD_RUN = "Cloud Run"
INSTANCE_START = "instance.start"  # written by app/telemetry/coldstart.py
_KINDS = {"RPC_SERVER": "SERVER", "RPC_CLIENT": "CLIENT"}
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_BUCKET_KEYS = ("gcs.bucket", "storage.bucket")
_BUCKET_PATH = re.compile(r"/(?:(?:upload|download|resumable/upload)/)?storage/v1/b/([^/?#]+)")
_METHOD = re.compile(r"(?:GET|HEAD|OPTIONS|PUT|DELETE|POST|PATCH)\b")
_REVISION = "g.co/r/cloud_run_revision/"


@dataclass(frozen=True)
class Span:
    """One span. Times are nanoseconds since the epoch; ids are 16 hex digits, as in log entries; "" is no parent."""

    span_id: str
    parent_id: str
    name: str
    kind: str  # SERVER | CLIENT | INTERNAL
    start_ns: int
    end_ns: int
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns

    @property
    def is_platform(self) -> bool:
        """Whether Cloud Run's front end wrote the span, and not the application."""
        return (
            self.labels.get("blueprint.source") == "platform" or self.labels.get("/component") == "AppServer"
        )

    @property
    def is_start(self) -> bool:
        """Whether it is the start of an instance, and no part of a request's own work."""
        return self.name == INSTANCE_START and self.kind == "INTERNAL"

    @property
    def service(self) -> str:
        """The service's logical name; `Cloud Run` for the platform's own spans."""
        if self.is_platform:
            return CLOUD_RUN
        return self._first("service.name", "faas.name", f"{_REVISION}service_name") or "unknown"

    @property
    def run_service(self) -> str:
        """The Cloud Run service's name, as `resource.labels.service_name` of log entries has it."""
        return self._first("faas.name", f"{_REVISION}service_name", "service.name")

    @property
    def region(self) -> str:
        return self._first("cloud.region", f"{_REVISION}location")

    @property
    def http_status(self) -> int | None:
        text = self._first("http.response.status_code", "/http/status_code", "http.status_code")
        return int(text) if text.isascii() and text.isdigit() else None

    @property
    def failed(self) -> bool:
        marked = self.labels.get("otel.status_code") == "ERROR" or bool(
            self._first("error.type", "/error/name")
        )
        return marked or (self.http_status or 0) >= 500

    @property
    def timed_out(self) -> bool:
        """Whether a deadline ended it: a 504, or the timeout error of a call or of work on a bucket.

        Of other spans the word says nothing: a pool of connections has timeouts, and so has a session.
        """
        waits = self.kind == "CLIENT" or (self.kind == "INTERNAL" and bool(self.bucket))
        error = f"{self.labels.get('error.type')} {self.failure}".lower()
        return self.http_status == 504 or (waits and "timeout" in error)

    @property
    def overran(self) -> bool:
        """Whether its time was up: it timed out, or its service kept its part for that (`app/telemetry/keeping.py`)."""
        return self.timed_out or self._kept_for_its_deadline

    @property
    def spent(self) -> bool:
        """Whether the service itself says that a request's deadline was spent: by 504, or by why it kept its part."""
        return self.http_status == 504 or self._kept_for_its_deadline

    @property
    def failure(self) -> str:
        """What the span says about its failure; may be empty."""
        return self._first(
            "otel.status_description", "/error/message", "exception.message", "error.type", "/error/name"
        )

    @property
    def status(self) -> str:
        """For people: the HTTP status, else ERROR, else nothing."""
        return str(self.http_status or ("ERROR" if self.failed else ""))

    @property
    def told(self) -> str:
        """Status and failure in a line, for sentences."""
        return ": ".join(part for part in (self.status, " ".join(self.failure.split())[:120]) if part)

    @property
    def cold_start(self) -> bool:
        return self.labels.get("faas.coldstart", "").lower() == "true"

    @property
    def url(self) -> str:
        return self._first("url.full", "/http/url", "http.url")

    @property
    def host(self) -> str:
        """Who a CLIENT span calls."""
        return (
            self._first("server.address", "/http/host", "net.peer.name")
            or urlsplit(self.url).netloc
            or "another system"
        )

    @property
    def target(self) -> str:
        """Who a CLIENT span calls, by its service's name where `app/telemetry/client_span.py` noted it, else by host."""
        return self.labels.get("peer.service") or self.host

    @property
    def method(self) -> str:
        """The HTTP method of a call, by its label or else by the name that the conventions give it; may be empty."""
        return self._first("http.request.method", "/http/method", "http.method") or (
            named[0] if (named := _METHOD.match(self.name)) else ""
        )

    @property
    def is_resent(self) -> bool:
        """Whether its instrumentation marked it as another attempt (opentelemetry.io/docs/specs/semconv/http/http-spans)."""
        return self._first("http.request.resend_count", "http.resend_count") not in ("", "0")

    @property
    def bucket(self) -> str:
        """The bucket that a storage call, or the span around it, works on; empty for all others."""
        named = next((value for key, value in self.labels.items() if key.endswith(_BUCKET_KEYS)), "")
        path = _BUCKET_PATH.match(urlsplit(self.url).path) if self.kind == "CLIENT" else None
        return named or (unquote(path[1]) if path else "")

    @property
    def _kept_for_its_deadline(self) -> bool:
        return self.labels.get("sampling.keep_reason") == "deadline"

    def _first(self, *keys: str) -> str:
        return next((self.labels[key] for key in keys if self.labels.get(key)), "")


@dataclass(frozen=True)
class Trace:
    """All spans that are known of one trace, in no particular order."""

    trace_id: str
    project: str
    spans: tuple[Span, ...]


def nanoseconds(timestamp: str) -> int:
    """An RFC 3339 time with up to nine decimals. Raises `ValueError`."""
    parts = _RFC3339.fullmatch(timestamp)
    if parts is None:
        raise ValueError(f"{timestamp!r} is not an RFC 3339 time")
    seconds = datetime.fromisoformat(parts[1] + parts[3].replace("Z", "+00:00")).timestamp()
    return int(seconds) * 10**9 + int((parts[2] or "").ljust(9, "0"))


def span_from_json(data: Mapping[str, Any]) -> Span:
    """One element of v1 `spans`; a span that is not finished yet gets no duration. Raises `ValueError`, `KeyError`."""
    start = nanoseconds(data["startTime"])
    parent = int(data.get("parentSpanId") or 0)
    return Span(
        span_id=f"{int(data['spanId']):016x}",
        parent_id=f"{parent:016x}" if parent else "",
        name=str(data.get("name") or "(no name)"),
        kind=_KINDS.get(str(data.get("kind")), "INTERNAL"),
        start_ns=start,
        end_ns=max(start, nanoseconds(data["endTime"])) if data.get("endTime") else start,
        labels={str(key): str(value) for key, value in (data.get("labels") or {}).items()},
    )
