"""Waits until a trace has arrived: spans are sent in batches, and a callee may work on after its caller has answered."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from ops.google import TraceNotFound
from traces.span import Span, Trace
from traces.tree import Tree

_REFUSED_BY_FRONT_END = {401, 403, 404, 429}


class Reader(Protocol):
    """What is needed of `Google`."""

    def trace(self, trace_id: str) -> Trace: ...


@dataclass(frozen=True)
class Arrival:
    """The last that was seen. `missing` says what had not arrived when time was up; empty if `complete`."""

    trace: Trace | None
    missing: str

    @property
    def complete(self) -> bool:
        return not self.missing


def wait_for_trace(
    google: Reader,
    trace_id: str,
    *,
    settled: float = 1.0,
    timeout: float = 30.0,
    interval: float = 0.25,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Arrival:
    """Poll until nothing is missing and the number of spans has not changed for `settled` seconds.

    Gives up after `timeout` seconds and returns what is there. Raises `OperatorError` if reading fails.
    """
    begun = changed = clock()
    count = -1
    while True:
        trace = arrived(google, trace_id)
        missing = _missing(trace)
        now = clock()
        if (found := len(trace.spans) if trace else 0) != count:
            count, changed = found, now
        if not missing and now - changed >= settled:
            return Arrival(trace, "")
        if now - begun >= timeout:
            return Arrival(trace, missing or f"the trace was still growing after {timeout:g} s")
        sleep(interval)


def arrived(google: Reader, trace_id: str) -> Trace | None:
    """What is there of a trace; None for nothing yet. Raises `OperatorError` if reading fails."""
    try:
        return google.trace(trace_id)
    except TraceNotFound:
        return None


def _missing(trace: Trace | None) -> str:
    tree = Tree(trace.spans if trace else ())
    if tree.entry_server is None:
        return "the entry's span"
    if tree.orphans:
        return f"the parents of {len(tree.orphans)} spans"
    calls = [span for _, span in tree.walk() if _calls_a_service(tree, span) and not _answered(tree, span)]
    return f"the spans of {calls[0].host}, which {calls[0].service} called" if calls else ""


def _calls_a_service(tree: Tree, span: Span) -> bool:
    google_api = span.host.endswith(".googleapis.com") or urlsplit(span.url).path.startswith(
        "/computeMetadata/"
    )
    return span.kind == "CLIENT" and not google_api and tree.storage(span) is None


def _answered(tree: Tree, call: Span) -> bool:
    callee = tree.callee(call)
    return (callee is not None and not callee.is_platform) or call.http_status in _REFUSED_BY_FRONT_END
