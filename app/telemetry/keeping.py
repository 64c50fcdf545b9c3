"""Why a part of a trace is kept although its trace id lies outside the ratio, and the bound on how many are.

Whoever learns of a reason says `keep(reason)`; what it means for the spans is in `part.py`. Half of the bound is for
failures alone: any client can hang up or be slow, and must not hide them by that.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from opentelemetry.context import Context, create_key, get_value

if TYPE_CHECKING:
    from app.telemetry.part import Part

HEAD = "head"
# The first of these that applies is named; `head` goes before all, so that head-sampled parts stay unbiased.
REASONS = ("deadline", "error", "disconnect", "slow", "downstream")
FAILURES = frozenset(("deadline", "error"))
ATTRIBUTE = "sampling.keep_reason"

PART = create_key("part-of-a-trace")

logger = logging.getLogger(__name__)
_told = False


def keep(reason: str, context: Context | None = None) -> None:
    """Keep the running request's part of its trace, for one of REASONS. Outside a request nothing happens."""
    part: Part | None = get_value(PART, context)  # type: ignore[assignment]  # only server.py sets it
    if part is not None:
        part.keep(reason)


def is_known(reason: str) -> bool:
    """Whether it is one of REASONS. A warning says so of the first one that is not: it is no cause to fail a request."""
    global _told
    if reason in REASONS:
        return True
    if not _told:
        _told = True
        text = "%r is no reason to keep a trace, and ignored: use one of %s"
        logger.warning(text, reason, ", ".join(REASONS), extra={"event": "keep_reason_unknown"})
    return False


class KeepLimit:
    """At most `per_second` parts kept for other reasons than the ratio, in each second by `clock`: an error storm's price."""

    def __init__(self, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._clock = per_second, clock
        self._reserve = per_second // 2  # for FAILURES
        self._tokens, self._filled = float(per_second), clock()

    def take(self, reason: str) -> bool:
        """Whether one more may be kept now for this reason."""
        now = self._clock()
        self._tokens = min(self._per_second, self._tokens + (now - self._filled) * self._per_second)
        self._filled = now
        if self._tokens < (1 if reason in FAILURES else 1 + self._reserve):
            return False
        self._tokens -= 1
        return True
