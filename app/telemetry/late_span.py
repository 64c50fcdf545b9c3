"""A span that costs little while it runs: ids and times. Its exported form is made later, if its part is kept at all.

All of the OpenTelemetry API works on it; what is set by it is stored as it comes. Not here: names and attributes by
convention (`attributes.py`), and what starts and ends it (`request.py`, `client.py`).
"""

import time
import traceback
from collections.abc import Mapping

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from app.telemetry.log_values import shown
from app.telemetry.part import Part
from app.telemetry.redaction import MAX_TEXT, tail

# The SDK's own limits.
MAX_ATTRIBUTES, MAX_EVENTS, MAX_LINKS = 128, 128, 128

_UNSET = Status()


class LateSpan(Span):
    """Started when made, at `start_time` in ns since the epoch; `end_time` is 0 while it runs."""

    _name: str | None = None
    _attributes: dict[str, AttributeValue] | None = None
    _events: list[Event] | None = None
    _links: list[Link] | None = None
    _status = _UNSET
    _recorded: BaseException | None = None
    end_time = 0

    def __init__(self, context: SpanContext, parent: SpanContext | None, part: Part) -> None:
        self._context, self._parent, self.part = context, parent, part
        self.start_time = time.time_ns()

    def own_attributes(self) -> Mapping[str, AttributeValue]:
        """What was set by the API, within limits."""
        # Copied first: code that still runs may add to it.
        return _bounded(dict(self._attributes)) if self._attributes else {}

    def get_span_context(self) -> SpanContext:
        """Its ids."""
        return self._context

    @property
    def parent(self) -> SpanContext | None:
        """The span above it."""
        return self._parent

    def is_recording(self) -> bool:
        """Until it has ended: it may yet be kept. What is set later is ignored, as OpenTelemetry demands."""
        return not self.end_time

    def end(self, end_time: int | None = None) -> None:
        """Nothing: whoever made it ends it."""

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Store the attribute; one that OpenTelemetry does not allow is left out of the exported form."""
        if self.end_time:
            return
        if self._attributes is None:
            self._attributes = {}
        if key in self._attributes or len(self._attributes) < MAX_ATTRIBUTES:
            self._attributes[key] = tuple(value) if isinstance(value, list) else value

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Store several."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def add_event(
        self, name: str, attributes: Mapping[str, AttributeValue] | None = None, timestamp: int | None = None
    ) -> None:
        """Store the event; beyond MAX_EVENTS the first ones stay."""
        if not self.end_time:
            self._add_event(name, attributes or {}, timestamp)

    def add_link(self, context: SpanContext, attributes: Mapping[str, AttributeValue] | None = None) -> None:
        """Store the link; beyond MAX_LINKS the first ones stay."""
        if self._links is None:
            self._links = []
        if not self.end_time and len(self._links) < MAX_LINKS:
            self._links.append(Link(context, _bounded(attributes or {})))

    def update_name(self, name: str) -> None:
        """Name it otherwise than by convention."""
        if not self.end_time:
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """By OpenTelemetry's rules: OK is final, UNSET changes nothing."""
        if not self.end_time:
            self._settle_status(status if isinstance(status, Status) else Status(status, description))

    def fail(self, error: BaseException) -> None:
        """Record the exception, once, and set ERROR unless a status was set before; after the end too."""
        if isinstance(error, Exception) and self._recorded is not error:
            self._add_event("exception", _told(error), None)
            self._recorded = error
        if self._status.status_code is StatusCode.UNSET:
            self._status = Status(StatusCode.ERROR, f"{type(error).__name__}: {shown(error)}"[:MAX_TEXT])

    def forget(self) -> None:
        """Let go of the exception that was recorded last, and of all that its traceback holds."""
        self._recorded = None

    @property
    def status(self) -> Status:
        """As set so far."""
        return self._status

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, AttributeValue] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """An `exception` event with type, message and traceback, as the SDK makes it."""
        if self.end_time:
            return
        self._recorded = exception
        told = {**_told(exception), "exception.escaped": str(escaped), **(attributes or {})}
        self._add_event("exception", told, timestamp)

    def _exported(
        self,
        name: str,
        kind: SpanKind,
        resource: Resource,
        attributes: Mapping[str, AttributeValue],
        scope: InstrumentationScope,
    ) -> ReadableSpan:
        return ReadableSpan(
            name=self._name or name,
            context=self.get_span_context(),
            parent=self.parent,
            resource=resource,
            attributes=attributes,
            events=tuple(self._events or ()),
            links=tuple(self._links or ()),
            kind=kind,
            status=self._status,
            start_time=self.start_time,
            end_time=self.end_time,
            instrumentation_scope=scope,
        )

    def _add_event(self, name: str, attributes: Mapping[str, AttributeValue], timestamp: int | None) -> None:
        if self._events is None:
            self._events = []
        if len(self._events) < MAX_EVENTS:
            self._events.append(Event(name, _bounded(attributes), timestamp or time.time_ns()))

    def _settle_status(self, new: Status) -> None:
        if self._status.status_code is not StatusCode.OK and new.status_code is not StatusCode.UNSET:
            self._status = new


def _told(exception: BaseException) -> dict[str, AttributeValue]:
    kind = type(exception)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return {
        "exception.type": f"{module}{kind.__qualname__}",
        "exception.message": shown(exception)[:MAX_TEXT],
        "exception.stacktrace": tail("".join(traceback.format_exception(exception))),
        "exception.escaped": "False",
    }


def _bounded(attributes: Mapping[str, AttributeValue]) -> BoundedAttributes:
    return BoundedAttributes(MAX_ATTRIBUTES, attributes, max_value_len=MAX_TEXT)
