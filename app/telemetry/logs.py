"""Log lines as JSON on stdout, in the keys that Cloud Logging lifts out of the payload, each with its trace.

One line per entry, tracebacks included; `extra=` fields stay structured; no value, however odd, loses a line.
https://docs.cloud.google.com/logging/docs/agent/logging/configuration#special-fields

Error Reporting takes what has a traceback. A line at ERROR without one is not forced upon it: it would be grouped by
the line of code that logged it, so all 502s would be one error. Alerts find such lines by `severity` and `event`.
"""

import functools
import logging
import sys
import time
from collections.abc import Mapping
from io import FileIO
from typing import Any

from opentelemetry import trace

from app.settings import Settings
from app.telemetry import debug_lines, threads, uncaught
from app.telemetry.log_stream import LineHandler
from app.telemetry.log_values import LIMIT, clean_fields, clean_key, clean_text, encode, fit, shown
from app.telemetry.redaction import redacted, without_query_values

# Whose DEBUG lines are ever written. Those of libraries would flood, and show headers: `websockets` logs every cookie.
APPLICATION = __name__.partition(".")[0]
# These warn of each odd header that a stranger sends, and of each attempt that is tried again.
_QUIET = (
    "opentelemetry.trace.span",
    "opentelemetry.trace.propagation.tracecontext",
    "urllib3.connectionpool",
    "google.auth.compute_engine._metadata",
    "httpx",  # each request at INFO, with the values of its query
)
_SPECIAL = "logging.googleapis.com/"
_SEVERITIES = frozenset(("DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"))
_LEVELS = ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"), (1, "DEBUG"))
_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_NO_FIELDS = _RECORD | {"color_message"}  # uvicorn's
# An extra with one of these names would forge, hide or merge lines; it is kept as `extra_<name>`.
_RESERVED = frozenset(("severity", "message", "time", "timestamp", "timestampSeconds", "timestampNanos")) | {
    "logger",
    "serviceContext",
    "truncated",
}


def setup(settings: Settings, project: str) -> None:
    """Send every logger's lines, uncaught errors and warnings to stdout as JSON; carry traces into threads."""
    level: int = getattr(logging, settings.log_level)
    hold = settings.log_debug_on_error and level > logging.DEBUG
    handler = LineHandler(
        FileIO((sys.stdout or sys.stderr).fileno(), "w", closefd=False), level if hold else 0
    )
    labels = {"service": settings.name, "environment": settings.environment}
    handler.setFormatter(JsonFormatter(project, labels, settings.k_revision))
    logging.basicConfig(level=max(level, logging.INFO), handlers=[handler], force=True)
    logging.getLogger(APPLICATION).setLevel(logging.DEBUG if hold else level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in ("uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).addFilter(_without_query_values)
    logging.captureWarnings(True)
    logging.Logger.makeRecord = _make_record  # type: ignore[method-assign]
    debug_lines.enable(handler.write if hold else None)
    uncaught.install()
    threads.carry_traces()


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON of at most log_values.LIMIT bytes: what is larger is cut, and says `truncated`."""

    def __init__(self, project: str, labels: dict[str, str], revision: str = "") -> None:
        super().__init__()
        self._traces = encode(f"projects/{project}/traces/")[1:-1] if project else ""
        self._labels = {key: value for key, value in labels.items() if value}
        service = {"service": labels["service"], "version": revision}
        self._service = {key: value for key, value in service.items() if value}
        self._second: tuple[int, str] = (0, "1970-01-01T00:00:00")
        self._site = functools.lru_cache(1024)(self._encoded_site)

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        site = self._site(
            record.levelno, record.levelname, record.name, record.pathname, record.lineno, record.funcName
        )
        message = encode(clean_text(self._message(record)))
        line = f'{site},"message":{message},"time":"{self._time(record.created)}"{self._trace()}}}'
        fields = _fields(record)
        if fields:
            line = f"{line[:-1]},{encode(fields)[1:]}"
        return line if len(line) <= LIMIT else fit(line, set(fields))

    def _encoded_site(
        self, level: int, level_name: str, name: str, path: str, line: int, function: str | None
    ) -> str:
        """What all lines of one place in the code have in common, without the closing brace."""
        site: dict[str, Any] = {
            "severity": _severity(level, level_name),
            "logger": clean_key(name),  # with `message` alone Cloud Logging would make it a textPayload
            f"{_SPECIAL}labels": self._labels,
            f"{_SPECIAL}sourceLocation": {
                "file": clean_key(path),
                "line": str(line),
                "function": clean_key(function),
            },
        }
        if level >= logging.ERROR:
            site["serviceContext"] = self._service  # Error Reporting's
        return encode(site)[:-1]

    def _trace(self) -> str:
        """The current trace and span, whether sampled or not: the lines of one request belong together."""
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return ""
        return (
            f',"{_SPECIAL}trace":"{self._traces}{context.trace_id:032x}"'
            f',"{_SPECIAL}spanId":"{context.span_id:016x}"'
            f',"{_SPECIAL}trace_sampled":{"true" if context.trace_flags.sampled else "false"}'
        )

    def _time(self, created: float) -> str:
        whole = int(created)
        second, text = self._second
        if whole != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
            self._second = whole, text
        return f"{text}.{int((created - whole) * 1_000_000):06}Z"

    def _message(self, record: logging.LogRecord) -> str:
        try:
            message = record.getMessage()
        except Exception:
            message = f"{shown(record.msg)} (arguments do not fit: {shown(record.args)})"
        if isinstance(record.args, tuple) and any(isinstance(arg, BaseException) for arg in record.args):
            message = without_query_values(message)
        traceback = record.exc_text
        if record.exc_info and record.exc_info[0]:  # Error Reporting finds it in `message`
            try:
                traceback = self.formatException(record.exc_info)
            except Exception as error:
                traceback = f"(its traceback cannot be shown: {type(error).__name__})"
        if traceback:
            traceback = without_query_values(traceback)
        return "\n".join(part for part in (message, traceback, record.stack_info) if part)


def _severity(level: int, name: str) -> str:
    if name in _SEVERITIES:
        return name
    return next((severity for least, severity in _LEVELS if level >= least), "DEFAULT")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    extra = {key: value for key, value in vars(record).items() if key not in _NO_FIELDS}
    fields = clean_fields(extra) if extra else {}
    for key in [key for key in fields if key in _RESERVED or key.startswith(_SPECIAL)]:
        fields[f"extra_{key}"] = fields.pop(key)
    return fields


def _without_query_values(record: logging.LogRecord) -> bool:
    # At INFO uvicorn names each WebSocket with its query.
    if isinstance(record.args, tuple):
        record.args = tuple(
            arg.partition("?")[0] + "?" + redacted(arg.partition("?")[2])
            if isinstance(arg, str) and "?" in arg
            else arg
            for arg in record.args
        )
    return True


_plain_record = logging.Logger.makeRecord


def _make_record(
    self: logging.Logger,
    name: str,
    level: int,
    fn: str,
    lno: int,
    msg: object,
    args: Any,
    exc_info: Any,
    func: str | None = None,
    extra: Mapping[str, object] | None = None,
    sinfo: str | None = None,
) -> logging.LogRecord:
    # Logger's own raises KeyError, in the midst of a request, for an extra named `name`, `args`, `message`, …
    if extra and not _RECORD.isdisjoint(extra):
        extra = {f"extra_{key}" if key in _RECORD else key: value for key, value in extra.items()}
    return _plain_record(self, name, level, fn, lno, msg, args, exc_info, func, extra, sinfo)
