"""A service's part of one trace, kept or dropped as a whole, and the span processor that gathers its spans.

Spans of an undecided part wait in a bounded buffer; once it is kept they go to the outbox, now and later.
Not here: the server span itself (`server_span.py`) and the reasons to keep (`keeping.py`, `server.py`).
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from opentelemetry.context import Context, get_value
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from app.telemetry.counters import Counters
from app.telemetry.keeping import ATTRIBUTE, HEAD, PART, REASONS, KeepLimit
from app.telemetry.outbox import Outbox, Outgoing
from app.telemetry.sampling import HeadSampler

if TYPE_CHECKING:
    from app.telemetry.client_span import ClientSpan

SPANS_PER_PART = 256
SPANS_HELD = 4096
SPANS_OPEN = 16384


class Part:
    """`kept` says whether spans go out. Called from any thread; a reason given twice counts once."""

    __slots__ = ("_held", "_parts", "_reasons", "_refused", "head", "kept", "root_id", "settled")

    def __init__(self, parts: Parts, head: bool, root_id: int = 0) -> None:
        self._parts, self.head, self.root_id = parts, head, root_id
        self.kept = head
        self.settled = self._refused = False
        self._reasons: set[str] | None = None
        self._held: deque[Outgoing] | None = None

    @property
    def reason(self) -> str:
        """The one reason that is named; "" for a part that is not kept."""
        if self.head or not self._reasons:
            return HEAD if self.head else ""
        return next(reason for reason in REASONS if reason in self._reasons)

    def keep(self, reason: str) -> None:
        """Keep it, unless the limit per second is reached. Works as long as its spans are still held."""
        if self.head or self._refused:
            return
        with self._parts.lock:
            if self._reasons is not None:
                self._reasons.add(reason)
                return
            if self.settled or not self._parts.admit():
                self._refused = True
                return
            self._reasons = {reason}
            self.kept = True
        self._release()

    def add(self, span: Outgoing) -> None:
        """Take a span that has ended."""
        if self.kept:
            self._parts.outbox.put(span)
        elif not self.settled and self._parts.hold():
            if self._held is None:
                self._held = deque()
            if len(self._held) >= SPANS_PER_PART:
                self._parts.unhold(1)
                self._parts.counters.dropped["part_buffer"] += 1
                return
            self._held.append(span)
            if self.kept:  # kept by another thread since the first question
                self._release()

    def settle(self) -> None:
        """The part has ended: unkept spans are forgotten, and what ends later follows the decision."""
        if not self.settled:
            self.settled = True
            if self.kept:
                self._parts.counters.kept[self.reason] += 1
            if self._held:
                self._parts.unhold(len(self._held))
                self._held.clear()

    def _release(self) -> None:
        while self._held:
            try:
                span = self._held.popleft()
            except IndexError:
                return
            self._parts.unhold(1)
            self._parts.outbox.put(span)


class Parts(SpanProcessor):
    """Assigns each span to its part: the request's, else that of its local parent, else one of its own (a local root)."""

    def __init__(
        self, sampler: HeadSampler, outbox: Outbox, counters: Counters, limit: KeepLimit, slow_ms: int
    ) -> None:
        self.sampler, self.outbox, self.counters = sampler, outbox, counters
        self._limit, self.slow_ns = limit, slow_ms * 1_000_000
        self.lock = threading.Lock()
        self._held = 0
        self._open: dict[int, tuple[Part, Span | ClientSpan]] = {}

    def admit(self) -> bool:
        """Whether one more part may be kept for another reason than the ratio. Asked with the lock held."""
        admitted = self._limit.take()
        if not admitted:
            self.counters.dropped["keep_limit"] += 1
        return admitted

    def hold(self) -> bool:
        """Whether there is room for one more span of an undecided part; if so it is taken."""
        with self.lock:
            if self._held < SPANS_HELD:
                self._held += 1
                return True
        self.counters.dropped["buffer"] += 1
        return False

    def unhold(self, spans: int) -> None:
        """Give room back."""
        with self.lock:
            self._held -= spans

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
        if len(self._open) < SPANS_OPEN:
            self._open[span_id] = (part, span)
        else:
            self.counters.dropped["never_ended"] += 1

    def closed(self, span: ClientSpan) -> None:
        """Pass an ended client span to its part."""
        span_id = span.get_span_context().span_id
        self._open.pop(span_id, None)
        span.part.add(span)
        if span.part.root_id == span_id:
            span.part.settle()

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
            self._judge(part, span)
            part.add(with_reason(span, part.reason) if part.kept else span)
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

    def shutdown(self) -> None:
        """Nothing is kept open here; the outbox is shut down by `flush.py`."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Ask the outbox to send what is kept, waiting at most `timeout_millis`."""
        return self.outbox.flush(timeout_millis / 1000)

    def _judge(self, part: Part, span: ReadableSpan) -> None:
        if span.status.status_code is StatusCode.ERROR:
            part.keep("error")
        elif span.end_time and span.start_time and span.end_time - span.start_time >= self.slow_ns:
            part.keep("slow")


def with_reason(span: ReadableSpan, reason: str) -> ReadableSpan:
    """`span`, a local root, with the reason for which its part is kept."""
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes={**(span.attributes or {}), ATTRIBUTE: reason},
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _unanswered(span: ReadableSpan) -> bool:
    attributes = span.attributes or {}
    return "error.type" in attributes and "http.response.status_code" not in attributes
