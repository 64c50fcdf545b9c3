"""Traces in the store of a local cloud: those made by hand, and many or large ones. Not a test itself."""

import dataclasses
import time
from collections.abc import Iterable, Iterator
from typing import Any

from localcloud.trace.store import Span
from traces import span as read

_RESOURCE = ("service.name", "faas.name", "cloud.region")


def stored(trace: read.Trace, trace_id: str = "", at_ns: int | None = None) -> list[Span]:
    """A trace made by hand as the doors write it; with `at_ns`, its first span begins then."""
    begin = min(span.start_ns for span in trace.spans)
    shift = 0 if at_ns is None else at_ns - begin
    return [_stored(span, trace_id or trace.trace_id, shift) for span in trace.spans]


def _stored(span: read.Span, trace_id: str, shift: int) -> Span:
    labels: dict[str, Any] = dict(span.labels)
    status = labels.pop("otel.status_code", "UNSET")
    resource = {key: labels.pop(key) for key in _RESOURCE if key in labels}
    if "http.response.status_code" in labels:
        labels["http.response.status_code"] = int(labels["http.response.status_code"])
    return Span(
        trace_id,
        span.span_id,
        span.parent_id,
        span.name,
        span.kind,
        span.start_ns + shift,
        span.end_ns + shift,
        attributes=labels,
        resource=resource,
        status=status,
    )


def request(
    number: int, *, status: int = 200, ms: float = 20, service: str = "gateway", **labels: Any
) -> Span:
    """A trace of one span; the higher its number, the newer it is."""
    start = time.time_ns() - 10**12 + number * 10**6
    return Span(
        f"{number:032x}",
        f"{number:016x}",
        "",
        f"GET /items/{number}",
        "SERVER",
        start,
        start + round(ms * 1e6),
        attributes={"http.response.status_code": status, "sampling.keep_reason": "head", **labels},
        resource={"service.name": service, "faas.name": f"{service}-local"},
        status="ERROR" if status >= 500 else "UNSET",
    )


def large(trace_id: str, spans: int, *, deep: bool = False) -> Iterator[Span]:
    """One trace of many spans, each below the one before it, or ten to a parent."""
    begin = time.time_ns()
    first = Span(
        trace_id, f"{1:016x}", "", "step 0", "SERVER", begin, begin + 2 * 10**9, {}, {"service.name": "s0"}
    )
    yield first
    for index in range(1, spans):
        parent = index if deep else 1 + (index - 1) // 10
        yield dataclasses.replace(
            first,
            span_id=f"{index + 1:016x}",
            parent_id=f"{parent:016x}",
            name=f"step {index}",
            kind="INTERNAL",
            start_ns=begin + index * 10**6,
            end_ns=begin + 2 * 10**9 - index * 10**5,
            resource={"service.name": f"s{index % 7}"},
        )


def fill(store: Any, spans: Iterable[Span]) -> None:
    """Write all of them."""
    for span in spans:
        store.add(span)
