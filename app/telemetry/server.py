"""The outermost ASGI layer: one server span per request, and what decides whether the part of the trace is kept.

Probes get no span. What this does for a request that is not exported is all that tracing costs: few objects, and for
each message of an answer a plain call instead of one more coroutine (docs/performance.md).
"""

import logging
import random
import sys
import time
from collections.abc import Awaitable, Mapping
from contextvars import Token
from typing import Any

from fastapi import FastAPI
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace.propagation import _SPAN_KEY
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry import propagation
from app.telemetry.debug_lines import hold
from app.telemetry.keeping import PART
from app.telemetry.part import Part
from app.telemetry.server_span import ServerSpan
from app.telemetry.serving import Serving

logger = logging.getLogger(__name__)

PROBE = "/healthz"
TIMEOUT = "x-request-timeout-ms"
# With request-based billing a kept part is sent before the last byte of its response: CPU ends with it.
SEND_WAIT_S = 0.25

_PARENT, _TIMEOUT = propagation.PARENT.encode(), TIMEOUT.encode()
_WANTED = propagation.READ | {_TIMEOUT}
_RESPONSE = propagation.RESPONSE.encode()
_SEEN = "app.telemetry"
_DESCRIBED = frozenset((b"host", b"user-agent"))


def install(app: FastAPI, serving: Serving) -> None:
    """Make ServerSpans the outermost layer of `app`, around Starlette's error layer; before its first request."""
    build = app.build_middleware_stack
    # add_middleware would put it inside the error layer
    app.build_middleware_stack = lambda: ServerSpans(build(), serving, app)  # type: ignore[method-assign]


class ServerSpans:
    """Gives each HTTP request or WebSocket of `app` its span and its part, and settles the part at the end."""

    def __init__(self, app: ASGIApp, serving: Serving, application: object) -> None:
        self._app, self._serving, self._application = app, serving, application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan" or _SEEN in scope or (scope["path"] == PROBE and _is_probe(scope)):
            await self._app(scope, receive, send)
            return
        serving = self._serving
        try:
            request = self._begin(serving, scope, send)
        except Exception:  # a fault of ours is no reason to fail a request
            fault(serving)
            await self._app(scope, receive, send)
            return
        # Whatever the connection's context holds belongs to no request, or to another one.
        token: Token[Context] | None = attach(Context({_SPAN_KEY: request.span, PART: request.span.part}))
        if serving.coldstart.waiting:
            serving.coldstart.tell(request.span)
        lines = hold()
        serving.open.add(request)
        try:
            await self._app(scope, receive, request.send)
        except BaseException as error:
            request.failed(error)
            if request.has_server:
                token = None  # it logs the error in this task, so in its trace; the task ends with it
            raise
        finally:
            serving.open.discard(request)
            if request.end() and serving.frozen:
                await serving.parts.outbox.sent(SEND_WAIT_S)
            if lines is not None:
                lines.settle(request.has_failed)
            if token is not None:
                detach(token)

    def _begin(self, serving: Serving, scope: Scope, send: Send) -> "Request":
        found = dict[bytes, bytes]()
        for name, value in scope["headers"]:
            if name in _WANTED:
                found[name] = b"" if name in found else value  # sent twice: believed in neither form
        # All that the decision needs. Parent and ids are read when somebody asks for them, which few requests do.
        trace_id, arrived = propagation.trace_id(found.get(_PARENT, b"")), None
        if not trace_id:
            arrived = propagation.arrived(found, public=serving.public)
            trace_id = arrived.trace_id or random.getrandbits(128) or 1
        scope[_SEEN] = True  # an application that is mounted in this one may be instrumented too
        parts = serving.parts
        parts.counters.started += 1
        part = Part(parts, parts.sampler.keeps(trace_id))
        span = ServerSpan(trace_id, part, serving, found, arrived)
        return Request(serving, span, scope, send, self._application)


def fault(serving: Serving) -> None:
    """Count and log an exception of our own, which no request is to see."""
    serving.parts.counters.dropped["fault"] += 1
    logger.exception("a request is not traced", extra={"event": "trace_export_failed"})


def _is_probe(scope: Scope) -> bool:
    # Cloud Run's own come straight to the container; what passes its front end gets trace headers there, and is
    # counted as a request, so its span must not be missing (infra/promql.py).
    return not any(name in propagation.READ for name, _ in scope["headers"])


class Request:
    """One request on its way through the application."""

    __slots__ = ("_application", "_path", "_scope", "_send", "_serving", "has_failed", "span")

    def __init__(
        self, serving: Serving, span: ServerSpan, scope: Scope, send: Send, application: object
    ) -> None:
        self._serving, self.span, self._scope, self._send = serving, span, scope, send
        self._application, self._path = application, scope["path"]  # as it came: middleware may rewrite it
        self.has_failed = False

    def send(self, message: Message) -> Awaitable[None]:
        """Pass the application's answer on, decide by it, and end the span with its last byte."""
        kind = message["type"]
        try:
            if kind == "http.response.start":
                message = self._starts(message)
            elif kind == "http.response.body" and not message.get("more_body", False):
                return self._ends(message)
        except Exception:
            fault(self._serving)
        return self._send(message)

    def _starts(self, message: Message) -> Message:
        span, part = self.span, self.span.part
        span.http_status = status = message["status"]
        if status >= 500:
            self.has_failed = True
            part.keep("error")
            # An error layer answers while it handles what nobody caught. Once the answer is out the span is, too.
            error = sys.exception()
            if isinstance(error, Exception) and not isinstance(error, HTTPException):
                span.fail(error)
        if not part.head:
            self._judge(time.time_ns())
        if not part.kept:
            return message
        told = propagation.response_header(span.get_span_context()).encode()
        others = [pair for pair in message.get("headers", ()) if pair[0].lower() != _RESPONSE]
        return {**message, "headers": [*others, (_RESPONSE, told)]}

    def _ends(self, message: Message) -> Awaitable[None]:
        part, now = self.span.part, time.time_ns()
        if not part.head:
            self._judge(now)
        serving = self._serving
        if serving.frozen:
            if (part.kept and not part.head) or (len(serving.open) == 1 and serving.parts.wants_cpu(now)):
                return self._ends_before_the_freeze(message, now)
        elif part.kept:
            return self._ends_after(message)
        self._finish(now)  # with `frozen` as of before: once the byte has left we may be frozen
        return self._send(message)

    async def _ends_before_the_freeze(self, message: Message, now: int) -> None:
        serving, part = self._serving, self.span.part
        last = len(serving.open) == 1  # that is being served: CPU ends with it
        try:
            if last:
                serving.parts.abandon_calls(part)
            self._finish(now)
            if part.kept and not part.head:
                await serving.parts.outbox.sent(SEND_WAIT_S)
        except Exception:
            fault(serving)
        await self._send(message)
        if last:
            serving.parts.outbox.hurry(now)

    async def _ends_after(self, message: Message) -> None:
        await self._send(message)
        try:
            self._finish(time.time_ns())
        except Exception:
            fault(self._serving)

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

    def end(self) -> bool:
        """The application has returned, background tasks included: nothing more is decided.

        Whether its span leaves only now: an answer that was cut, or a failed background task. Raises nothing.
        """
        span = self.span
        try:
            was_queued = span.request is not None
            if not span.end_time:  # no last byte: the answer was cut, or this is a WebSocket
                self.has_failed = self.has_failed or self._scope["type"] == "http"
                if self._is_disconnected():
                    span.part.keep("disconnect")
                self._finish(time.time_ns())
            span.part.settle()
            if span.part.kept and span.request is None:
                self._export()
            span.forget()
            return span.request is not None and not was_queued
        except Exception:
            fault(self._serving)
            return False

    @property
    def has_server(self) -> bool:
        """Whether this is served by uvicorn, which gives each request a task of its own."""
        return hasattr(getattr(self._send, "__self__", None), "disconnected")

    def _judge(self, now: int) -> None:
        span, serving = self.span, self._serving
        elapsed = now - span.start_time
        if elapsed >= serving.parts.slow_ns:
            span.part.keep("slow")
        timeout = b"" if serving.public else span.headers.get(_TIMEOUT, b"")
        if timeout.isdigit() and elapsed > int(timeout[:9]) * 1_000_000:
            span.part.keep("deadline")
        if self._is_disconnected():
            span.part.keep("disconnect")

    def _is_disconnected(self) -> bool:
        # uvicorn's own word for it: its connection was closed before the answer was complete.
        return getattr(getattr(self._send, "__self__", None), "disconnected", False) is True

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
