"""A request's lines below LOG_LEVEL, kept back until it fails (LOG_DEBUG_ON_ERROR): debugging without the volume.

A line is made when it is logged, so it has its own time, trace and span, and values as they were. Memory is bounded
per request: 64 KB, at Cloud Run's default concurrency 5 MB in all.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar

MAX_LINES = 200
MAX_BYTES = 64 * 1024

Write = Callable[[str], None]

_current: ContextVar["Held | None"] = ContextVar("held-debug-lines", default=None)
_write: Write | None = None


class Held:
    """The lines of one request, the latest MAX_LINES or MAX_BYTES; of older ones only their number is known."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._lines: deque[str] = deque()
        self._size = self._dropped = 0

    def add(self, line: str) -> None:
        """Keep one line of JSON. It alone may be larger than MAX_BYTES."""
        with self._lock:
            self._lines.append(line)
            self._size += len(line)
            while len(self._lines) > 1 and (len(self._lines) > MAX_LINES or self._size > MAX_BYTES):
                self._size -= len(self._lines.popleft())
                self._dropped += 1

    def release(self) -> None:
        """Write what is held, oldest first, as when a line at ERROR is about to be written. Later lines are held again."""
        with self._lock:
            lines, dropped = self._lines, self._dropped
            self._forget()
        if dropped:
            lines[0] = f'{{"dropped_before":{dropped},{lines[0][1:]}'
        if lines:
            self._write("\n".join(lines))

    def settle(self, failed: bool) -> None:
        """The request has ended: write what is held, or forget it. What its background tasks log is held on."""
        if failed:
            self.release()
            return
        with self._lock:
            self._forget()


def enable(write: Write | None) -> None:
    """Hold lines from now on and release them to `write`; None: hold nothing."""
    global _write
    _write = write


def hold() -> Held | None:
    """Begin to hold the lines of this context (a request's), or None when that is not asked for."""
    if _write is None:
        return None
    held = Held(_write)
    _current.set(held)
    return held


def current() -> Held | None:
    """What holds this context's lines."""
    return _current.get()


def adopt(held: Held | None) -> None:
    """Let `held` have this context's lines: for a thread that works for a request."""
    _current.set(held)
