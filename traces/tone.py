"""How alarming a status or a severity is: decided once, for every view. What it looks like is each view's own part."""

from typing import Literal

from traces.span import Span

Tone = Literal["ok", "warn", "bad", ""]


def is_failure(span: Span) -> bool:
    """Whether a span is drawn as failed: not for an answer 4xx, as asking whether an object exists is no failure.

    OpenTelemetry marks the client's span of any 4xx as an error (opentelemetry.io/docs/specs/semconv/http/http-spans).
    """
    return span.failed and not 400 <= (span.http_status or 0) < 500


def span_tone(span: Span) -> Tone:
    """Bad for what failed; else by its status."""
    return "bad" if is_failure(span) else status_tone(span.status)


def status_tone(status: str) -> Tone:
    """Bad for 5xx and ERROR, warn for 4xx, ok for any other; nothing for none."""
    if status == "ERROR" or status.startswith("5"):
        return "bad"
    return "warn" if status.startswith("4") else "ok" if status else ""


def severity_tone(severity: str) -> Tone:
    """Bad from ERROR on, warn for WARNING, ok for INFO and NOTICE; nothing for the rest (logging v2, LogSeverity)."""
    if severity in ("ERROR", "CRITICAL", "ALERT", "EMERGENCY"):
        return "bad"
    return "warn" if severity == "WARNING" else "ok" if severity in ("INFO", "NOTICE") else ""
