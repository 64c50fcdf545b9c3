"""Log lines as JSON on stdout, in the keys that Cloud Logging lifts out of the payload, each with its trace.

One line per entry, tracebacks included; `extra=` fields stay structured; no value, however odd, loses a line.
https://docs.cloud.google.com/logging/docs/agent/logging/configuration#special-fields
"""

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from opentelemetry import trace

from app.settings import Settings

_SEVERITY = {"WARN": "WARNING", "FATAL": "CRITICAL", "NOTSET": "DEFAULT"}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
# These warn of each odd header that a stranger sends, and of each attempt that is tried again.
_QUIET = (
    "opentelemetry.trace.span",
    "opentelemetry.trace.propagation.tracecontext",
    "urllib3.connectionpool",
    "google.auth.compute_engine._metadata",
)

logger = logging.getLogger(__name__)


def setup(settings: Settings, project: str) -> None:
    """Send every logger's lines, uncaught exceptions and warnings to stdout as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonFormatter(project, {"service": settings.name, "environment": settings.environment})
    )
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    sys.excepthook = _on_uncaught
    threading.excepthook = _on_uncaught_in_thread


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def __init__(self, project: str, labels: dict[str, str]) -> None:
        super().__init__()
        self._project = project
        self._labels = {key: value for key, value in labels.items() if value}

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        return _dumps({**extra, **self._entry(record), **self._trace()})

    def _entry(self, record: logging.LogRecord) -> dict[str, Any]:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        return {
            "severity": _SEVERITY.get(record.levelname, record.levelname),
            "message": self._message(record),
            "time": when.replace("+00:00", "Z"),
            "logger": record.name,  # with `message` alone Cloud Logging would make it a textPayload
            "logging.googleapis.com/labels": self._labels,
            "logging.googleapis.com/sourceLocation": {
                "file": record.pathname,
                "line": str(record.lineno),
                "function": record.funcName,
            },
        }

    def _message(self, record: logging.LogRecord) -> str:
        try:
            message = record.getMessage()
        except Exception:
            message = f"{_text(record.msg)} (arguments do not fit: {_text(record.args)})"
        # Error Reporting finds a traceback in `message`.
        traceback = self.formatException(record.exc_info) if record.exc_info else record.exc_text
        stack = self.formatStack(record.stack_info) if record.stack_info else None
        return "\n".join(part for part in (message, traceback, stack) if part)

    def _trace(self) -> dict[str, Any]:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        trace_id = trace.format_trace_id(context.trace_id)
        return {
            "logging.googleapis.com/trace": f"projects/{self._project}/traces/{trace_id}"
            if self._project
            else trace_id,
            "logging.googleapis.com/spanId": trace.format_span_id(context.span_id),
            "logging.googleapis.com/trace_sampled": context.trace_flags.sampled,
        }


def _dumps(entry: dict[str, Any]) -> str:
    try:
        return json.dumps(entry, default=_text, allow_nan=False)
    except Exception:
        # NaN, a cycle, keys that are no text: those fields become text, the line stays.
        return json.dumps({_text(key): _plain(value) for key, value in entry.items()})


def _plain(value: Any) -> Any:
    try:
        json.dumps(value, allow_nan=False)
    except Exception:
        return _text(value)
    return value


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__} that cannot be shown>"


def _on_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logger.critical(
        "uncaught %s", kind.__name__, exc_info=(kind, error, traceback), extra={"event": "uncaught"}
    )


def _on_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        _on_uncaught(args.exc_type, args.exc_value, args.exc_traceback)
