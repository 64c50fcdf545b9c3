"""Finds the newest trace that failed, by its log entries; the same for a local cloud and for a real project."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from ops.arrival import arrived, wait_for_trace
from ops.errors import OperatorError
from traces.logline import instant, run_service
from traces.span import Trace

WINDOWS = (timedelta(minutes=10), timedelta(hours=2), timedelta(days=1), timedelta(days=30))
"""How far back is looked, if nothing nearer is found. Spans are kept 30 days."""
_STILL_COMING = timedelta(minutes=1)
_MOST_TRACES = 20
_TRACE = re.compile(r"projects/[^/]+/traces/([0-9a-f]{32})")
_SERVICE = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


class Reader(Protocol):
    """What is needed of `Google`."""

    project: str

    def trace(self, trace_id: str) -> Trace: ...

    def newest(self, filter: str) -> Iterable[dict[str, Any]]: ...


def latest_error(
    google: Reader,
    service: str | None = None,
    *,
    wait_s: float = 5.0,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Trace:
    """The newest failed trace that has spans. Those of a failure of the last minute are awaited for `wait_s` seconds.

    Raises `OperatorError` if there is none.
    """
    if service is not None and not _SERVICE.fullmatch(service):
        raise OperatorError(f"--service {service!r} is no service's name: give one such as gateway.")
    tried: set[str] = set()
    without: set[str] = set()  # the Cloud Run services that failed in traces without spans
    for window in WINDOWS:
        for entry in google.newest(errors_since(google.project, now() - window, service)):
            trace_id = _trace_id(entry)
            if trace_id is None or trace_id in tried:
                continue
            if len(tried) == _MOST_TRACES:
                raise _none(google.project, service, tried, without)
            tried.add(trace_id)
            is_recent = instant(entry) > (now() - _STILL_COMING).timestamp() * 1e9
            trace = _spans(google, trace_id, wait_s if is_recent and len(tried) == 1 else 0.0)
            if trace is None:
                without.add(run_service(entry) or "an unknown service")
            elif _is_of(trace, entry, service):
                return trace
    raise _none(google.project, service, tried, without)


def _none(project: str, service: str | None, tried: set[str], without: set[str]) -> OperatorError:
    of = f" of {service}" if service else ""
    if without:
        return OperatorError(
            f"Requests of {', '.join(sorted(without))} failed in project {project}, but left no span, as far as the newest "
            f"{len(tried)} failed traces tell: "
            "look at the services' logs for failed exports, or at tracing.sample_ratio and keep_per_second."
        )
    if len(tried) == _MOST_TRACES:
        return OperatorError(
            f"The newest {_MOST_TRACES} failed traces in project {project} are of services whose names begin with {service}, "
            "and none of its own: give a trace's id."
        )
    return OperatorError(
        f"No request{of} with a trace failed in project {project} within 30 days: "
        "check --project and --service, or give a trace's id."
    )


def errors_since(project: str, since: datetime, service: str | None = None) -> str:
    """The Logging query for what failed with a trace: 5xx in request logs, and whatever was logged as an error."""
    parts = [
        f'timestamp>="{since.strftime("%Y-%m-%dT%H:%M:%SZ")}"',
        f'trace:"projects/{project}/traces/"',
        "(httpRequest.status>=500 OR severity>=ERROR)",
    ]
    if service is not None:
        # A service's own name, or with its environment: `gateway` runs as `gateway-dev`.
        parts.append(f'resource.labels.service_name=~"^{re.escape(service)}(-|$)"')
    return " AND ".join(parts)


def _spans(google: Reader, trace_id: str, wait_s: float) -> Trace | None:
    if wait_s == 0:
        return arrived(google, trace_id)
    return wait_for_trace(google, trace_id, timeout=wait_s).trace


def _trace_id(entry: Mapping[str, Any]) -> str | None:
    found = _TRACE.fullmatch(str(entry.get("trace")))
    return found[1] if found else None


def _is_of(trace: Trace, entry: Mapping[str, Any], service: str | None) -> bool:
    """Whether the entry is of `service` and not of another whose name begins alike; without its spans it may be."""
    names = {
        span.service
        for span in trace.spans
        if span.run_service == run_service(entry) and not span.is_platform
    }
    return service is None or not names or service in names or service == run_service(entry)
