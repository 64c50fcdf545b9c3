"""The log entries of the local project, in memory and bounded; subscribers see each one as it is written.

Entries are Logging v2 `LogEntry` objects in their JSON shape. Nothing is durable, indexed or routed to sinks.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from threading import Lock
from typing import Any

LogEntry = dict[str, Any]
Subscriber = Callable[[LogEntry], None]

_logger = logging.getLogger(__name__)


class LogStore:
    """The newest `limit` entries of one project. Safe to write and read from any thread."""

    def __init__(self, project: str, limit: int = 50_000) -> None:
        self.project = project
        self._entries: deque[LogEntry] = deque(maxlen=limit)
        self._subscribers: list[Subscriber] = []
        self._sequence = count(1)
        self._lock = Lock()

    def write(self, entry: LogEntry) -> None:
        """Keep `entry`, completed with insertId, receiveTimestamp, timestamp and severity, then tell subscribers."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        with self._lock:
            entry.setdefault("insertId", f"{next(self._sequence):016x}")
            entry.setdefault("receiveTimestamp", now)
            entry.setdefault("timestamp", now)
            entry.setdefault("severity", "DEFAULT")
            self._entries.append(entry)
        for subscriber in self._subscribers:
            try:
                subscriber(entry)
            except Exception:
                _logger.exception("a subscriber of the log store failed on entry %s", entry["insertId"])

    def subscribe(self, callback: Subscriber) -> None:
        """Call `callback` with every entry written from now on; its failures are logged, not raised."""
        self._subscribers.append(callback)

    def entries(self) -> Sequence[LogEntry]:
        """A snapshot in the order of writing; later writes do not change it."""
        with self._lock:
            return tuple(self._entries)
