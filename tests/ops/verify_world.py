"""A deployed chain `gateway`, `extract`, `archive` and what Google has of one request to it, for the tests of verify. Not a test itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from handmade import AUSTRALIA, BEGIN_NS, PROJECT, SPAIN, TRACE_ID, healthy, log, request_log

from ops.deployment import Bucket, Deployment, Service
from ops.errors import OperatorError
from ops.google import Missing, TraceNotFound, Unavailable
from ops.verify.probe import Probe, Request
from traces.span import Span, Trace

__all__ = ["AUSTRALIA", "CHAIN", "SPAIN", "World", "deployment", "failed_export", "probe", "requests"]

CHAIN = ("gateway", "extract", "archive")
SENT = BEGIN_NS / 1e9


def deployment(**changes: Any) -> Deployment:
    """The pipeline, on stack `dev`; `env` is that of extract."""
    env = changes.pop("env", {})
    calls = {"gateway": ("extract",), "extract": ("archive",), "archive": ()}
    services = {
        name: Service(
            name,
            f"{name}-local",
            f"https://{name}.example",
            f"{name}-local@{PROJECT}.iam.gserviceaccount.com",
            public=name == "gateway",
            calls=calls[name],
            step="receive" if name == "gateway" else "",
            destination=env if name == "extract" else {},
        )
        for name in CHAIN
    }
    known: dict[str, Any] = {
        "stack": "dev",
        "project": PROJECT,
        "region": SPAIN,
        "exporter": "gcp_otlp",
        "sample_ratio": 1.0,
        "services": services,
        "buckets": {"documents": Bucket("documents")},
        "alerts": {"Timeouts": f"projects/{PROJECT}/alertPolicies/1"},
    }
    return Deployment(**{**known, **changes})


def probe(**changes: Any) -> Probe:
    """A document, answered 201 after 60 ms."""
    known: dict[str, Any] = {
        "service": deployment().services["gateway"],
        "request": Request("POST", "/documents"),
        "trace_id": TRACE_ID,
        "span_id": "00f067aa0ba902b7",
        "sent": SENT,
        "answered": SENT + 0.06,
        "status": 201,
    }
    return Probe(**{**known, **changes})


def requests(*names: str, trace_id: str = TRACE_ID, ms: float = 5) -> list[dict[str, Any]]:
    """The request logs of one trace."""
    trace = f"projects/{PROJECT}/traces/{trace_id}"
    return [request_log(ms, name, 201, "0.05s") | {"trace": trace} for name in names]


def failed_export(
    service: str, status: int | None, cause: str, ms: float = 500, **more: Any
) -> dict[str, Any]:
    """A line of app/telemetry/export_errors.py."""
    event = "trace_export_refused" if status in (401, 403) else "trace_export_failed"
    entry = log(ms, "ERROR", "", 0, service)
    del entry["trace"]
    payload = {"event": event, "exporter": "gcp_otlp", "status": status, "cause": cause, **more}
    return entry | {"jsonPayload": payload}


@dataclass
class World:
    """Google as `Reader`, on a clock that only waiting moves. Spans come `late` seconds after the request, by service or
    by their own id, and logs `logs_late`. What is `failing` is answered 503 until that second; `asked` is what was read."""

    spans: list[Span] = field(default_factory=lambda: list(healthy().spans))
    entries_: list[dict[str, Any]] = field(default_factory=lambda: requests(*CHAIN))
    exports: list[dict[str, Any]] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)
    policies: set[str] = field(default_factory=lambda: {f"projects/{PROJECT}/alertPolicies/1"})
    locations: dict[str, str] = field(default_factory=lambda: {"documents": SPAIN})
    late: dict[str, float] = field(default_factory=dict)
    logs_late: float = 0.0
    forbidden: tuple[str, ...] = ()
    failing: dict[str, float] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)
    project: str = PROJECT
    console: str = "https://console.example"
    now: float = 0.0

    def without(self, *services: str) -> World:
        """The same, but for the spans of these."""
        self.spans = [span for span in self.spans if span.service not in services]
        return self

    def trace(self, trace_id: str) -> Trace:
        self._require("spans")
        found = [
            span
            for span in self.spans
            if self.now >= self.late.get(span.service, 0) and self.now >= self.late.get(span.span_id, 0)
        ]
        if not found:
            raise TraceNotFound("not yet")
        return Trace(trace_id, self.project, tuple(found))

    def entries(self, filter: str) -> list[dict[str, Any]]:
        self._require("logs")
        self.filters.append(filter)
        if filter.startswith("trace="):
            return self.entries_ if self.now >= self.logs_late else []
        return self.exports if "jsonPayload.event" in filter else self.others

    def alert_policies(self) -> set[str]:
        self._require("policies")
        return self.policies

    def location(self, bucket: str) -> str:
        self._require("buckets")
        if bucket not in self.locations:
            raise Missing("There are no buckets of that name.")
        return self.locations[bucket]

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> float:
        return self.now

    def _require(self, what: str) -> None:
        self.asked.append(what)
        if self.now < self.failing.get(what, 0):
            raise Unavailable(f"Reading {what} failed with 503: no reason was given; try again.")
        if what in self.forbidden:
            raise OperatorError(f"Reading {what} is refused (403): grant yourself a viewer role there.")
