"""Waiting for a trace: until when, and what is returned when it never becomes complete."""

from handmade import PROJECT, TRACE_ID, call, platform, server, stored, story, trace

from ops.arrival import Arrival, wait_for_trace
from ops.google import TraceNotFound
from traces.span import Span, Trace


class Slow:
    """A project in which spans arrive at given seconds, on a clock that only waiting moves."""

    def __init__(self, *arrivals: tuple[float, list[Span]]) -> None:
        self.now = 100.0
        self._arrivals = arrivals

    def trace(self, trace_id: str) -> Trace:
        spans = [span for at, batch in self._arrivals if self.now - 100 >= at for span in batch]
        if not spans:
            raise TraceNotFound("not yet")
        return Trace(TRACE_ID, PROJECT, tuple(spans))

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, settled: float = 1, timeout: float = 20) -> Arrival:
        return wait_for_trace(
            self, TRACE_ID, settled=settled, timeout=timeout, clock=lambda: self.now, sleep=self.sleep
        )


SPANS = list(story().spans)
GATEWAY, EXTRACT, ARCHIVE = SPANS[:2], SPANS[2:4], SPANS[4:]


def test_it_waits_for_every_service_that_was_called() -> None:
    slow = Slow((2, GATEWAY), (6, EXTRACT), (9, ARCHIVE))
    assert slow.wait().complete
    assert 110 <= slow.now < 111


def test_it_waits_for_parents_that_come_after_their_children() -> None:
    slow = Slow((0, ARCHIVE), (4, GATEWAY), (5, EXTRACT))
    assert slow.wait().complete
    assert slow.now >= 105


def test_it_waits_until_the_number_of_spans_is_stable() -> None:
    slow = Slow((0, SPANS), (1.5, [server(90, 1, "gateway", 5, 6)]))
    assert len(slow.wait(settled=2).trace.spans) == 8  # type: ignore[union-attr]


def test_when_time_is_up_it_returns_what_is_there_and_says_what_is_not() -> None:
    arrival = Slow((0, GATEWAY)).wait(timeout=3)
    assert (arrival.complete, arrival.missing) == (False, "the spans of 127.0.0.1, which gateway called")
    assert arrival.trace == trace(*GATEWAY)


def test_a_trace_that_never_comes_is_none_after_the_timeout() -> None:
    slow = Slow()
    assert slow.wait(timeout=3) == Arrival(None, "the entry's span")
    assert slow.now <= 103.5


def test_lost_parents_are_what_is_missing() -> None:
    assert Slow((0, [*GATEWAY, *ARCHIVE])).wait().missing == "the parents of 1 spans"


def test_the_platforms_span_does_not_stand_in_for_the_services_own() -> None:
    spans = [*GATEWAY, platform(80, 2, "extract", 11, 1111)]
    assert not Slow((0, spans)).wait(timeout=2).complete


def test_storage_metadata_and_refused_calls_need_no_callee() -> None:
    spans = [
        server(1, 0, "a", 0, 100),
        *stored(2, 1, "a", "documents", 10, 20),
        call(4, 1, "a", 20, 30, 200, url__full="http://127.0.0.1:9/computeMetadata/v1/instance/region"),
        call(5, 1, "a", 30, 40, 200, server__address="aiplatform.googleapis.com"),
        call(6, 1, "a", 40, 50, 403),
    ]
    assert Slow((0, spans)).wait().complete
