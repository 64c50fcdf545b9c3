"""app/telemetry/counters.py: what became of the spans, said once at the end, and before that only when something is wrong."""

import logging
import threading
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from app.telemetry.counters import REPORT_EVERY_S, SILENT_AFTER_S, Counters, Reporter
from app.telemetry.outbox import Outbox, Outcome


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(vars(record)["event"], record.levelname) for record in caplog.records if "event" in vars(record)]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_line_has_every_counter_as_a_field(caplog: pytest.LogCaptureFixture) -> None:
    counters = Counters()
    counters.started, counters.exported, counters.failed, counters.exports_failed = 10, 5, 2, 1
    counters.kept["head"] += 2
    counters.dropped["queue_full"] += 3
    counters.dropped["keep_limit"] += 100  # not lost: not kept
    with caplog.at_level(logging.INFO):
        counters.log(logging.INFO)
    (record,) = caplog.records
    assert record.getMessage() == "spans: 10 started, 5 sent, 5 lost"
    fields: dict[str, Any] = vars(record)
    assert {key: fields[key] for key in counters.fields()} == {
        "spans_started": 10,
        "parts_kept": {"head": 2},
        "spans_exported": 5,
        "spans_failed": 2,
        "spans_dropped": {"queue_full": 3, "keep_limit": 100},
        "exports_failed": 1,
    }


@pytest.mark.parametrize(
    ("trouble", "lines"),
    [
        ({}, 0),
        ({"exports_failed": 1}, 1),
        ({"failed": 1}, 1),
        ({"dropped": "queue_full"}, 1),
        ({"dropped": "part_buffer"}, 1),
        ({"dropped": "keep_limit"}, 0),
    ],
    ids=str,
)
def test_a_warning_comes_only_when_something_went_wrong(
    caplog: pytest.LogCaptureFixture, trouble: dict[str, Any], lines: int
) -> None:
    """The limit per second is no trouble: that is what it is for."""
    counters = Counters()
    reporter = Reporter(counters, Clock())
    reporter.occasionally(queued=0)
    for name, value in trouble.items():
        if name == "dropped":
            counters.dropped[value] += 1
        else:
            setattr(counters, name, value)
    for _ in range(5):
        reporter.occasionally(queued=0)
    assert told(caplog) == [("trace_health", "WARNING")] * lines


def test_it_is_said_at_most_once_a_minute_and_only_for_news(caplog: pytest.LogCaptureFixture) -> None:
    counters, clock = Counters(), Clock()
    reporter = Reporter(counters, clock)
    lines = []
    for step, lost in ((0.0, 1), (1.0, 1), (REPORT_EVERY_S - 2, 0), (1.0, 0), (REPORT_EVERY_S, 0), (1.0, 1)):
        clock.now += step
        counters.dropped["queue_full"] += lost
        reporter.occasionally(queued=0)
        lines.append(len(told(caplog)))
    assert lines == [1, 1, 1, 2, 2, 3]


def test_fifteen_minutes_without_a_sent_span_are_an_error_and_again_each_fifteen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counters, clock = Counters(), Clock()
    reporter = Reporter(counters, clock)

    def silent() -> int:
        reporter.occasionally(queued=7)
        return len([event for event, level in told(caplog) if (event, level) == ("trace_silent", "ERROR")])

    reporter.outcome(False)
    clock.now += SILENT_AFTER_S - 1
    reporter.outcome(False)
    assert silent() == 0
    clock.now += 1
    assert [silent(), silent()] == [1, 1]
    clock.now += SILENT_AFTER_S
    assert silent() == 2
    reporter.outcome(True)
    clock.now += SILENT_AFTER_S * 2
    assert silent() == 2, "a success ends it, and idle is not silent"
    reporter.outcome(False)
    clock.now += SILENT_AFTER_S - 1
    assert silent() == 2
    record = next(record for record in caplog.records if vars(record).get("event") == "trace_silent")
    assert vars(record)["queued"] == 7
    assert "15 minutes" in record.getMessage()


class Pauses(threading.Event):
    """A pause in which the clock goes on and no time is lost."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.now += timeout or 0
        return super().wait(0)


def test_an_outbox_whose_exports_fail_for_that_long_says_so(caplog: pytest.LogCaptureFixture) -> None:
    clock, tries, over = Clock(), [0], threading.Event()

    def send(spans: object) -> Outcome:
        tries[0] += 1
        if clock.now > 1000 + 2 * SILENT_AFTER_S + 120:
            over.set()
            return "sent"
        return "again"

    counters = Counters()
    box = Outbox(send, counters, 0.001, clock=clock)
    box._closing = Pauses(clock)
    box.put(ReadableSpan("n", SpanContext(1, 2, False), resource=Resource({})))
    assert over.wait(60)
    assert box.close(60)
    events = [event for event, _ in told(caplog)]
    assert events.count("trace_silent") == 2
    assert 25 <= events.count("trace_health") <= 35, "about one a minute"
    assert (counters.exported, counters.exports_failed) == (1, tries[0] - 1)
