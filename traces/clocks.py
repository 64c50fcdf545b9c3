"""Undoes the difference between two services' clocks where cause and effect prove that there is one.

Corrects only what is impossible (a callee that begins before its caller). A callee that merely ends late is left
alone: that is what working on after a timeout looks like.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from traces.span import Span


def aligned(
    parents_first: Iterable[Span], parents: Mapping[str, str]
) -> tuple[dict[str, Span], dict[str, int]]:
    """Spans by id with corrected times, and each one's correction in ns. Within a service all spans move alike."""
    spans: dict[str, Span] = {}
    shifts: dict[str, int] = {}
    for span in parents_first:
        parent = spans.get(parents[span.span_id])
        shift = 0
        if parent is not None:
            called = (parent.kind, span.kind) == ("CLIENT", "SERVER")
            same_clock = parent.service == span.service and not called
            shift = shifts[parent.span_id] if same_clock else _correction(parent, span)
        shifts[span.span_id] = shift
        spans[span.span_id] = (
            replace(span, start_ns=span.start_ns + shift, end_ns=span.end_ns + shift) if shift else span
        )
    return spans, shifts


def _correction(caller: Span, callee: Span) -> int:
    answered = caller.kind == "CLIENT" and caller.http_status is not None and not caller.failed
    began_too_early = callee.start_ns < caller.start_ns
    began_after_its_own_answer = answered and callee.start_ns > caller.end_ns
    if not began_too_early and not began_after_its_own_answer:
        return 0
    travel = max(0, caller.duration_ns - callee.duration_ns) // 2
    return caller.start_ns + travel - callee.start_ns
