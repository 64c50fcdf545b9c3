"""The span of a request that is served: the current span while it runs, told by method and route when it is exported."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind

from app.telemetry.keeping import ATTRIBUTE
from app.telemetry.late_span import LateSpan
from app.telemetry.parts import Part


class ServerSpan(LateSpan):
    """Ended by `server.py`. `request` is what it is described from, once it is to be exported; `http_status` 0 is none."""

    http_status = 0
    request: Mapping[str, Any] | None = None

    def __init__(
        self, context: SpanContext, parent: SpanContext | None, part: Part, resource: Resource
    ) -> None:
        super().__init__(context, parent, part)
        self._resource = resource

    def readable(self) -> ReadableSpan:
        """The exported form, by OpenTelemetry's FastAPI instrumentation."""
        from app.telemetry import attributes  # half a dozen modules that no request waits for

        name, of_request = attributes.of_request(self.request) if self.request else ("", {})
        of_status, status = attributes.of_status(self.http_status)
        if status is not None:
            self.set_status(status)
        return ReadableSpan(
            name=self._name or name,
            context=self._context,
            parent=self.parent,
            resource=self._resource,
            attributes={**of_request, **self.own_attributes(), **of_status, ATTRIBUTE: self.part.reason},
            events=tuple(self._events or ()),
            links=tuple(self._links or ()),
            kind=SpanKind.SERVER,
            status=self._status,
            start_time=self.start_time,
            end_time=self.end_time,
            instrumentation_scope=attributes.SERVER,
        )
