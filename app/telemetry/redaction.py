"""What may be told of URLs, errors and their causes: the keys of a query, never its values, and no credentials.

Not here: an application's own secrets in attributes that it sets itself.
"""

import re
from collections.abc import Mapping

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status
from opentelemetry.util.types import AttributeValue

from app.telemetry.log_secrets import HIDDEN, USERINFO, without_credentials
from app.telemetry.readable import copied

# A traceback's end says what went wrong; the Telemetry API takes values of 64 KiB.
MAX_TEXT = 8192
# Each search is linear, as strangers choose the text.
_WORD = re.compile(r"[^\s'\"<>]+")


def redacted(query: str) -> str:
    """The query's keys; any value may be a secret."""
    parts = (part.partition("=") for part in query.split("&") if part)
    return "&".join(f"{key}={HIDDEN}" if found else HIDDEN for key, found, _ in parts)


def without_values(url: str) -> str:
    """The URL with the values of its query and its credentials redacted, and without its fragment."""
    head, found, query = url.partition("#")[0].partition("?")
    if "@" in head:
        head = USERINFO.sub(f"{HIDDEN}:{HIDDEN}@", head)  # as the instrumentations do
    return f"{head}?{redacted(query)}" if found else head


def text(told: str) -> str:
    """An error's text, or a traceback, without the values in its URLs and without credentials: MAX_TEXT at most."""
    return without_query_values(without_credentials(tail(told)))


def without_query_values(told: str) -> str:
    """An error's text without the values in its URLs; credentials elsewhere in it are left to `without_credentials`."""
    return _WORD.sub(_without_query, told) if "?" in told or "&" in told else told


def _without_query(word: re.Match[str]) -> str:
    head, found, query = word[0].partition("?")
    if found and ("=" in query or "/" in head):
        return f"{head}?{redacted(query.partition('#')[0])}"
    return redacted(word[0]) if "&" in word[0] and "=" in word[0] else word[0]


def tail(told: str) -> str:
    """The last MAX_TEXT characters, from the beginning of a word: half a secret would not be known for one."""
    return told if len(told) <= MAX_TEXT else told[-MAX_TEXT:].split(None, 1)[-1]


def without_secrets(span: ReadableSpan) -> ReadableSpan:
    """`span` with its exceptions and its status cleared of them; the same object if it has neither."""
    status = span.status
    if not span.events and not status.description:
        return span
    events = [_cleared(event) if event.name == "exception" else event for event in span.events]
    cleared = Status(status.status_code, text(status.description)) if status.description else status
    return copied(span, events=events, status=cleared)


def _cleared(event: Event) -> Event:
    attributes: Mapping[str, AttributeValue] = event.attributes or {}
    told = {key: text(value) if isinstance(value, str) else value for key, value in attributes.items()}
    return Event(event.name, told, event.timestamp)
