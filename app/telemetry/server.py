"""The outermost ASGI layer: one server span per request, and what decides whether the part of the trace is kept.

Probes get no span. What this does for a request that is not exported is all that tracing costs: keep it short.
"""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import StatusCode, get_current_span
from opentelemetry.trace.propagation import _SPAN_KEY
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry import propagation
from app.telemetry.coldstart import ColdStart
from app.telemetry.debug_lines import hold
from app.telemetry.keeping import PART
from app.telemetry.log_values import shown
from app.telemetry.parts import Part, Parts
from app.telemetry.server_span import ServerSpan

PROBE = "/healthz"
TIMEOUT = "x-request-timeout-ms"
# With request-based billing a kept part is sent before the last byte of its response: CPU ends with it.
SEND_WAIT_S = 0.25

_PARENT, _TIMEOUT = propagation.PARENT.encode(), TIMEOUT.encode()
_WANTED = propagation.READ | {_TIMEOUT}
_RESPONSE = propagation.RESPONSE.encode()
_DESCRIBED = frozenset((b"host", b"user-agent"))


@dataclass(frozen=True)
class Serving:
    """What every request needs to know. `frozen`: CPU is taken away after the last byte. `open`: those being served."""

    parts: Parts
    resource: Resource
    public: bool
    frozen: bool
    coldstart: ColdStart
    open: set["Request"] = field(default_factory=set)


def install(app: FastAPI, serving: Serving) -> None:
    """Make ServerSpans the outermost layer of `app`, around Starlette's error layer; before its first request."""
    build = app.build_middleware_stack

    def traced() -> ASGIApp:
        stack = build()
        if isinstance(stack, ServerErrorMiddleware):
            stack.app = Exceptions(stack.app)
        return ServerSpans(stack, serving)

    app.build_middleware_stack = traced  # type: ignore[method-assign]  # add_middleware would put it inside the error layer


class ServerSpans:
    """Gives each HTTP request or WebSocket of `app` its span and its part, and settles the part at the end."""

    def __init__(self, app: ASGIApp, serving: Serving) -> None:
        self._app, self._serving = app, serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan" or scope["path"] == PROBE:
            await self._app(scope, receive, send)
            return
        span, timeout = self._begin(scope)
        request = Request(self._serving, span, timeout, scope, send)
        # Whatever the connection's context holds belongs to no request, or to another one.
        token = attach(Context({_SPAN_KEY: span, PART: span.part}))
        if self._serving.coldstart.waiting:
            self._serving.coldstart.tell(span)
        lines = hold()
        self._serving.open.add(request)
        try:
            await self._app(scope, receive, request.send)
        except BaseException as error:
            request.failed(error)
            raise  # with the context attached: the server logs the error in its task, so in its trace
        else:
            detach(token)
        finally:
            self._serving.open.discard(request)
            request.end()
            if lines is not None:
                lines.settle(request.has_failed)

    def _begin(self, scope: Scope) -> tuple[ServerSpan, bytes]:
        serving, found = self._serving, dict[bytes, bytes]()
        for name, value in scope["headers"]:
            if name in _WANTED:
                found[name] = b"" if name in found else value  # sent twice: believed in neither form
        # All that the decision needs. Parent and ids are read when somebody asks for them, which few requests do.
        trace_id, arrived = propagation.trace_id(found.get(_PARENT, b"")), None
        if not trace_id:
            arrived = propagation.arrived(found, public=serving.public)
            trace_id = arrived.trace_id or random.getrandbits(128) or 1
        part = Part(serving.parts, serving.parts.sampler.keeps(trace_id))
        serving.parts.counters.started += 1
        span = ServerSpan(trace_id, part, serving.resource, found, arrived, public=serving.public)
        return span, b"" if serving.public else found.get(_TIMEOUT, b"")


class Request:
    """One request on its way through the application."""

    __slots__ = (
        "_application", "_connection", "_root_path", "_scope", "_send", "_serving", "_timeout", "has_failed", "span",
    )  # fmt: skip

    def __init__(self, serving: Serving, span: ServerSpan, timeout: bytes, scope: Scope, send: Send) -> None:
        self._serving, self.span, self._timeout, self._scope, self._send = serving, span, timeout, scope, send
        self._connection = getattr(send, "__self__", None)
        # A mounted application changes these.
        self._root_path, self._application = scope.get("root_path", ""), scope["app"]
        self.has_failed = False

    async def send(self, message: Message) -> None:
        """Pass the application's answer on, decide by it, and end the span with its last byte."""
        kind = message["type"]
        if kind == "http.response.start":
            message = self._starts(message)
        elif kind == "http.response.body" and not message.get("more_body", False):
            await self._ends(message)
            return
        await self._send(message)

    def _starts(self, message: Message) -> Message:
        span, part = self.span, self.span.part
        span.http_status = status = message["status"]
        if status >= 500:
            self.has_failed = True
            part.keep("error")
        if not part.head:
            self._judge(time.time_ns())
        if not part.kept:
            return message
        told = propagation.response_header(span.get_span_context()).encode()
        return {**message, "headers": [*message.get("headers", ()), (_RESPONSE, told)]}

    async def _ends(self, message: Message) -> None:
        part, outbox = self.span.part, self._serving.parts.outbox
        now = time.time_ns()
        if not part.head:
            self._judge(now)
        if not self._serving.frozen:
            await self._send(message)
            self._finish(time.time_ns())
            return
        if part.kept and not part.head:
            self._finish(now)
            await outbox.sent(SEND_WAIT_S)
        await self._send(message)
        self._finish(now)  # as of before: once the byte has left we may be frozen before the next line
        if len(self._serving.open) == 1:
            outbox.hurry()  # CPU ends with the last request that is being served

    def failed(self, error: BaseException) -> None:
        """An exception left the application, or the server gave up on the request (CancelledError)."""
        self.has_failed = True
        self.span.fail(error)
        self.span.part.keep("error")

    def abandon(self) -> None:
        """The process is about to end although this request is not: what it did so far is kept."""
        self.span.set_attribute("unfinished", True)
        self.span.part.keep("error")
        self._finish(time.time_ns())

    def end(self) -> None:
        """The application has returned, background tasks included: nothing more is decided."""
        span = self.span
        if not span.end_time:  # no last byte: the answer was cut, or this is a WebSocket
            self.has_failed = self.has_failed or self._scope["type"] == "http"
            if getattr(self._connection, "disconnected", False):
                span.part.keep("disconnect")
            self._finish(time.time_ns())
        span.part.settle()
        if span.part.kept and span.request is None:  # kept after the last byte, by a background task
            self._export()

    def _judge(self, now: int) -> None:
        elapsed = now - self.span.start_time
        if elapsed >= self._serving.parts.slow_ns:
            self.span.part.keep("slow")
        if self._timeout and self._timeout.isdigit() and elapsed > int(self._timeout[:9]) * 1_000_000:
            self.span.part.keep("deadline")
        # uvicorn's own word for it: its connection was closed before the answer was complete.
        if getattr(self._connection, "disconnected", False):
            self.span.part.keep("disconnect")

    def _finish(self, end_time: int) -> None:
        if not self.span.end_time:
            self.span.end_time = end_time
            if self.span.part.kept:
                self._export()

    def _export(self) -> None:
        self.span.request = self._described()
        self._serving.parts.outbox.put(self.span)

    def _described(self) -> Mapping[str, Any]:
        """The parts of the scope that may be told; the scope itself is not kept alive."""
        scope = self._scope
        return {
            "type": scope["type"],
            "method": scope.get("method", ""),
            "path": scope["path"],
            "root_path": self._root_path,
            "query_string": scope["query_string"],
            "scheme": scope["scheme"],
            "http_version": scope["http_version"],
            "server": scope.get("server"),
            "client": scope.get("client"),
            "headers": [pair for pair in scope["headers"] if pair[0] in _DESCRIBED],
            "app": self._application,
        }


class Exceptions:
    """Inside Starlette's own error layer: what no handler caught is recorded before that layer answers 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and record."""
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            span = get_current_span()
            if span.is_recording():
                span.record_exception(error)
                span.set_status(StatusCode.ERROR, f"{type(error).__name__}: {shown(error)}")
            raise
