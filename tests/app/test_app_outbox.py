"""app/telemetry/outbox.py: kept spans leave in order, bounded, tried again, and nobody waits for them without a limit."""

import asyncio
import contextvars
import gc
import logging
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import attach
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from app.telemetry import outbox, threads
from app.telemetry.counters import Counters
from app.telemetry.outbox import NoOutbox, Outbox, Outcome

ROOT = Path(__file__).parents[2]
# Seconds that nobody waits, and far fewer: who took no longer has not waited for what never came.
LONG, AT_ONCE = 60.0, 15.0
NOWHERE = Resource({})


def span(number: int) -> ReadableSpan:
    return ReadableSpan(str(number), SpanContext(1, number + 1, False), resource=NOWHERE)


class Sink:
    """Answers by a script, then `sent`; `held` until told otherwise. What it took is in `taken`, each try in `tries`."""

    def __init__(self, *script: Outcome | Exception) -> None:
        self.script = list(script)
        self.tries: list[list[int]] = []
        self.taken: list[int] = []
        self.changed = threading.Condition()
        self.free = threading.Event()
        self.free.set()
        self.judge: Callable[[list[int]], Outcome] = lambda batch: "sent"
        self.seen: dict[str, Any] = {}

    def __call__(self, spans: Sequence[ReadableSpan]) -> Outcome:
        batch = [int(span.name) for span in spans]
        with self.changed:
            self.tries.append(batch)
            self.changed.notify_all()
        self.seen = {
            "context": dict(contextvars.copy_context().items()),
            "span": trace.get_current_span().get_span_context(),
            "instrumented": is_instrumentation_enabled(),
            "daemon": threading.current_thread().daemon,
        }
        assert self.free.wait(LONG)
        outcome = self.script.pop(0) if self.script else self.judge(batch)
        if isinstance(outcome, Exception):
            raise outcome
        with self.changed:
            self.taken += batch if outcome == "sent" else []
            self.changed.notify_all()
        return outcome

    def wait(self, done: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(done, LONG), (self.tries, self.taken)

    def tried(self, times: int) -> None:
        """Return once it was called so many times."""
        self.wait(lambda: len(self.tries) >= times)

    def got(self, spans: int) -> None:
        """Return once it took so many."""
        self.wait(lambda: len(self.taken) >= spans)


class Pauses(threading.Event):
    """`_closing`, with the pauses asked for instead of waited."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout or 0)
        return super().wait(0.001)


Make = Callable[..., tuple[Outbox, Counters]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Outboxes that are closed again."""
    made: list[tuple[Outbox, Any]] = []

    def build(sink: Any, delay: float = LONG, **options: Any) -> tuple[Outbox, Counters]:
        counters = Counters()
        box = Outbox(sink, counters, delay, **options)
        made.append((box, sink))
        return box, counters

    yield build
    for box, sink in made:
        if isinstance(sink, Sink):
            sink.free.set()
        box.close(LONG)


def fill(box: Outbox, numbers: range) -> None:
    for number in numbers:
        box.put(span(number))


def fill_at_once(box: Outbox, numbers: range) -> None:
    """So that its thread, which waits for hardly any company, takes them together on a busy machine too."""
    *first, last = numbers
    box._queue.extend(map(span, first))
    box.put(span(last))


def test_spans_are_sent_together_after_the_delay(make: Make) -> None:
    sink = Sink()
    box, counters = make(sink, delay=0.05)
    fill_at_once(box, range(3))
    sink.got(3)
    assert sink.tries == [[0, 1, 2]]
    fill_at_once(box, range(3, 5))
    sink.got(5)
    assert sink.tries[1:] == [[3, 4]]
    assert box.flush(LONG)
    assert (counters.exported, counters.troubles) == (5, 0)


def test_a_full_batch_does_not_wait(make: Make) -> None:
    sink = Sink()
    box, _ = make(sink)
    fill(box, range(outbox.BATCH - 1))
    assert sink.tries == []
    box.put(span(outbox.BATCH - 1))
    sink.got(outbox.BATCH)
    assert sink.taken == list(range(outbox.BATCH))
    assert {len(batch) for batch in sink.tries} <= set(range(1, outbox.BATCH + 1))


def test_a_hurry_sends_what_there_is_but_not_too_often(make: Make) -> None:
    sink, now = Sink(), time.time_ns()
    box, _ = make(sink)
    box.hurry(now)
    for number, expected in ((0, [0]), (1, [0]), (2, [0, 1, 2])):
        box.put(span(number))
        box.hurry(now)
        now += outbox.HURRY_EVERY_NS * 6 // 10
        sink.got(len(expected))
        assert sink.taken == expected


def test_when_it_is_full_the_oldest_go_and_are_counted_and_nobody_waits(make: Make) -> None:
    sink = Sink()
    sink.free.clear()
    box, counters = make(sink, limit=600)
    fill(box, range(outbox.BATCH))
    sink.tried(1)
    begun = time.monotonic()
    fill(box, range(1000, 2000))
    assert time.monotonic() - begun < AT_ONCE
    assert counters.dropped == {"queue_full": 400}
    sink.free.set()
    assert box.flush(LONG)
    assert sink.taken == [*range(outbox.BATCH), *range(1400, 2000)]
    assert counters.exported + counters.dropped.total() == outbox.BATCH + 1000


def test_a_failed_batch_goes_back_in_order_and_pauses_grow_until_one_succeeds(make: Make) -> None:
    sink, pauses = Sink(*["again"] * 7, "sent", "again"), Pauses()
    box, counters = make(sink, delay=0.001)
    box._closing = pauses
    fill_at_once(box, range(3))
    sink.got(3)
    assert box.flush(LONG)
    assert sink.tries == [[0, 1, 2]] * 8
    assert pauses.asked == [1, 2, 4, 8, 16, 30, 30]
    fill_at_once(box, range(3, 5))
    sink.got(5)
    assert sink.taken == [0, 1, 2, 3, 4]
    assert pauses.asked[7:] == [1]
    assert (counters.exported, counters.exports_failed, counters.failed) == (5, 8, 0)


def test_what_came_meanwhile_stays_behind_a_batch_that_came_back(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE_S", 0.01)
    sink = Sink("again")
    sink.free.clear()
    box, _ = make(sink, delay=0.01)
    fill_at_once(box, range(3))
    sink.tried(1)
    fill(box, range(3, 6))
    sink.free.set()
    sink.got(6)
    assert sink.taken == [0, 1, 2, 3, 4, 5]


def test_a_batch_that_comes_back_to_a_full_queue_loses_its_oldest(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE_S", 0.01)
    sink = Sink("again")
    sink.free.clear()
    box, counters = make(sink, limit=300)
    fill(box, range(outbox.BATCH))
    sink.tried(1)
    fill(box, range(1000, 1200))
    sink.free.set()
    sink.got(300)
    assert sink.taken == [*range(outbox.BATCH - 100, outbox.BATCH), *range(1000, 1200)]
    assert counters.dropped == {"queue_full": outbox.BATCH - 100}


@pytest.mark.parametrize("bad", [{0}, {100}, {255}, {3, 200}, {300}, set(range(256))], ids=str)
def test_a_span_that_cannot_be_sent_is_found_and_costs_no_other(make: Make, bad: set[int]) -> None:
    sink = Sink()
    sink.judge = lambda batch: "divide" if bad & set(batch) else "sent"
    box, counters = make(sink)
    fill(box, range(400))
    box.hurry(time.time_ns())
    assert box.flush(LONG)
    assert sink.taken == [number for number in range(400) if number not in bad]
    assert (counters.exported, counters.failed) == (400 - len(bad), len(bad))
    assert len(sink.tries) < 20 * len(bad) + 5


def test_a_batch_that_is_too_large_goes_in_parts(make: Make) -> None:
    sink = Sink()
    sink.judge = lambda batch: "divide" if len(batch) > 100 else "sent"
    box, counters = make(sink)
    fill(box, range(500))
    assert box.flush(LONG)
    assert sink.taken == list(range(500))
    assert counters.exported == 500


def test_parts_of_a_divided_batch_that_come_back_keep_their_order(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE_S", 0.01)
    sink = Sink("divide", "again", "sent", "again")
    box, _ = make(sink, delay=0.01)
    fill(box, range(4))
    sink.got(4)
    assert sink.taken == [0, 1, 2, 3]


def test_what_is_refused_for_good_is_not_tried_again(make: Make) -> None:
    sink = Sink("refused")
    box, counters = make(sink, delay=0.001)
    fill_at_once(box, range(3))
    assert box.flush(LONG)
    assert (len(sink.tries), counters.failed, counters.exported) == (1, 3, 0)


async def waited(box: Outbox, seconds: float) -> float:
    begun = time.monotonic()
    await box.sent(seconds)
    return time.monotonic() - begun


async def test_a_request_waits_until_its_spans_were_sent(make: Make) -> None:
    sink = Sink()
    box, _ = make(sink)
    assert await waited(box, LONG) < AT_ONCE, "with nothing to send there is nothing to wait for"
    box.put(span(1))
    assert await waited(box, LONG) < AT_ONCE
    assert sink.taken == [1]


async def test_it_waits_for_spans_that_are_on_their_way(make: Make) -> None:
    """The thread may have taken them before the request asks: they have not arrived for that."""
    sink = Sink()
    sink.free.clear()
    box, _ = make(sink, delay=0.001)
    box.put(span(1))
    sink.tried(1)
    waiting = asyncio.create_task(box.sent(LONG))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    sink.free.set()
    await asyncio.wait_for(waiting, AT_ONCE)
    assert sink.taken == [1]


async def test_a_request_waits_for_its_own_spans_not_for_those_that_come_later(make: Make) -> None:
    sink = Sink()
    sink.judge = lambda batch: "sent" if time.sleep(0.003) is None else "again"
    box, _ = make(sink)
    stop = threading.Event()

    def others() -> None:
        number = 1000
        while not stop.wait(0.0005):
            box.put(span(number))
            number += 1

    load = threading.Thread(target=others)
    load.start()
    try:
        for number in range(20):
            box.put(span(number))
            await box.sent(LONG)
            assert number in sink.taken
            assert box._healthy, "nobody waited in vain"
    finally:
        stop.set()
        load.join()


async def test_it_waits_no_longer_than_its_limit_and_then_not_at_all_until_an_export_succeeds(
    make: Make,
) -> None:
    sink = Sink()
    sink.free.clear()
    box, _ = make(sink)
    box.put(span(1))
    assert 0.05 <= await waited(box, 0.05) < AT_ONCE
    for number in range(2, 5):
        box.put(span(number))
        assert await waited(box, LONG) < AT_ONCE
    sink.free.set()
    box.hurry(time.time_ns())
    sink.got(4)
    assert box.flush(LONG)
    sink.free.clear()
    box.put(span(5))
    assert 0.05 <= await waited(box, 0.05) < AT_ONCE, "now it is worth waiting again"


async def test_while_exports_fail_nobody_waits(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE_S", 60.0)
    sink = Sink("again")
    box, _ = make(sink)
    box.put(span(1))
    assert await waited(box, LONG) < AT_ONCE, "tried once is enough"
    for number in range(2, 5):
        box.put(span(number))
        assert await waited(box, LONG) < AT_ONCE


def test_closing_sends_the_rest_and_then_closes_the_exporter(make: Make) -> None:
    sink, closed = Sink(), threading.Event()
    box, counters = make(sink, close=closed.set)
    fill(box, range(700))
    assert box.close(LONG)
    assert sink.taken == list(range(700))
    assert closed.is_set()
    assert (counters.exported, counters.dropped.total()) == (700, 0)


def test_closing_waits_no_longer_than_its_limit_and_counts_what_is_left(make: Make) -> None:
    sink = Sink()
    sink.free.clear()
    box, counters = make(sink)
    fill(box, range(outbox.BATCH))
    sink.tried(1)
    fill(box, range(1000, 1010))
    begun = time.monotonic()
    assert not box.close(0.1)
    assert time.monotonic() - begun < AT_ONCE
    assert counters.dropped == {"shutdown": outbox.BATCH + 10}


def test_closing_during_a_pause_tries_at_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that has recovered meanwhile gets everything."""
    monkeypatch.setattr(outbox, "FIRST_PAUSE_S", 60.0)
    sink = Sink("again")
    box, counters = make(sink, delay=0.001)
    fill_at_once(box, range(3))
    sink.tried(1)
    begun = time.monotonic()
    assert box.close(LONG)
    assert time.monotonic() - begun < AT_ONCE
    assert sink.taken == [0, 1, 2]
    assert counters.dropped.total() == 0


def test_a_hiccup_while_closing_loses_nothing_and_an_outage_does_not_hold_up_the_end(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LAST_PAUSES_S", (0.01, 0.01))
    hiccup, outage = Sink("again", "again"), Sink(*["again"] * 9)
    box, counters = make(hiccup)
    fill_at_once(box, range(3))
    assert box.close(LONG)
    assert hiccup.taken == [0, 1, 2]
    box, counters = make(outage)
    fill_at_once(box, range(3))
    assert not box.close(LONG)
    assert 3 <= len(outage.tries) <= 4
    assert counters.dropped == {"shutdown": 3}


def test_closing_without_a_span_is_immediate(make: Make) -> None:
    box, _ = make(Sink())
    assert box.close(0)
    assert box.flush(0)


@pytest.mark.parametrize("used", [True, False], ids=["used", "unused"])
def test_after_closing_it_starts_again_with_the_next_span(make: Make, used: bool) -> None:
    """A process may run its application's lifespan more than once, as tests do."""
    sink = Sink()
    box, counters = make(sink, delay=0.001)
    sent = []
    for number in range(3):
        if used or number:
            box.put(span(number))
            sent.append(number)
        assert box.close(LONG)
    box.put(span(9))
    sink.got(len(sent) + 1)
    assert sink.taken == [*sent, 9]
    assert counters.dropped.total() == 0


def test_what_was_given_up_at_the_end_is_not_sent_when_it_starts_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was counted as lost, and a pause of then holds up nothing now."""
    monkeypatch.setattr(outbox, "LAST_PAUSES_S", (0.01, 0.01))
    sink = Sink(*["again"] * 9)
    box, counters = make(sink, delay=0.001)
    box.put(span(1))
    assert not box.close(LONG)
    sink.script.clear()
    box.put(span(2))
    sink.wait(lambda: sink.taken == [2])
    assert counters.dropped == {"shutdown": 1}


def test_an_outbox_that_is_gone_is_gone() -> None:
    """Hooks for forked children are never unregistered: they hold nothing alive."""
    box = Outbox(Sink(), Counters(), LONG)
    gone = weakref.ref(box)
    del box
    gc.collect()
    assert gone() is None


class Broken:
    """Its exported form cannot be made."""

    def readable(self) -> ReadableSpan:
        raise ZeroDivisionError("a fault")


def faults(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if vars(record).get("event") == "trace_export_failed"]


def test_a_span_that_cannot_be_made_costs_no_other_and_one_line_a_minute(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    sink, now = Sink(), [100.0]
    box, counters = make(sink, clock=lambda: now[0])
    for minute, lines in enumerate((1, 1, 2)):
        now[0] = 100.0 + minute * 31
        for number in range(3):
            box.put(span(number))
            box.put(Broken())
        assert box.flush(LONG)
        assert len(faults(caplog)) == lines
    assert sink.taken == [0, 1, 2] * 3
    assert counters.dropped == {"fault": 9}
    assert "ZeroDivisionError" in (faults(caplog)[0].exc_text or "")


def test_it_outlives_a_fault_of_its_own(
    make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Sink(RuntimeError("our own"))
    box, counters = make(sink, delay=0.1)  # all three in one batch
    box._closing = Pauses()
    fill_at_once(box, range(3))
    sink.tried(1)
    assert box.flush(LONG)
    fill(box, range(3, 6))
    sink.got(3)
    assert sink.taken == [3, 4, 5]
    assert counters.dropped == {"fault": 3}
    (line,) = faults(caplog)
    assert line.levelno == logging.ERROR
    assert box.close(LONG)
    assert counters.dropped == {"fault": 3}, "counted once"


def test_the_thread_belongs_to_no_request_and_its_own_calls_make_no_spans(make: Make) -> None:
    sink = Sink()
    box, _ = make(sink, delay=0.001)
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("of-a-request")
    context = contextvars.copy_context()
    context.run(variable.set, "x")
    context.run(attach, trace.set_span_in_context(trace.NonRecordingSpan(SpanContext(1, 2, False))))
    threads.carry_traces()
    try:
        context.run(box.put, span(1))
    finally:
        threads.leave()
    sink.got(1)
    assert variable not in sink.seen["context"]
    assert not sink.seen["span"].is_valid
    assert not sink.seen["instrumented"]
    assert sink.seen["daemon"], "it does not hold up the end of the process"


def test_however_many_threads_bring_the_first_span_one_sends(make: Make) -> None:
    sink = Sink()
    sink.free.clear()
    box, _ = make(sink, delay=0.0)
    gate = threading.Barrier(8)

    def work(number: int) -> None:
        gate.wait()
        box.put(span(number))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    sink.tried(1)
    assert len([thread for thread in threading.enumerate() if thread.name == "export-spans"]) == 1
    sink.free.set()
    sink.got(8)
    assert sorted(sink.taken) == list(range(8))


def test_without_a_thread_to_be_had_no_request_fails(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Sink()
    box, _ = make(sink, delay=0.001)

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        fill_at_once(box, range(3))
    fill(box, range(3, 4))
    sink.got(4)
    assert sink.taken == [0, 1, 2, 3]


FORK = """
import os, sys, threading, time
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext
from app.telemetry.counters import Counters
from app.telemetry.outbox import Outbox

def span(name):
    return ReadableSpan(name, SpanContext(1, 2, False))

def send(spans):
    for each in spans:
        os.write(1, f"{os.getpid() == parent} {each.name}\\n".encode())
    return "sent"

parent = os.getpid()
box = Outbox(send, Counters(), 60)
if sys.argv[1] == "used":
    box.put(span("of the parent"))
    time.sleep(0.05)  # its thread waits for company
box._rest.acquire()  # another thread may hold any lock at that moment
box._starting.acquire()
child = os.fork()
if child == 0:
    box.put(span("of the child"))
    assert box.close(60)
    os._exit(0)
box._rest.release()
box._starting.release()
assert os.waitpid(child, 0)[1] == 0
box.put(span("later"))
assert box.close(60)
"""


@pytest.mark.parametrize("state", ["used", "fresh"])
def test_a_forked_child_sends_its_own_spans_and_not_its_parent_s(state: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK, state], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    own = ["True of the parent"] if state == "used" else []
    assert done.stdout.splitlines() == ["False of the child", *own, "True later"], done.stderr


def test_with_no_exporter_spans_are_forgotten() -> None:
    box = NoOutbox()
    box.put(span(1))
    assert not box.is_due(time.time_ns())
    box.hurry(time.time_ns())
    asyncio.run(asyncio.wait_for(box.sent(LONG), AT_ONCE))
    assert vars(box) == {}, "it has nothing, so it needs nothing"
    assert box.flush(0)
    assert box.close(0)
