"""The span processor that gathers spans into the parts of their traces, and the bounds over all of these.

Spans of an undecided part wait in a bounded buffer; once it is kept they go to the outbox, now and later.
Not here: one part (`part.py`), the server span (`server_span.py`), the reasons to keep (`keeping.py`, `request.py`).
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from opentelemetry.context import Context, get_value
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from app.telemetry.counters import Counters
from app.telemetry.forks import in_a_fork_anew
from app.telemetry.keeping import ATTRIBUTE, PART, KeepLimit
from app.telemetry.outbox import Outbox, Outgoing
from app.telemetry.part import Part
from app.telemetry.readable import copied
from app.telemetry.sampling import HeadSampler

if TYPE_CHECKING:
    from app.telemetry.client_span import ClientSpan

SPANS_PER_PART = 256
SPANS_HELD = 4096
SPANS_OPEN = 16384


class Parts(SpanProcessor):
    """Assigns each span to its part: the request's, else that of its local parent, else one of its own (a local root)."""

    def __init__(
        self, sampler: HeadSampler, outbox: Outbox, counters: Counters, limit: KeepLimit, slow_ms: int
    ) -> None:
        self.sampler, self.outbox, self.counters = sampler, outbox, counters
        self._limit, self.slow_ns = limit, slow_ms * 1_000_000
        # Reentrant: a finalizer may end a span while this thread has it.
        self.lock = threading.RLock()
        self._held = 0
        self._holding: set[Part] = set()
        self._open: dict[int, tuple[Part, Span | ClientSpan]] = {}
        in_a_fork_anew(self)

    def admit(self, reason: str) -> bool:
        """Whether one more part may be kept for this reason. Asked with the lock held."""
        return self._limit.take(reason)

    def hold(self, part: Part) -> tuple[deque[Outgoing], str]:
        """Take room for one more span of an undecided part: where to put it, and which bound it exceeds, if any."""
        with self.lock:
            if part.held is None:
                part.held = deque()
                self._holding.add(part)
            self._held += 1
            full = "part_buffer" if len(part.held) >= SPANS_PER_PART else ""
            return part.held, full or ("buffer" if self._held > SPANS_HELD else "")

    def unhold(self) -> None:
        """Give one span's room back."""
        with self.lock:
            self._held -= 1

    def released(self, part: Part) -> None:
        """It holds nothing any more."""
        self._holding.discard(part)

    def make_room(self) -> None:
        """Drop half of what the largest parts hold, of as many as it takes: long-lived ones would else fill the buffer."""
        with self.lock:
            # Several spans at once, as this looks at all parts.
            goal = self._held - max(1, SPANS_HELD // 64)
            sizes = [(len(part.held or ()), part) for part in list(self._holding) if not part.kept]
            for size, part in sorted(sizes, key=lambda sized: sized[0], reverse=True):
                if self._held <= goal:
                    return
                part.drop((size + 1) // 2, "buffer")

    def part_of(
        self, context: Context | None, parent: SpanContext | None, trace_id: int, span_id: int
    ) -> Part:
        """The part for a span with these ids that starts in `context` (None: the current one) below `parent`."""
        part: Part | None = get_value(PART, context)  # type: ignore[assignment]  # only server.py sets it
        if part is not None:
            return part
        entry = self._open.get(parent.span_id) if parent and not parent.is_remote else None
        return entry[0] if entry else Part(self, self.sampler.keeps(trace_id), span_id)

    def opened(self, span_id: int, part: Part, span: Span | ClientSpan) -> None:
        """Remember an open span with its part."""
        self.counters.started += 1
        self._open[span_id] = (part, span)
        if len(self._open) > SPANS_OPEN:
            self._forget_oldest()

    def closed(self, span: ClientSpan) -> None:
        """Pass an ended client span to its part."""
        span_id = span.get_span_context().span_id
        self._open.pop(span_id, None)
        if span.part.root_id == span_id:
            self._judge(span.part, span.is_error, span.end_time - span.start_time)
            span.part.add(span)
            span.part.settle()
        else:
            span.part.add(span)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Remember the open span with its part."""
        context = span.get_span_context()
        part = self.part_of(parent_context, span.parent, context.trace_id, context.span_id)
        self.opened(context.span_id, part, span)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass the span to its part."""
        context = span.get_span_context()
        part, _ = self._open.pop(context.span_id, (None, None)) if context else (None, None)
        if part is None or context is None:
            return
        if span.kind is SpanKind.CLIENT and _unanswered(span):
            # Who did not answer may have kept its part; it cannot say so.
            part.keep("downstream")
        if part.root_id == context.span_id:
            is_error = span.status.status_code is StatusCode.ERROR
            self._judge(part, is_error, (span.end_time or 0) - (span.start_time or 0))
            part.add(_with_reason(span, part.reason) if part.kept else span)
            part.settle()
        else:
            part.add(span)

    def end_open_spans(self) -> None:
        """End what is still open, marked as unfinished: at SIGTERM their ended children would else lose their parent."""
        for _, span in list(self._open.values()):
            if isinstance(span, Span):
                span.set_attribute("unfinished", True)
                span.end()
            else:
                span.abandon()

    def wants_cpu(self, now: int, one_more: bool = False) -> bool:
        """Whether something is to be done before the process loses its CPU: spans are open, or on their way out."""
        return bool(self._open) or self.outbox.is_due(now, one_more)

    def abandon_calls(self, part: Part) -> None:
        """End the calls of a request that ends, and of ended ones, when their threads are about to lose the CPU.

        Nobody waits for these. Their time would else go on while the instance is frozen, and what they called would have
        no parent until then. A call of a thread of the service's own is left alone: it goes on when there is CPU again.
        """
        for _, span in list(self._open.values()):
            if not isinstance(span, Span) and (span.part is part or span.part.settled):
                span.abandon()

    def shutdown(self) -> None:
        """Nothing is kept open here; the outbox is shut down by `flush.py`."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Ask the outbox to send what is kept, waiting at most `timeout_millis`."""
        return self.outbox.flush(timeout_millis / 1000)

    def _judge(self, part: Part, is_error: bool, nanoseconds: int) -> None:
        if is_error:
            part.keep("error")
        elif nanoseconds >= self.slow_ns:
            part.keep("slow")

    def _forget_oldest(self) -> None:
        # The oldest was left open for good: were the newest refused instead, a slow leak would end all tracing.
        try:
            span_id = next(iter(self._open))
            part, _ = self._open.pop(span_id)
        except (KeyError, RuntimeError, StopIteration):  # another thread was faster
            return
        if part.root_id == span_id:
            part.settle()
        self.counters.dropped["never_ended"] += 1

    def _start_anew(self) -> None:
        """In a forked child: the parent ends and sends what it started; its lock may have been held at that moment."""
        self.lock = threading.RLock()
        self._open.clear()
        for part in self._holding:
            part.held = None
        self._holding.clear()
        self._held = 0


def _unanswered(span: ReadableSpan) -> bool:
    attributes = span.attributes or {}
    is_http = "http.request.method" in attributes  # a database has no part to keep
    return is_http and "error.type" in attributes and "http.response.status_code" not in attributes


def _with_reason(span: ReadableSpan, reason: str) -> ReadableSpan:
    return copied(span, attributes={**(span.attributes or {}), ATTRIBUTE: reason})
