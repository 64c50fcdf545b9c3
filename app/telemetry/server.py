"""The outermost ASGI layer: one server span per request, and what decides whether the part of the trace is kept.

Probes get no span. What this does for a request that is not exported is all that tracing costs: few objects, and for
each message of an answer a plain call instead of one more coroutine (docs/performance.md).
"""

from contextvars import Token

from fastapi import FastAPI
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace.propagation import _SPAN_KEY
from starlette.types import ASGIApp, Receive, Scope, Send

from app.telemetry import propagation
from app.telemetry.debug_lines import hold
from app.telemetry.keeping import PART
from app.telemetry.request import SEND_WAIT_S, Request
from app.telemetry.serving import Serving

PROBE = "/healthz"
_SEEN = "app.telemetry"


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
            scope[_SEEN] = True  # an application that is mounted in this one may be instrumented too
            request = Request(serving, scope, send, self._application)
        except Exception:  # a fault of ours is no reason to fail a request
            serving.fault()
            await self._app(scope, receive, send)
            return
        # Whatever the connection's context holds belongs to no request, or to another one.
        token: Token[Context] | None = attach(Context({_SPAN_KEY: request, PART: request.part}))
        if serving.coldstart.waiting:
            serving.coldstart.tell(request)
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
            if request.returned() and serving.frozen:
                await serving.parts.outbox.sent(SEND_WAIT_S)
            if lines is not None:
                lines.settle(request.has_failed)
            if token is not None:
                detach(token)


def _is_probe(scope: Scope) -> bool:
    # Cloud Run's own come straight to the container; what passes its front end gets trace headers there, and is
    # counted as a request, so its span must not be missing (infra/promql.py).
    return not any(name in propagation.READ for name, _ in scope["headers"])
