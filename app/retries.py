"""When a failed call is tried again: within its deadline, after a pause with jitter, and from a budget for each destination.

The budget is the idea of "Addressing Cascading Failures" (https://sre.google/sre-book/addressing-cascading-failures/):
of many calls that fail at once only a tenth is repeated, so retries do not add to an outage. No I/O, no sleeping.
"""

import random
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from opentelemetry import trace

from app.deadline import HOP_MARGIN_S, Deadline

ATTEMPTS = 3
# One retry for ten calls, and as many more as let a quiet service mend its first errors.
SHARE, RESERVE = 0.1, 10
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
# An attempt that cannot be shorter: three round trips between continents for a new connection, and the answer.
ATTEMPT_S = 0.5
# Nor one that is worth waiting for longer (google-cloud-storage's own limit).
LONGEST_ATTEMPT_S = 60.0
# Methods that may be repeated without asking (RFC 9110, 9.2.2). POST may, if its caller says so.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
# "Not now". Any other status is the service's last word: a 500 may come after half of the work.
RETRIED_STATUSES = frozenset({429, 503})


@dataclass(frozen=True)
class Failure:
    """A failure worth another attempt. `unsent`: the other side saw nothing of it, so any method may be repeated."""

    cause: str
    unsent: bool = False
    at_once: bool = False
    retry_after_s: float = 0.0


class Budget:
    """What all calls of this process to one destination may spend on retries: one that fails takes none from another."""

    def __init__(self, share: float = SHARE, reserve: float = RESERVE) -> None:
        self._share, self._reserve = share, reserve
        self._left = float(reserve)
        self._lock = threading.Lock()

    def earn(self) -> None:
        """A call begins."""
        with self._lock:
            self._left = min(self._reserve, self._left + self._share)

    def spend(self) -> bool:
        """Take one retry, if there is one left."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True


class Attempts:
    """The attempts of one call, within `limit` and the `budget` of its destination."""

    def __init__(self, budget: Budget, limit: Deadline, method: str, idempotent: bool | None = None) -> None:
        self._budget, self._limit, self._number = budget, limit, 1
        self._idempotent = method in IDEMPOTENT if idempotent is None else idempotent
        budget.earn()

    def pause(self, failure: Failure | None) -> float | None:
        """Seconds to wait before the next attempt, or None if there is none: then the failure stands.

        A next attempt is the event `retry` of the current span, with its number and the cause: what it mends would
        else never be seen. One that could only begin after the deadline is not waited for.
        """
        if failure is None or self._number >= ATTEMPTS or not (failure.unsent or self._idempotent):
            return None
        longest = 0.0 if failure.at_once else min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._number - 1))
        pause = failure.retry_after_s + random.uniform(0, longest)
        if pause + HOP_MARGIN_S >= self._limit.remaining_s or not self._budget.spend():
            return None
        self._number += 1
        trace.get_current_span().add_event("retry", {"attempt": self._number, "cause": failure.cause})
        return pause


def of_status(status: int, retry_after: str | None) -> Failure | None:
    """The failure that an answer is; None for one that is not to be repeated."""
    if status not in RETRIED_STATUSES:
        return None
    return Failure(str(status), retry_after_s=_seconds(retry_after or ""))


def attempt_s(remaining_s: float) -> float:
    """How long one attempt may wait without a sign of life: half of the time, if that is enough for two attempts."""
    half = remaining_s / 2
    return remaining_s if half < ATTEMPT_S else min(half, LONGEST_ATTEMPT_S)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and what it was raised for, wherever its library keeps that.

    Not `__context__`, which may be an older error that the caller was handling.
    """
    seen: list[BaseException] = []
    queue = [error]
    while queue:
        cause = queue.pop(0)
        if isinstance(cause, BaseException) and not any(cause is known for known in seen):
            seen.append(cause)
            yield cause
            queue += [cause.__cause__, *cause.args]


def _seconds(retry_after: str) -> float:
    """Retry-After as seconds from now (RFC 9110, 10.2.3): a number or a date. Garbage is ignored."""
    if re.fullmatch("[0-9]{1,9}", retry_after):
        return float(retry_after)
    try:
        when = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return 0.0
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
