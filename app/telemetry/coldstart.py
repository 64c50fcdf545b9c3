"""The start of an instance as a span, so that the time before the first answer has a name.

The platform does not tell a request that it waited for an instance: the first one shortly after the start did.
"""

import os
import time

from opentelemetry import trace
from opentelemetry.trace import Span

ATTRIBUTE = "faas.coldstart"
NAME = "instance.start"
# A request that waits is passed on as soon as the startup probe (once a second) has succeeded. One that comes later
# than this met an instance that was started ahead of it, and its trace should not reach back to that start.
WAITED_WITHIN_NS = 2_000_000_000

_IMPORTED_NS, _IMPORTED_BY = time.time_ns(), os.getpid()
tracer = trace.get_tracer(__name__)


class ColdStart:
    """`waiting` until the first request was told."""

    def __init__(self) -> None:
        self.waiting = True
        self._ready_ns: int | None = None

    def ready(self) -> None:
        """The application is complete; the server listens right after this."""
        self._ready_ns = time.time_ns()

    def tell(self, span: Span) -> None:
        """Mark the first request's span and, if the start held it up, put the start into its trace, below it."""
        self.waiting = False
        span.set_attribute(ATTRIBUTE, True)
        now = time.time_ns()
        ready = self._ready_ns or now
        if now - ready <= WAITED_WITHIN_NS:
            tracer.start_span(NAME, start_time=process_started_ns()).end(ready)


def process_started_ns() -> int:
    """When this process began, in ns since the epoch (Linux: to 10 ms).

    Elsewhere, when this file was imported; in a process forked since then, now.
    """
    latest = _IMPORTED_NS if os.getpid() == _IMPORTED_BY else time.time_ns()
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as stat:
            ticks = int(stat.read().rpartition(")")[2].split()[19])  # starttime, field 22
        since_boot = ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        age = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - since_boot
    except (OSError, ValueError, IndexError, AttributeError):
        return latest
    started = time.time_ns() - age
    return started if 0 <= latest - started < 600_000_000_000 else latest
