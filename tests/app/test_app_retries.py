"""app/retries.py: how long is waited, how long one attempt may take, and what may be spent on retries."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from app import retries
from app.deadline import Deadline
from app.retries import Attempts, Budget, Failure


def within(seconds: float) -> Deadline:
    return Deadline(time.monotonic(), seconds)


@pytest.mark.parametrize(
    ("retry_after", "low", "high"),
    [
        (None, 0, 0),
        ("", 0, 0),
        ("7", 7, 7),
        ("-1", 0, 0),
        ("1.5", 0, 0),
        ("9" * 20, 0, 0),
        ("soon", 0, 0),
        ("Mon, 1 Jan 99999999999999999999 00:00:00 GMT", 0, 0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_garbage_is_ignored(
    retry_after: str | None, low: float, high: float
) -> None:
    failure = retries.of_status(503, retry_after)
    assert failure is not None
    assert low <= failure.retry_after_s <= high


def test_retry_after_as_a_date_is_counted_from_now() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    failure = retries.of_status(429, date)
    assert failure is not None
    assert 20 <= failure.retry_after_s <= 30


@pytest.mark.parametrize(
    ("remaining", "attempt"), [(0.1, 0.1), (0.9, 0.9), (1.0, 0.5), (10.0, 5.0), (300.0, 60.0)]
)
def test_an_attempt_leaves_room_for_a_second_one_when_time_allows(remaining: float, attempt: float) -> None:
    assert retries.attempt_s(remaining) == attempt


def test_pauses_grow_and_are_never_the_same_for_all() -> None:
    pauses = []
    for _ in range(10):
        attempts = Attempts(Budget(), within(60), "GET")
        pauses.append((attempts.pause(Failure("503")), attempts.pause(Failure("503"))))
    assert all(0 <= first <= 0.1 and 0 <= second <= 0.2 for first, second in pauses)
    assert len({first for first, _ in pauses}) == 10


def test_what_the_service_asks_for_is_waited_at_least() -> None:
    pause = Attempts(Budget(), within(60), "GET").pause(Failure("503", retry_after_s=5))
    assert pause is not None
    assert 5 <= pause <= 5.1


@pytest.mark.parametrize(
    ("remaining", "failure"),
    [
        (4.9, Failure("503", retry_after_s=5)),
        (0.0, Failure("ConnectionRefusedError", unsent=True)),
        (0.005, Failure("RemoteDisconnected", at_once=True)),
        (60.0, None),
    ],
)
def test_there_is_no_next_attempt_after_the_deadline_or_after_the_last_word(
    remaining: float, failure: Failure | None
) -> None:
    assert Attempts(Budget(), within(remaining), "GET").pause(failure) is None


def test_a_call_has_three_attempts() -> None:
    attempts = Attempts(Budget(), within(60), "GET")
    pauses = [attempts.pause(Failure("503")) for _ in range(4)]
    assert [pause is None for pause in pauses] == [False, False, True, True]


def test_the_budget_is_a_tenth_of_the_calls_and_a_reserve() -> None:
    budget = Budget(share=0.1, reserve=3)
    assert [budget.spend() for _ in range(4)] == [True, True, True, False]
    for _ in range(25):
        budget.earn()
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    for _ in range(1000):
        budget.earn()
    assert [budget.spend() for _ in range(4)] == [True, True, True, False], (
        "no more is saved than the reserve"
    )


def test_the_cause_of_an_error_is_found_where_its_library_put_it_and_not_in_what_went_before() -> None:
    root = TimeoutError("root")
    wrapped = ValueError("wrapped", root)
    outer = OSError("outer")
    outer.__cause__, outer.__context__ = wrapped, LookupError("before")
    assert list(retries.causes(outer)) == [outer, wrapped, root]
