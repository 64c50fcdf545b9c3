"""The span of a request that is served: the current span while it runs, told by method and route when it is exported."""

import random
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind

from app.telemetry.keeping import ATTRIBUTE
from app.telemetry.late_span import LateSpan
from app.telemetry.part import Part
from app.telemetry.propagation import FLAGS, Arrived, arrived
from app.telemetry.serving import Serving


class ServerSpan(LateSpan):
    """Ended by `server.py`. `headers` are those of `propagation.READ`; its ids are made of them when first asked for.

    `request` is what it is described from, once it is to be exported; `http_status` 0 is none.
    """

    http_status = 0
    request: Mapping[str, Any] | None = None
    _known: SpanContext | None = None

    def __init__(
        self,
        trace_id: int,
        part: Part,
        serving: Serving,
        headers: Mapping[bytes, bytes],
        arrived: Arrived | None,
    ) -> None:
        self._trace_id, self.part, self._serving, self.headers = trace_id, part, serving, headers
        self._arrived = arrived
        self._span_id = random.getrandbits(64) or 1  # now, as two threads may ask first
        self.start_time = time.time_ns()

    def get_span_context(self) -> SpanContext:
        """Its ids."""
        return self._known or self._made()

    @property
    def parent(self) -> SpanContext | None:
        """The caller's span, if there is one to trust."""
        self.get_span_context()
        return self._arrived.parent if self._arrived else None

    def _made(self) -> SpanContext:
        if self._arrived is None:
            self._arrived = arrived(self.headers, public=self._serving.public)
        _, is_random, parent = self._arrived
        flags = FLAGS[self.part.head | is_random << 1]
        state = parent.trace_state if parent else None
        self._known = SpanContext(self._trace_id, self._span_id, False, flags, state)
        return self._known

    def readable(self) -> ReadableSpan:
        """The exported form, by OpenTelemetry's FastAPI instrumentation."""
        from app.telemetry import attributes  # half a dozen modules that no request waits for

        name, of_request = attributes.of_request(self.request) if self.request else ("", {})
        of_status, status = attributes.of_status(self.http_status)
        if status is not None:
            self._settle_status(status)
        told = {**of_request, **self.own_attributes(), **of_status, ATTRIBUTE: self.part.reason}
        return self._exported(name, SpanKind.SERVER, self._serving.resource, told, attributes.SERVER)
