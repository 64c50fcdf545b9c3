"""The span of a request that `requests` makes: as cheap as the server's, told by OpenTelemetry's own instrumentation."""

import time

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from app.telemetry.keeping import ATTRIBUTE
from app.telemetry.late_span import LateSpan
from app.telemetry.part import Part
from app.telemetry.parts import Parts
from app.telemetry.redaction import without_values


class ClientSpan(LateSpan):
    """Started when made, ended by `close`. `service` is the called one's name, "" for any other address."""

    http_status = 0
    http_version = 0
    error = ""

    def __init__(
        self, parts: Parts, context: SpanContext, parent: SpanContext | None, part: Part, resource: Resource
    ) -> None:
        super().__init__(context, parent, part)
        self._parts, self._resource = parts, resource
        self.method = self.url = self.user_agent = self.service = ""
        parts.opened(context.span_id, part, self)

    def answered(self, status: int, version: int) -> None:
        """An answer's status, and http.client's number for its version (11 is HTTP/1.1)."""
        self.http_status, self.http_version = status, version

    def failed(self, error: BaseException) -> None:
        """No answer. Who did not give it may have kept its part and cannot say so: ours is kept."""
        self.error = type(error).__qualname__
        self.fail(error)
        self.part.keep("downstream")

    @property
    def is_error(self) -> bool:
        """As the instrumentations see it: no answer, or one of 4xx and 5xx that nobody counted on."""
        if self._status.status_code is StatusCode.UNSET:
            return self.http_status >= 400
        return self._status.status_code is StatusCode.ERROR

    def close(self) -> None:
        """End it and hand it to its part."""
        if not self.end_time:
            self.end_time = time.time_ns()
            self._parts.closed(self)

    def abandon(self) -> None:
        """End it although its request still runs: the process is about to end, or to lose its CPU."""
        self.set_attribute("unfinished", True)
        self.close()

    def readable(self) -> ReadableSpan:
        """The exported form, by OpenTelemetry's requests instrumentation."""
        from app.telemetry import attributes

        name, told, status = attributes.of_call(
            self.method, without_values(self.url), self.user_agent, self.http_status, self.http_version
        )
        if status is not None:
            self._settle_status(status)
        if self.error:
            told["error.type"] = self.error
        if self.service:
            name = f"{self.method} {self.service}"
            told["peer.service"] = self.service
        if self.part.root_id == self._context.span_id:
            told[ATTRIBUTE] = self.part.reason
        told |= self.own_attributes()
        return self._exported(name, SpanKind.CLIENT, self._resource, told, attributes.CLIENT)
