"""Log entries (Logging v2) as short lines under the spans that wrote them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from traces.span import Span, nanoseconds
from traces.tree import Tree


@dataclass(frozen=True)
class LogLine:
    """One entry: nanoseconds since the epoch (0 if unreadable), severity, and one line of message."""

    at_ns: int
    severity: str
    message: str


def placed(
    tree: Tree, entries: Iterable[Mapping[str, Any]]
) -> tuple[dict[str, list[LogLine]], list[LogLine]]:
    """Lines by span id, each list by time, and the lines whose span is not in the trace.

    A request log names the platform's span, which is mostly not exported: it goes under its service's server span.
    """
    servers = [span for _, span in tree.walk() if span.kind == "SERVER" and not span.is_platform]
    lines: dict[str, list[LogLine]] = defaultdict(list)
    rest: list[LogLine] = []
    for entry in entries:
        line = log_line(entry)
        span = tree.get(str(entry.get("spanId", ""))) or _of_service(entry, line.at_ns, servers)
        if span is None:
            rest.append(line)
        else:
            shift = tree.clock_shifts[span.span_id]
            lines[span.span_id].append(LogLine(line.at_ns + shift, line.severity, line.message))
    for found in (*lines.values(), rest):
        found.sort(key=lambda line: line.at_ns)
    return lines, rest


def log_line(entry: Mapping[str, Any]) -> LogLine:
    """The readable part of one entry, whatever payload it has."""
    return LogLine(instant(entry), str(entry.get("severity") or "DEFAULT"), " ".join(_message(entry).split()))


def instant(entry: Mapping[str, Any]) -> int:
    """When it was written, in nanoseconds since the epoch; 0 if unreadable."""
    try:
        return nanoseconds(str(entry.get("timestamp")))
    except ValueError:
        return 0


def run_service(entry: Mapping[str, Any]) -> str:
    """The Cloud Run service that it is of; empty for any other resource."""
    resource = entry.get("resource")
    labels = resource.get("labels") if isinstance(resource, Mapping) else None
    return str(labels.get("service_name") or "") if isinstance(labels, Mapping) else ""


def _message(entry: Mapping[str, Any]) -> str:
    payload = entry.get("jsonPayload")
    message = payload.get("message") if isinstance(payload, Mapping) else None
    if text := entry.get("textPayload") or message:
        lines = str(text).strip().splitlines() or [""]
        return f"{lines[0]} ... {lines[-1]}" if lines[0].startswith("Traceback") else lines[0]
    request = entry.get("httpRequest")
    if isinstance(request, Mapping):
        path = urlsplit(str(request.get("requestUrl", ""))).path
        parts = (request.get("status"), "after", request.get("latency"), request.get("requestMethod"), path)
        return "request log: " + " ".join(str(part) for part in parts if part)
    return str(payload or "(no message)")


def _of_service(entry: Mapping[str, Any], at_ns: int, servers: Sequence[Span]) -> Span | None:
    name = run_service(entry)
    same = [span for span in servers if name and name == span.run_service]
    return min(same, key=lambda span: abs(span.start_ns - at_ns), default=None)
