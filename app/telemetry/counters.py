"""The telemetry's own health: spans counted by fate, and the log lines that say so.

Not here: why one export failed (`export_errors.py`).
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

REPORT_EVERY_S = 60.0
SILENT_AFTER_S = 900.0

logger = logging.getLogger(__name__)


class Counters:
    """Sums since the start. Threads add to them without a lock: an addition may be lost, no request waits."""

    def __init__(self) -> None:
        self.started = 0
        self.exported = 0
        self.failed = 0  # refused for good
        self.exports_failed = 0  # attempts; their spans are tried again
        self.kept: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    @property
    def troubles(self) -> int:
        """Grows whenever something went wrong. Parts beyond the limit per second did not: that is what it is for."""
        return self.exports_failed + self.lost

    @property
    def lost(self) -> int:
        """Spans that should have arrived and will not."""
        return self.failed + self.dropped.total() - self.dropped["keep_limit"]

    def fields(self) -> dict[str, Any]:
        """All of them, as fields of a log line."""
        return {
            "spans_started": self.started,
            "parts_kept": dict(self.kept),
            "spans_exported": self.exported,
            "spans_failed": self.failed,
            "spans_dropped": dict(self.dropped),
            "exports_failed": self.exports_failed,
        }

    def log(self, level: int) -> None:
        """One structured line, event `trace_health`."""
        text = "spans: %d started, %d sent, %d lost"
        extra = {"event": "trace_health", **self.fields()}
        logger.log(level, text, self.started, self.exported, self.lost, extra=extra)


class Reporter:
    """Says at most once a minute that something went wrong, and that nothing could be sent for 15 minutes."""

    def __init__(self, counters: Counters, clock: Callable[[], float] = time.monotonic) -> None:
        self._counters, self._clock = counters, clock
        self._told_troubles = 0
        self._told_at = float("-inf")
        self._failing_since: float | None = None

    def outcome(self, success: bool) -> None:
        """Note how an export went."""
        if success:
            self._failing_since = None
            return
        self._counters.exports_failed += 1
        if self._failing_since is None:
            self._failing_since = self._clock()

    def occasionally(self, queued: int) -> None:
        """Write what is due."""
        now, troubles = self._clock(), self._counters.troubles
        if troubles > self._told_troubles and now - self._told_at >= REPORT_EVERY_S:
            self._told_troubles, self._told_at = troubles, now
            self._counters.log(logging.WARNING)
        if self._failing_since is not None and now - self._failing_since >= SILENT_AFTER_S:
            self._failing_since = now  # say it again in another 15 minutes
            extra = {"event": "trace_silent", "queued": queued, **self._counters.fields()}
            minutes = SILENT_AFTER_S / 60
            logger.error("there were requests, but no span was sent for %d minutes", minutes, extra=extra)
