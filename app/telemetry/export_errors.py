"""A refused or failed export becomes one structured log line. It never reaches a request.

The released exporters tell the cause only in their own log lines, so those are caught while an export runs.
"""

import logging
import re
import threading
from collections.abc import Callable, Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

logger = logging.getLogger(__name__)

REFUSED, FAILED = "trace_export_refused", "trace_export_failed"
REFUSALS = (401, 403)

_STATUS = re.compile(r"code: (\d{3})")


class ReportedExporter(SpanExporter):
    """Builds its exporter at the first export, and says in one line what went wrong with each batch."""

    def __init__(self, name: str, build: Callable[[], SpanExporter]) -> None:
        self._name, self._build = name, build
        self._exporter: SpanExporter | None = None
        self._caught = _Caught()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export, or report. Raises nothing."""
        self._caught.start()
        try:
            if self._exporter is None:
                self._exporter = self._build()
            result = self._exporter.export(spans)
        except Exception as error:
            result = SpanExportResult.FAILURE
            self._caught.causes.append(_from_exception(error))
        if result is not SpanExportResult.SUCCESS:
            self._report(len(spans))
        return result

    def shutdown(self) -> None:
        """Close the exporter, if there ever was one."""
        if self._exporter is not None:
            self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is held here."""
        return True

    def _report(self, spans: int) -> None:
        causes = self._caught.causes
        status = next((status for status, _ in reversed(causes) if status), None)
        event = REFUSED if status in REFUSALS else FAILED
        cause = "; ".join(dict.fromkeys(text for _, text in causes)) or "the exporter gave no cause"
        extra = {
            "event": event,
            "exporter": self._name,
            "spans": spans,
            "status": status,
            "cause": cause[:2000],
        }
        if event == REFUSED:
            remedy = "grant the service account roles/cloudtrace.agent, or check the exporter's credentials"
            logger.error("%s refused %d spans (%s): %s", self._name, spans, status, remedy, extra=extra)
        else:
            logger.error("%s failed to export %d spans: %s", self._name, spans, cause[:500], extra=extra)


class _Caught(logging.Handler):
    """What the exporters' loggers say on this thread since `start`; nothing of it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()
        noisy = logging.getLogger("opentelemetry.exporter")
        noisy.addHandler(self)
        noisy.propagate = False

    def start(self) -> None:
        self._local.causes = []

    @property
    def causes(self) -> list[tuple[int | None, str]]:
        return getattr(self._local, "causes", [])

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and isinstance(record.exc_info[1], Exception):
            self.causes.append(_from_exception(record.exc_info[1]))
            return
        text = record.getMessage()
        match = _STATUS.search(text)
        self.causes.append((int(match.group(1)) if match else None, text))


def _from_exception(error: Exception) -> tuple[int | None, str]:
    code = getattr(error, "code", None)  # google.api_core exceptions carry the HTTP equivalent
    return (int(code) if isinstance(code, int) else None), f"{type(error).__name__}: {error}"
