"""Where lines leave: whole, one after the other, and never at the price of a request.

They go to the file descriptor itself: no buffer is shared with `print`, no encoding depends on the environment.
"""

import logging
import select
import sys
from io import RawIOBase

from app.telemetry import debug_lines
from app.telemetry.log_values import encode, shown

# A child process that shares our stdout may have made it non-blocking: then a full pipe is waited for this long.
BLOCKED_S = 1.0


class LineHandler(logging.Handler):
    """Writes each record's line to `stream`; one below `threshold` is held for its request, outside of one dropped.

    `threshold` 0 leaves levels to the loggers. Lines that cannot be written are counted; their number is said on
    stderr when the first is lost, and on the stream when it takes lines again.
    """

    def __init__(self, stream: RawIOBase, threshold: int = 0) -> None:
        super().__init__()
        self._stream = stream
        self._threshold = threshold
        self._lost = 0
        self._torn = False  # the last line has no end yet

    def emit(self, record: logging.LogRecord) -> None:
        """Write, hold or drop one record. Does not raise."""
        try:
            if record.levelno < self._threshold:
                if held := debug_lines.current():
                    held.add(self._line(record))
                return
            if record.levelno >= logging.ERROR and (held := debug_lines.current()):
                held.release()
            self.write(self._line(record))
        except Exception as error:
            self._lose(1, error)

    def write(self, lines: str) -> None:
        """Write whole lines, given without the last one's end. Does not raise."""
        self.acquire()
        try:
            if self._lost:
                self._put(_lost_line(self._lost, "the stream takes lines again"))
                self._lost = 0
            self._put(lines)
        except Exception as error:
            self._lose(lines.count("\n") + 1, error)
        finally:
            self.release()

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as error:
            message = (
                f"a line at {record.levelname} could not be made: {type(error).__name__}: {shown(error)}"
            )
            return encode({"severity": "ERROR", "message": message, "logger": shown(record.name)})

    def _put(self, lines: str) -> None:
        rest = memoryview(f"{chr(10) if self._torn else ''}{lines}\n".encode("ascii", "backslashreplace"))
        while rest:
            written = self._stream.write(rest)
            if written:
                self._torn = True
                rest = rest[written:]
            # Once lines are being lost no caller waits again.
            elif not select.select([], [self._stream], [], 0 if self._lost else BLOCKED_S)[1]:
                raise BlockingIOError(f"nothing was taken for {BLOCKED_S:g} s")
        self._torn = False

    def _lose(self, lines: int, error: Exception) -> None:
        self._lost += lines
        if self._lost == lines and sys.stderr:
            try:
                sys.stderr.write(_lost_line(lines, f"{type(error).__name__}: {error}") + "\n")
            except Exception:
                return


def _lost_line(lines: int, why: str) -> str:
    message = f"log lines could not be written: {lines} ({why})"
    return encode(
        {
            "severity": "ERROR",
            "message": message,
            "logger": __name__,
            "event": "log_lines_lost",
            "lost": lines,
        }
    )
