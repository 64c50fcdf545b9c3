"""The span of a request that is served: the current span while it runs, told by method and route when it is exported."""

import random
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind
from starlette.types import Scope

from app.telemetry import propagation
from app.telemetry.keeping import ATTRIBUTE
from app.telemetry.late_span import LateSpan
from app.telemetry.part import Part
from app.telemetry.propagation import FLAGS, Arrived
from app.telemetry.serving import Serving

TIMEOUT = b"x-request-timeout-ms"
_WANTED = propagation.READ | {TIMEOUT}
_DESCRIBED = frozenset((b"host", b"user-agent"))


class ServerSpan(LateSpan):
    """Its ids are made out of the request's headers when somebody asks for them, which few requests do.

    `described` is what it is told by, once it is to be exported; `http_status` 0 is none. Who still has it as the current
    span after the request, such as a long-lived task, holds no more of it than its trace headers and what is told.
    """

    http_status = 0
    described: Mapping[str, Any] | None = None
    _arrived: Arrived | None = None
    _known: SpanContext | None = None

    def __init__(self, serving: Serving, scope: Scope, application: object) -> None:
        # Read now: middleware may change the list.
        headers = self._headers = propagation.read(scope["headers"], _WANTED)
        trace_id = propagation.trace_id(headers)
        if not trace_id:
            self._arrived = propagation.arrived(headers, public=serving.public)
            trace_id = self._arrived.trace_id or random.getrandbits(128) or 1
        self._trace_id, self._serving = trace_id, serving
        # The path as it came: middleware may rewrite it.
        self._scope, self._path, self._application = scope, scope["path"], application
        self._span_id = random.getrandbits(64) or 1  # now, as two threads may ask first
        parts = serving.parts
        parts.counters.started += 1
        self.part = Part(parts, parts.sampler.keeps(trace_id))
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
            self._arrived = propagation.arrived(self._headers, public=self._serving.public)
        _, is_random, parent = self._arrived
        flags = FLAGS[self.part.head | is_random << 1]
        state = parent.trace_state if parent else None
        self._known = SpanContext(self._trace_id, self._span_id, False, flags, state)
        return self._known

    def export(self) -> None:
        """Give it to the outbox, once: with those parts of the scope that may be told, and without the scope."""
        scope, self._scope = self._scope, {}
        self.described = {
            "type": scope["type"],
            "method": scope.get("method", ""),
            "path": self._path,
            # A mounted application has changed the other.
            "root_path": scope.get("app_root_path", scope.get("root_path", "")),
            "query_string": scope.get("query_string", b""),
            "scheme": scope.get("scheme", "http"),
            "http_version": scope.get("http_version", "1.1"),
            "server": scope.get("server"),
            "client": scope.get("client"),
            "headers": [pair for pair in scope["headers"] if pair[0] in _DESCRIBED],
            "app": self._application,
        }
        self._serving.parts.outbox.put(self)

    def readable(self) -> ReadableSpan:
        """The exported form, by OpenTelemetry's FastAPI instrumentation."""
        from app.telemetry import attributes  # half a dozen modules that no request waits for

        name, of_request = attributes.of_request(self.described) if self.described else ("", {})
        of_status, status = attributes.of_status(self.http_status)
        if status is not None:
            self._settle_status(status)
        told = {**of_request, **self.own_attributes(), **of_status, ATTRIBUTE: self.part.reason}
        return self._exported(name, SpanKind.SERVER, self._serving.resource, told, attributes.SERVER)
