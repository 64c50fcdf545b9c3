"""The log entries of the local project, in memory and bounded; subscribers see each one as it is written.

Entries are Logging v2 `LogEntry` objects in their JSON shape. Nothing is durable or routed to sinks; the only index is
by trace.
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
        self._limit = limit
        self._entries: deque[LogEntry] = deque()
        self._traced: dict[str, deque[LogEntry]] = {}
        self._revisions: dict[str, int] = {}
        self._subscribers: list[Subscriber] = []
        self._sequence = count(1)
        self._lock = Lock()
        self.version = 0
        """Grows with every entry of a trace."""

    def write(self, entry: LogEntry) -> None:
        """Keep `entry`, completed with insertId, receiveTimestamp, timestamp and severity, then tell subscribers."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        with self._lock:
            entry.setdefault("insertId", f"{next(self._sequence):016x}")
            entry.setdefault("receiveTimestamp", now)
            entry.setdefault("timestamp", now)
            entry.setdefault("severity", "DEFAULT")
            self._keep(entry)
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

    def of_trace(self, trace_id: str) -> Sequence[LogEntry]:
        """The entries of one trace of this project, in the order of writing."""
        with self._lock:
            return tuple(self._traced.get(trace_id, ()))

    def revision(self, trace_id: str) -> int:
        """The `version` of a trace's last entry; 0 if there is none."""
        return self._revisions.get(trace_id, 0)

    def revisions(self) -> dict[str, int]:
        """Every trace with the `version` of its last entry: what has changed since a reader last looked."""
        with self._lock:
            return dict(self._revisions)

    def _keep(self, entry: LogEntry) -> None:
        self._entries.append(entry)
        if trace_id := self._trace_of(entry):
            self.version += 1
            self._traced.setdefault(trace_id, deque()).append(entry)
            self._revisions[trace_id] = self.version
        if len(self._entries) > self._limit:
            self._forget(self._trace_of(self._entries.popleft()))

    def _forget(self, trace_id: str) -> None:
        """The oldest entry of all is the oldest of its trace."""
        if not trace_id:
            return
        self._traced[trace_id].popleft()
        if not self._traced[trace_id]:
            del self._traced[trace_id], self._revisions[trace_id]

    def _trace_of(self, entry: LogEntry) -> str:
        project, _, trace_id = str(entry.get("trace", "")).rpartition("/traces/")
        return trace_id if project == f"projects/{self.project}" else ""
