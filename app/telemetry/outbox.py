"""Kept spans on their way out: a bounded queue, and the one thread that encodes and sends them.

A batch that could not be sent goes back and is tried again. Nothing here raises into a request or waits without a limit.
"""

import asyncio
import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, Protocol

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan

from app.telemetry.counters import REPORT_EVERY_S, Counters, Reporter
from app.telemetry.forks import in_a_fork_anew
from app.telemetry.redaction import without_secrets

QUEUE = 2048
BATCH = 256
HURRY_EVERY_NS = 500_000_000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
# At the end a failure may be a hiccup: what is left is tried again after each of these.
LAST_PAUSES_S = (0.2, 0.5)

# `again`: worth another try; `divide`: in parts; `refused`: never.
Outcome = Literal["sent", "again", "divide", "refused"]
Send = Callable[[Sequence[ReadableSpan]], Outcome]

logger = logging.getLogger(__name__)


class LateExported(Protocol):
    """A span whose exported form is made later, on the outbox's thread."""

    def readable(self) -> ReadableSpan:
        """The exported form."""


Outgoing = ReadableSpan | LateExported


class Outbox:
    """Sends `delay` seconds after the first span, or at once for a full batch. `send` raises nothing; `clock` is monotonic."""

    def __init__(
        self,
        send: Send,
        counters: Counters,
        delay: float,
        *,
        close: Callable[[], None] = lambda: None,
        limit: int = QUEUE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send, self._counters, self._delay, self._limit = send, counters, delay, limit
        self._close = close
        self._report = Reporter(counters, clock)
        self._queue: deque[Outgoing] = deque()
        self._clock, self._hurried, self._told_fault = clock, 0, float("-inf")
        self._waiters: deque[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = deque()
        self._start_anew()
        in_a_fork_anew(self)

    def _start_anew(self) -> None:
        """Also in a forked child: no thread is there, a lock may have been held, and the parent sends its own spans."""
        self._queue.clear()
        self._waiters.clear()
        self._wake, self._urgent, self._closing = threading.Event(), threading.Event(), threading.Event()
        self._rest, self._starting = threading.Condition(), threading.RLock()
        self._thread: threading.Thread | None = None
        self._idle, self._busy, self._healthy = False, False, True
        self._pause, self._sending = 0.0, 0

    def put(self, span: Outgoing) -> None:
        """Queue a span. Never waits: when the queue is full the oldest is dropped and counted."""
        self._queue.append(span)
        if len(self._queue) >= BATCH:
            self._urgent.set()
            if len(self._queue) > self._limit:
                self._drop_oldest()
        if self._idle:
            self._idle = False
            self._wake.set()
        elif self._thread is None:
            self._start()

    def is_due(self, now: int, one_more: bool = False) -> bool:
        """Whether `hurry` would do something at `now`, in ns since the epoch; with `one_more`, once a span has been put."""
        return (one_more or bool(self._queue)) and abs(now - self._hurried) >= HURRY_EVERY_NS

    def hurry(self, now: int) -> None:
        """Send soon what is queued: at most twice a second, as sending costs more than a span."""
        if self.is_due(now):
            self._hurried = now
            self._urgent.set()

    async def sent(self, seconds: float) -> None:
        """Wait until what is queued was tried once, at most `seconds`. While exports fail or hang nobody waits."""
        if not self._healthy or not (self._queue or self._busy):
            return
        done = asyncio.Event()
        self._waiters.append((asyncio.get_running_loop(), done))
        self._urgent.set()
        self._wake.set()  # even if the span was sent meanwhile: then the next turn says so
        try:
            await asyncio.wait_for(done.wait(), seconds)
        except TimeoutError:
            self._healthy = False  # until an export succeeds

    def flush(self, seconds: float) -> bool:
        """Block until all that is queued was sent, at most `seconds`. False if something is left."""
        with self._rest:
            self._urgent.set()
            return self._rest.wait_for(lambda: not self._queue and (self._idle or not self._thread), seconds)

    def close(self, seconds: float) -> bool:
        """Send the rest and stop; block at most `seconds`. What is left is counted; False if there is any.

        The next span starts it again: a process may run its application more than once.
        """
        self._closing.set()
        self._urgent.set()
        self._wake.set()
        if (thread := self._thread) is not None:
            thread.join(seconds)
        left = len(self._queue) + self._sending
        if left:
            self._counters.dropped["shutdown"] += left
            if self._thread is None:  # else it may yet send some
                self._queue.clear()
        return not left

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            self._closing.clear()
            self._pause = 0.0
            thread = threading.Thread(target=self._run, name="export-spans", daemon=True)
            with suppress(RuntimeError):  # no thread to be had: the next span tries again
                # In a context of its own: it belongs to no request, whichever started it.
                contextvars.Context().run(thread.start)
                self._thread = thread

    def _run(self) -> None:
        with suppress_instrumentation():
            while not self._closing.is_set():
                self._turn()
            self._turn()
            for pause in LAST_PAUSES_S:
                if self._queue:
                    time.sleep(pause)
                    self._turn()
            self._close()
        with self._starting:
            self._thread = None

    def _turn(self) -> None:
        try:
            self._wait_for_work()
            self._send_all()
            self._report.occasionally(queued=len(self._queue))
        except Exception:
            # The only thread that sends must outlive a fault of ours, loudly and without a tight loop.
            self._tell_fault("sending spans failed")
            self._closing.wait(1.0)

    def _wait_for_work(self) -> None:
        if not self._queue:
            with self._rest:
                self._idle = True
                self._rest.notify_all()
            if not self._queue and not self._closing.is_set():
                self._wake.wait()
            self._idle = False
        self._wake.clear()
        if self._closing.is_set():
            return
        if self._pause:
            self._closing.wait(self._pause)
        else:
            self._urgent.wait(self._delay)
        self._urgent.clear()

    def _send_all(self) -> None:
        self._busy = True
        try:
            # What comes meanwhile waits for company, or batches would be of one; so does who waits for it.
            waiting, due, going = len(self._waiters), len(self._queue), True
            while going and due > 0:
                batch = self._take()
                due -= BATCH
                going = not batch or self._send_batch(batch)
            self._release(waiting if going else len(self._waiters))
        finally:
            self._busy = False

    def _release(self, waiting: int) -> None:
        for _ in range(waiting):
            loop, done = self._waiters.popleft()
            with suppress(RuntimeError):  # its loop is closed
                loop.call_soon_threadsafe(done.set)

    def _take(self) -> list[ReadableSpan]:
        batch: list[ReadableSpan] = []
        while len(batch) < BATCH:
            try:
                span = self._queue.popleft()
            except IndexError:
                break
            try:
                batch.append(without_secrets(span if isinstance(span, ReadableSpan) else span.readable()))
            except Exception:
                self._counters.dropped["fault"] += 1
                self._tell_fault("a span could not be made")
        return batch

    def _send_batch(self, batch: list[ReadableSpan]) -> bool:
        self._sending = len(batch)
        try:
            again = self._send_one(batch)
        except Exception:
            self._counters.dropped["fault"] += self._sending
            raise
        finally:
            self._sending = 0
        if again:
            self._put_back(again)
        return not again

    def _send_one(self, batch: list[ReadableSpan]) -> list[ReadableSpan]:
        """Returns what has to be tried again, in order."""
        outcome = self._send(batch)
        self._healthy = outcome == "sent"
        self._report.outcome(self._healthy)
        if outcome == "divide" and len(batch) > 1:
            half = len(batch) // 2
            again = self._send_one(batch[:half])
            return [*again, *batch[half:]] if again else self._send_one(batch[half:])
        if outcome == "again":
            self._pause = min(LONGEST_PAUSE_S, self._pause * 2 or FIRST_PAUSE_S)
            return batch
        self._pause = 0.0
        self._sending -= len(batch)
        if outcome == "sent":
            self._counters.exported += len(batch)
        else:
            self._counters.failed += len(batch)
        return []

    def _put_back(self, batch: list[ReadableSpan]) -> None:
        lost = max(0, len(self._queue) + len(batch) - self._limit)
        if lost:
            self._counters.dropped["queue_full"] += lost
        self._queue.extendleft(reversed(batch[lost:]))

    def _drop_oldest(self) -> None:
        try:
            self._queue.popleft()
        except IndexError:  # the thread was faster
            return
        self._counters.dropped["queue_full"] += 1

    def _tell_fault(self, text: str) -> None:
        """Log the exception that is being handled, with its traceback, at most once a minute."""
        if (now := self._clock()) - self._told_fault >= REPORT_EVERY_S:
            self._told_fault = now
            logger.exception(text, extra={"event": "trace_export_failed"})


class NoOutbox(Outbox):
    """With `OTEL_TRACES_EXPORTER=none`: every span is forgotten. It has no state and no thread."""

    def __init__(self) -> None:
        """Without what the other needs."""

    def put(self, span: Outgoing) -> None:
        """Forget it."""

    def is_due(self, now: int, one_more: bool = False) -> bool:
        """Never."""
        return False

    def hurry(self, now: int) -> None:
        """Nothing is to be sent."""

    async def sent(self, seconds: float) -> None:
        """Nothing is waited for."""

    def flush(self, seconds: float) -> bool:
        """Nothing is left."""
        return True

    def close(self, seconds: float) -> bool:
        """Nothing is left."""
        return True
