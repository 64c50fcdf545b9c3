"""What the template's own variables may hold, so that a wrong one is refused before a deployment instead of at start.

The application stays the judge (`app/settings.py`; a test compares both). A variable that is not listed is a fork's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_TRUTHS = ["true", "false", "1", "0", "yes", "no", "y", "n", "on", "off", "t", "f"]


@dataclass(frozen=True)
class Variable:
    """What is allowed, in words and as a test of the text; an empty text counts as unset everywhere."""

    must: str
    accepts: Callable[[str], bool] = lambda text: True


def _matching(must: str, pattern: str) -> Variable:
    return Variable(must, lambda text: re.fullmatch(pattern, text) is not None)


def _one_of(must: str, *values: str) -> Variable:
    return Variable(must, lambda text: text in values)


def whole(text: str) -> int | None:
    """The whole number of up to 18 digits that a text is, as the application reads it; None if it is none."""
    digits = re.fullmatch(r"\s*\+?0*([0-9]{1,18})(\.0{0,18})?\s*", text)
    return int(digits[1]) if digits else None


def _whole(must: str, least: int, most: int = 10**18) -> Variable:
    def accepts(text: str) -> bool:
        number = whole(text)
        return number is not None and least <= number <= most

    return Variable(must, accepts)


def _seconds(must: str, most: float) -> Variable:
    def accepts(text: str) -> bool:
        try:
            return 0 < float(text) <= most
        except ValueError:
            return False

    return Variable(must, accepts)


_BOOLEAN = Variable("true or false", lambda text: text.lower() in _TRUTHS)
_URL = _matching("an http(s) URL without credentials", r"https?://[^/?#\s@]+(/[^?#\s]*)?")
_TEXT, _FILE = Variable("text"), Variable("a file name")
_LIMIT = _matching("a whole number from 0 to 999999999", r"\s*[0-9]{0,9}\s*")
_GOOGLE = (
    r"(https://([a-z0-9-]+\.)*googleapis\.com(:443)?"
    r"|http://(localhost|127(\.(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}|\[::1\])(:[0-9]+)?)"
)

VARIABLES: dict[str, Variable] = {
    "CLOUD_TRACE_ENDPOINT": _TEXT,
    "GEMINI_MODEL": _TEXT,
    "GOOGLE_APPLICATION_CREDENTIALS": _FILE,
    "GOOGLE_CLOUD_LOCATION": Variable("a region, or global"),
    "GOOGLE_VERTEX_BASE_URL": _matching(
        "an https URL of googleapis.com, or an http one of this machine", _GOOGLE + "/?"
    ),
    "LOG_DEBUG_ON_ERROR": _BOOLEAN,
    "LOG_LEVEL": _one_of("DEBUG, INFO, WARNING or ERROR", "DEBUG", "INFO", "WARNING", "ERROR"),
    "MAX_DOCUMENT_BYTES": _whole("whole bytes above 0", 1),
    "OTEL_BSP_SCHEDULE_DELAY": _whole("whole milliseconds from 1 to 60000", 1, 60_000),
    "OTEL_EXPORTER_OTLP_CERTIFICATE": _FILE,
    "OTEL_EXPORTER_OTLP_COMPRESSION": _one_of("none or gzip", "none", "gzip"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": _URL,
    "OTEL_EXPORTER_OTLP_TIMEOUT": _seconds("seconds above 0 up to 30", 30),
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": _URL,
    "OTEL_SDK_DISABLED": _BOOLEAN,
    "PIPELINE_STEP": _one_of("receive, extract or store", "receive", "extract", "store"),
    "REQUEST_BUDGET_MS": _whole("whole milliseconds above 0", 1),
    "OTEL_ATTRIBUTE_COUNT_LIMIT": _LIMIT,
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": _LIMIT,
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": _LIMIT,
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": _LIMIT,
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": _LIMIT,
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": _LIMIT,
    "OTEL_SPAN_EVENT_COUNT_LIMIT": _LIMIT,
    "OTEL_SPAN_LINK_COUNT_LIMIT": _LIMIT,
}
"""Variables of the template that a service's `env` may set."""

NOT_HERE = {
    "GCE_METADATA_HOST": "since the platform's own metadata server is asked",
    "HOST": "since Cloud Run reaches a container on every address, which is the default",
    "PORT": "since Cloud Run sets this variable",
}
"""Variables that only a process on a laptop, or Cloud Run, has set; and why."""

UNREAD = {
    "OTEL_TRACES_SAMPLER": "set blueprint:tracing.sample_ratio",
}
"""Variables of OpenTelemetry that the template does not read, and what does the same."""

SECRET = re.compile(
    r"(^|_)(APIKEY|(?<!PUBLIC_)(?<!PARTITION_)(?<!CACHE_)(?<!SORT_)KEY|TOKEN|PAT|PASS(WORD|WD|PHRASE)?|SECRET(_VALUE)?)$"
    r"|_PWD$|^OTEL_EXPORTER_OTLP_(TRACES_)?HEADERS$"
)
"""Names of variables that hold secrets, the template's or a fork's. A public, partition, cache or sort key is none."""

MAX_DOCUMENT_BYTES = 32 * 1024 * 1024
"""The template's own default."""


def meant(name: str) -> str | None:
    """The template's variable that `name` is a slip of: other underscores, or one letter off in a name of some length."""
    for known in VARIABLES:
        if name != known and name.replace("_", "") == known.replace("_", ""):
            return known
    if name in VARIABLES or len(name) < 8:
        return None
    return next((known for known in VARIABLES if _one_slip(name, known)), None)


def _one_slip(one: str, other: str) -> bool:
    """Whether one letter is missing, superfluous, wrong, or swapped with its neighbour."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1:
        return False
    if len(short) < len(long):
        return any(long[:i] + long[i + 1 :] == short for i in range(len(long)))
    differ = [i for i, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]]
    swapped = len(differ) == 2 and differ[1] == differ[0] + 1
    return len(differ) == 1 or (
        swapped and sorted(one[i] for i in differ) == sorted(other[i] for i in differ)
    )
