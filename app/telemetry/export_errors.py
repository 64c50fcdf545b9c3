"""A refused or failed export becomes a structured log line, one per cause and minute. It never reaches a request.

The released exporters tell the cause only in their own log lines, so those are caught while an export runs.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from app.telemetry.forks import in_a_fork_anew
from app.telemetry.outbox import Outcome
from app.telemetry.redaction import text as without_secrets

logger = logging.getLogger(__name__)

REFUSED, FAILED = "trace_export_refused", "trace_export_failed"
UNAUTHORISED = (401, 403)
EVERY_S = 60.0
# In EVERY_S: one bad span among many is found by nine; if all are bad, it must not be a storm.
DIVISIONS = 32

# What no network gives: a span that an exporter cannot translate.
FAULTS = (TypeError, AttributeError, LookupError, UnicodeError)

_STATUS = re.compile(r"code: (\d{3})")


class Cause(NamedTuple):
    """What an exporter said: the kind by which causes are told apart, an HTTP status if there was one, and the text."""

    kind: str
    status: int | None
    text: str


class Sender:
    """Builds its exporter at the first export, sends with it, and says what went wrong. `clock` in seconds."""

    def __init__(
        self, name: str, build: Callable[[], SpanExporter], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._build, self._clock = name, build, clock
        self._exporter: SpanExporter | None = None
        self._caught = _Caught()
        self._told: dict[tuple[str, int | None], float] = {}
        self._untold = self._divisions = 0
        self._counting_since = float("-inf")
        in_a_fork_anew(self)

    def send(self, spans: Sequence[ReadableSpan]) -> Outcome:
        """Export one batch. Raises nothing.

        `divide` for a payload that may be taken in parts: it is too large (413), or one span in it cannot be encoded or is
        invalid (400); `refused` when there was too much of that. Everything else may get better: a role is granted, an API
        enabled, a network mended.
        """
        self._caught.start()
        try:
            if self._exporter is None:
                self._exporter = self._build()
            if self._exporter.export(spans) is SpanExportResult.SUCCESS:
                return "sent"
        except FAULTS as error:
            self._caught.causes.append(_of_exception(error))
            self._report(len(spans))
            return "divide" if self._exporter is not None else "again"
        except Exception as error:
            self._caught.causes.append(_of_exception(error))
            if rejected := getattr(error, "rejected", 0):
                self._report(rejected)
                return "sent"
        status = self._report(len(spans))
        return self._divided() if status in (400, 413) else "again"

    def close(self) -> None:
        """Close the exporter, if there ever was one."""
        if self._exporter is not None:
            self._exporter.shutdown()

    def _divided(self) -> Outcome:
        if (now := self._clock()) - self._counting_since >= EVERY_S:
            self._counting_since, self._divisions = now, 0
        self._divisions += 1
        return "divide" if self._divisions <= DIVISIONS else "refused"

    def _start_anew(self) -> None:
        """In a forked child: the connections are the parent's."""
        self._exporter = None

    def _report(self, spans: int) -> int | None:
        causes = self._caught.causes or [Cause("unknown", None, "the exporter gave no cause")]
        status = next((cause.status for cause in reversed(causes) if cause.status), None)
        kind, now = (causes[-1].kind, status), self._clock()
        if now - self._told.get(kind, float("-inf")) < EVERY_S:
            self._untold += 1
            return status
        if len(self._told) > 100:
            self._told.clear()
        self._told[kind] = now
        # A refused header is repeated with its value, and a backend may repeat what it was sent.
        text = without_secrets("; ".join(dict.fromkeys(cause.text for cause in causes)))
        extra = {
            "event": REFUSED if status in UNAUTHORISED else FAILED,
            "exporter": self._name,
            "spans": spans,
            "status": status,
            "cause": text[:2000],
            "untold": self._untold,
        }
        self._untold = 0
        if status in UNAUTHORISED:
            remedy = "grant the service account roles/cloudtrace.agent, or check the exporter's credentials"
            logger.error("%s refused %d spans (%s): %s", self._name, spans, status, remedy, extra=extra)
        else:
            logger.error("%s failed to export %d spans: %s", self._name, spans, text[:500], extra=extra)
        return status


class _Caught(logging.Handler):
    """What the exporters' loggers say on a thread since its `start`: nothing of it is written. Other threads' lines are."""

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()
        noisy = logging.getLogger("opentelemetry.exporter")
        noisy.addHandler(self)
        noisy.propagate = False

    def start(self) -> None:
        self._local.causes = []

    @property
    def causes(self) -> list[Cause]:
        return getattr(self._local, "causes", [])

    def emit(self, record: logging.LogRecord) -> None:
        if not hasattr(self._local, "causes"):  # such as an exporter of metrics that a team added
            logging.getLogger("opentelemetry").callHandlers(record)
            return
        if record.exc_info and isinstance(record.exc_info[1], Exception):
            self.causes.append(_of_exception(record.exc_info[1]))
            return
        text = record.getMessage()
        match = _STATUS.search(text)
        self.causes.append(Cause(str(record.msg)[:80], int(match.group(1)) if match else None, text))


def _of_exception(error: Exception) -> Cause:
    code = getattr(error, "code", None)  # google.api_core exceptions carry the HTTP equivalent
    kind = type(error).__name__
    return Cause(kind, int(code) if isinstance(code, int) else None, f"{kind}: {error}")
