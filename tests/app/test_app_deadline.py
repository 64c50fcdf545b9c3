"""app/deadline.py: what remains is obeyed, shortened by the caller, and handed on less a margin."""

import threading
import time

import pytest
from opentelemetry import trace

from app.deadline import Deadline
from app.settings import parse

SETTINGS = parse({"REQUEST_BUDGET_MS": "1000", "SERVICE_TIMEOUT_S": "60"})


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 1.0),
        ("250", 0.25),
        ("5000", 1.0),
        ("0", 0.0),
        ("", 1.0),
        ("-5", 1.0),
        ("1e3", 1.0),
        ("٣", 1.0),
        ("9" * 5000, 1.0),
        ("250ms", 1.0),
    ],
)
def test_the_header_can_only_shorten_the_budget_and_garbage_is_ignored(
    header: str | None, seconds: float
) -> None:
    assert Deadline.of_request(header, SETTINGS).seconds == seconds


def test_our_own_504_comes_before_the_platform_s() -> None:
    assert Deadline.of_request(None, parse({"SERVICE_TIMEOUT_S": "60"})).seconds == pytest.approx(59.99)


def test_the_next_hop_is_told_what_remains_less_the_margin() -> None:
    assert Deadline(time.monotonic() - 0.4, 1.0).header in ("589", "590")
    assert Deadline(time.monotonic() - 2, 1.0).header == "0"


def test_extending_keeps_the_start_and_never_shortens() -> None:
    assert Deadline(5.0, 1.0).extended_to(60) == Deadline(5.0, 60)
    assert Deadline(5.0, 90.0).extended_to(60) == Deadline(5.0, 90.0)


async def test_a_thread_outlives_its_deadline_and_finishes_its_work() -> None:
    release, finished = threading.Event(), threading.Event()

    def work() -> None:
        release.wait(5)
        finished.set()

    with pytest.raises(TimeoutError):
        await Deadline(time.monotonic(), 0.02).run(work)
    release.set()
    assert finished.wait(5)


async def test_nothing_is_begun_when_the_time_is_spent() -> None:
    begun: list[int] = []
    with pytest.raises(TimeoutError):
        await Deadline(time.monotonic() - 1, 0.5).run(begun.append, 1)
    assert begun == []


async def test_work_in_a_thread_belongs_to_the_request_s_trace() -> None:
    with trace.get_tracer("test").start_as_current_span("request") as span:
        seen = await Deadline(time.monotonic(), 1.0).run(trace.get_current_span)
    assert seen is span
