"""What can be read of one request after it: its spans, its log entries, and the services' own lines about exports.

Reads and waits only; `checks.py` and `causes.py` judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from ops.arrival import arrived
from ops.deployment import Deployment
from ops.errors import OperatorError
from ops.google import Unavailable
from ops.verify.probe import Probe
from traces.span import Span, Trace
from traces.tree import Tree

Entry = Mapping[str, Any]

REQUESTS = "run.googleapis.com%2Frequests"
EXPORT_EVENTS = ("trace_export_refused", "trace_export_failed", "trace_health")
TOLD_EVERY_S = 60.0
"""A service says the same of its exports once in that time (app/telemetry/export_errors.py)."""
_SKEW_S = 5.0


class Reader(Protocol):
    """What is needed of `Google`."""

    def trace(self, trace_id: str) -> Trace: ...
    def entries(self, filter: str) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class Evidence:
    """Entries oldest first. `others` are request logs of other traces at that time; `doubts` say what could not be read."""

    trace: Trace
    entries: Sequence[Entry] = ()
    exports: Sequence[Entry] = ()
    others: Sequence[Entry] = ()
    doubts: Mapping[str, OperatorError] = field(default_factory=dict)

    def refused(self, what: str) -> bool:
        """Whether `spans` or `logs` may not be read, so that waiting does not help."""
        return what in self.doubts and not isinstance(self.doubts[what], Unavailable)

    def servers(self, name: str) -> list[Span]:
        """The server spans that a service wrote."""
        return [span for span in self.trace.spans if span.kind == "SERVER" and span.service == name]

    def orphans(self, probe: Probe) -> list[Span]:
        """Spans whose parent is not there; the client's own span, which nobody exports, is missed by nobody."""
        return [span for span in Tree(self.trace.spans).orphans if span.parent_id != probe.span_id]

    def of_service(self, run_name: str) -> list[Entry]:
        """The entries of the trace that concern a service."""
        return [entry for entry in self.entries if service_of(entry) == run_name]


@dataclass(frozen=True)
class Reading:
    """Reads the evidence of one request."""

    google: Reader
    deployment: Deployment
    probe: Probe

    def now(self, whole: Callable[[Evidence], bool]) -> Evidence:
        """What is there. What would explain a gap is read only if it is not `whole`."""
        doubts: dict[str, OperatorError] = {}
        trace = self._trace(doubts)
        entries = self._entries(doubts, f'trace="{self._name}"', self._since)
        evidence = Evidence(trace, entries, doubts=doubts)
        if whole(evidence):
            return evidence
        return Evidence(trace, entries, self._exports(doubts), self._others(doubts, entries), doubts)

    @property
    def _name(self) -> str:
        return f"projects/{self.deployment.project}/traces/{self.probe.trace_id}"

    def _trace(self, doubts: dict[str, OperatorError]) -> Trace:
        try:
            found = arrived(self.google, self.probe.trace_id)
        except OperatorError as error:
            doubts["spans"] = error
            found = None
        return found or Trace(self.probe.trace_id, self.deployment.project, ())

    def _entries(self, doubts: dict[str, OperatorError], *lines: str) -> list[dict[str, Any]]:
        if "logs" in doubts:
            return []
        try:
            return self.google.entries("\n".join(lines))
        except OperatorError as error:
            doubts["logs"] = error
            return []

    def _exports(self, doubts: dict[str, OperatorError]) -> list[dict[str, Any]]:
        return self._entries(doubts, self._services, f"jsonPayload.event={_any(EXPORT_EVENTS)}", self._since)

    def _others(self, doubts: dict[str, OperatorError], entries: Sequence[Entry]) -> list[dict[str, Any]]:
        """By Google's clock where the request's own log tells it, else by ours, with some allowance."""
        requests = [entry for entry in entries if is_request_log(entry)]
        begin, end = self.probe.sent - _SKEW_S, self.probe.answered + _SKEW_S
        if requests:
            begin = min(at(entry) for entry in requests)
            end = begin + self.probe.latency_ms / 1000 + 1
        found = self._entries(
            doubts,
            self._services,
            f'logName="projects/{self.deployment.project}/logs/{REQUESTS}"',
            f'timestamp>="{_time(begin)}"',
            f'timestamp<="{_time(end)}"',
        )
        return [entry for entry in found if entry.get("trace") != self._name]

    @property
    def _since(self) -> str:
        return f'timestamp>="{_time(self.probe.sent - TOLD_EVERY_S - _SKEW_S)}"'

    @property
    def _services(self) -> str:
        names = _any([service.run_name for service in self.deployment.services.values()])
        return f'resource.type="cloud_run_revision"\nresource.labels.service_name={names}'


def service_of(entry: Entry) -> str:
    """The Cloud Run service that an entry concerns."""
    return _label(entry, "service_name")


def revision_of(entry: Entry) -> str:
    """The revision that an entry concerns."""
    return _label(entry, "revision_name")


def is_request_log(entry: Entry) -> bool:
    """Whether Cloud Run wrote it of a request, and not the service."""
    return str(entry.get("logName", "")).endswith(REQUESTS)


def at(entry: Entry) -> float:
    """When it was written, in Unix seconds; 0 if that cannot be read."""
    try:
        return datetime.fromisoformat(str(entry.get("timestamp")).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0


def _label(entry: Entry, name: str) -> str:
    resource = entry.get("resource")
    labels = resource.get("labels") if isinstance(resource, Mapping) else None
    return str(labels.get(name) or "") if isinstance(labels, Mapping) else ""


def _any(values: Sequence[str]) -> str:
    return "(" + " OR ".join(f'"{value}"' for value in values) + ")"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
