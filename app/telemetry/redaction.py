"""What may be told of URLs, errors and their causes: the keys of a query, never its values, and no credentials.

Not here: an application's own secrets in attributes that it sets itself.
"""

import re
from collections.abc import Mapping

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status
from opentelemetry.util.types import AttributeValue

from app.telemetry.log_secrets import HIDDEN, without_credentials

# A traceback's end says what went wrong; the Telemetry API takes values of 64 KiB.
MAX_TEXT = 8192
# Each search is linear, as strangers choose the text.
_VALUE = re.compile(r"([?&][^\s=?&#'\"<>]*=)[^\s&#'\"<>]+")
_USERINFO = re.compile(r"(?<=//)[^\s/?#'\"<>]*@")
_HEADER = re.compile(
    r"(?i)\b((?:authorization|cookie)['\"]?: ?[b'\"]*|\b(?:bearer|basic) )[^'\"\s,)}][^'\"\n,)}]*"
)


def redacted(query: str) -> str:
    """The query's keys; any value may be a secret."""
    return "&".join(part.partition("=")[0] + "=REDACTED" for part in query.split("&") if part)


def without_values(url: str) -> str:
    """The URL with the values of its query redacted, and without its fragment."""
    head, found, query = url.partition("#")[0].partition("?")
    return f"{head}?{redacted(query)}" if found else head


def text(told: str) -> str:
    """An error's text, or a traceback, without the values in its URLs and without credentials. At most MAX_TEXT of its end."""
    told = without_credentials(told[-MAX_TEXT:])
    if "=" in told:
        told = _VALUE.sub(rf"\1{HIDDEN}", told)
    if "@" in told:
        told = _USERINFO.sub(f"{HIDDEN}@", told)
    return _HEADER.sub(rf"\1{HIDDEN}", told)


def without_secrets(span: ReadableSpan) -> ReadableSpan:
    """`span` with its exceptions and its status cleared of them; the same object if it has neither."""
    status = span.status
    if not span.events and not status.description:
        return span
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=[_cleared(event) if event.name == "exception" else event for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(status.status_code, text(status.description)) if status.description else status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _cleared(event: Event) -> Event:
    attributes: Mapping[str, AttributeValue] = event.attributes or {}
    told = {key: text(value) if isinstance(value, str) else value for key, value in attributes.items()}
    return Event(event.name, told, event.timestamp)
