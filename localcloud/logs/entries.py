"""One line of a container's stdout or stderr, as the log entry Cloud Run makes of it.

The special JSON keys are those of docs.cloud.google.com/logging/docs/agent/logging/configuration#special-fields
and docs.cloud.google.com/run/docs/logging. A line is one entry: multi-line tracebacks are not joined.
"""

import json
from typing import Any, Literal

from google.protobuf.timestamp_pb2 import Timestamp

from localcloud.logs.store import LogEntry

MAX_ENTRY_BYTES = 256 * 1024
"""cloud.google.com/logging/quotas. What Cloud Run does beyond it is not documented; here the line is cut."""

SEVERITIES = {
    "DEFAULT": 0,
    "DEBUG": 100,
    "INFO": 200,
    "NOTICE": 300,
    "WARNING": 400,
    "ERROR": 500,
    "CRITICAL": 600,
    "ALERT": 700,
    "EMERGENCY": 800,
}
_ALIASES = {
    "WARN": "WARNING",
    "ERR": "ERROR",
    "SEVERE": "ERROR",
    "FATAL": "CRITICAL",
    "EMERG": "EMERGENCY",
    "TRACE": "DEBUG",
    "INFORMATION": "INFO",
}
_PREFIX = "logging.googleapis.com/"
_MOVED: dict[str, tuple[str, type]] = {
    "httpRequest": ("httpRequest", dict),
    f"{_PREFIX}insertId": ("insertId", str),
    f"{_PREFIX}operation": ("operation", dict),
    f"{_PREFIX}sourceLocation": ("sourceLocation", dict),
    f"{_PREFIX}spanId": ("spanId", str),
    f"{_PREFIX}trace": ("trace", str),
    f"{_PREFIX}trace_sampled": ("traceSampled", bool),
}
"""JSON key -> LogEntry field and the only type accepted; a value of another type stays in jsonPayload."""


def container_entry(
    line: str,
    *,
    project: str,
    stream: Literal["stdout", "stderr"],
    resource: dict[str, Any],
    labels: dict[str, str],
) -> LogEntry:
    """The entry of one line, without insertId or receive time: the store adds those.

    Only a line that is a JSON object as a whole is parsed; any prefix makes it text. The severity of plain text is
    DEFAULT on both streams: Cloud Run documents none for stderr, unlike GKE's ERROR.
    """
    line = _cut(line.rstrip("\r\n"))
    entry: LogEntry = {
        "logName": f"projects/{project}/logs/run.googleapis.com%2F{stream}",
        "resource": resource,
        "labels": dict(labels),
        "severity": "DEFAULT",
    }
    payload = _json_object(line)
    if payload is None:
        return entry | {"textPayload": line}
    _move_special_fields(payload, entry)
    if len(payload) == 1 and isinstance(payload.get("message"), str):
        entry["textPayload"] = payload["message"]
    else:
        entry["jsonPayload"] = payload
    return entry


def severity_name(value: object) -> str:
    """Google's name of a severity given as a name, an alias or a number; DEFAULT for anything else."""
    text = str(value).strip().upper()
    text = _ALIASES.get(text, text)
    if text.isascii() and text.isdigit() and len(text) < 10:
        below = [name for name, number in SEVERITIES.items() if number <= int(text)]
        return below[-1]
    return text if text in SEVERITIES else "DEFAULT"


def _cut(line: str) -> str:
    encoded = line.encode(errors="replace")
    if len(encoded) <= MAX_ENTRY_BYTES:
        return line
    note = f" …[cut: {len(encoded)} bytes, an entry holds {MAX_ENTRY_BYTES}]"
    return encoded[: MAX_ENTRY_BYTES - len(note.encode())].decode(errors="ignore") + note


def _json_object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line, parse_constant=_refuse_constant) if line.startswith("{") else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _move_special_fields(payload: dict[str, Any], entry: LogEntry) -> None:
    if "severity" in payload:
        entry["severity"] = severity_name(payload.pop("severity"))
    for key, (field, kind) in _MOVED.items():
        if isinstance(payload.get(key), kind):
            entry[field] = payload.pop(key)
    if isinstance(payload.get(f"{_PREFIX}labels"), dict):
        own = payload.pop(f"{_PREFIX}labels")
        entry["labels"] |= {str(key): str(value) for key, value in own.items()}
    timestamp = _take_time(payload)
    if timestamp:
        entry["timestamp"] = timestamp


def _take_time(payload: dict[str, Any]) -> str | None:
    """The first usable of `timestamp{seconds,nanos}`, `timestampSeconds`/`timestampNanos`, `time` (RFC 3339)."""
    stamp = payload.get("timestamp")
    if isinstance(stamp, dict) and (text := _rfc3339(stamp.get("seconds"), stamp.get("nanos"))):
        del payload["timestamp"]
        return text
    if text := _rfc3339(payload.get("timestampSeconds"), payload.get("timestampNanos")):
        del payload["timestampSeconds"]
        payload.pop("timestampNanos", None)
        return text
    parsed = Timestamp()
    try:
        parsed.FromJsonString(payload["time"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    del payload["time"]
    return parsed.ToJsonString()


def _rfc3339(seconds: Any, nanos: Any) -> str | None:
    try:
        return Timestamp(seconds=int(seconds), nanos=int(nanos or 0)).ToJsonString()
    except (ValueError, TypeError, OverflowError):
        return None
