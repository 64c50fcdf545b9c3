"""One request on its way through the application: its answer decides whether the part is kept, and ends the span.

Not here: the span's ids and its exported form (`server_span.py`), and what surrounds the request (`server.py`).
"""

import sys
import time
from collections.abc import Awaitable

from starlette.exceptions import HTTPException
from starlette.types import Message, Scope, Send

from app.telemetry import propagation
from app.telemetry.server_span import TIMEOUT, ServerSpan
from app.telemetry.serving import Serving

# With request-based billing a kept part is sent before the last byte of its response: CPU ends with it.
SEND_WAIT_S = 0.25

_RESPONSE = propagation.RESPONSE.encode()


class Request(ServerSpan):
    """The span and what watches the request, as one object: nearly every request needs no more of either."""

    has_failed = False

    def __init__(self, serving: Serving, scope: Scope, send: Send, application: object) -> None:
        super().__init__(serving, scope, application)
        self._send = send

    def send(self, message: Message) -> Awaitable[None]:
        """Pass the application's answer on, decide by it, and end the span with its last byte."""
        kind = message["type"]
        try:
            if kind == "http.response.start":
                message = self._starts(message)
            elif kind == "http.response.body" and not message.get("more_body", False):
                return self._ends(message)
        except Exception:
            self._serving.fault()
        return self._send(message)

    def _starts(self, message: Message) -> Message:
        part = self.part
        self.http_status = status = message["status"]
        if status >= 500:
            self.has_failed = True
            part.keep("error")
            # An error layer answers while it handles what nobody caught. Once the answer is out the span is, too.
            error = sys.exception()
            if isinstance(error, Exception) and not isinstance(error, HTTPException):
                self.fail(error)
        if not part.head:
            self._judge(time.time_ns())
        if not part.kept:
            return message
        told = propagation.response_header(self.get_span_context()).encode()
        others = [pair for pair in message.get("headers", ()) if pair[0].lower() != _RESPONSE]
        return {**message, "headers": [*others, (_RESPONSE, told)]}

    def _ends(self, message: Message) -> Awaitable[None]:
        part, now, serving = self.part, time.time_ns(), self._serving
        if not part.head:
            self._judge(now)
            if self._is_disconnected():
                part.keep("disconnect")
        if serving.frozen:
            goes = part.kept
            if (goes and not part.head) or (len(serving.open) == 1 and serving.parts.wants_cpu(now, goes)):
                return self._ends_before_the_freeze(message, now)
        elif part.kept:
            return self._ends_after(message)
        self._finish(now)  # with `frozen` as of before: once the byte has left we may be frozen
        return self._send(message)

    async def _ends_before_the_freeze(self, message: Message, now: int) -> None:
        parts, part, served = self._serving.parts, self.part, self._serving.open
        last = len(served) == 1  # that is being served: CPU ends with it
        try:
            if last:
                parts.abandon_calls(part)
            self._finish(now)
            if part.kept and not part.head:
                await parts.outbox.sent(SEND_WAIT_S)
        except Exception:
            self._serving.fault()
        await self._send(message)
        if last:
            parts.outbox.hurry(now)

    async def _ends_after(self, message: Message) -> None:
        await self._send(message)
        try:
            self._finish(time.time_ns())
        except Exception:
            self._serving.fault()

    def failed(self, error: BaseException) -> None:
        """An exception left the application, or the server gave up on the request (CancelledError)."""
        self.has_failed = True
        self.fail(error)
        self.part.keep("error")

    def abandon(self) -> None:
        """The process is about to end although this request is not: what it did so far is kept."""
        self.set_attribute("unfinished", True)
        self.part.keep("error")
        self._finish(time.time_ns())

    def returned(self) -> bool:
        """The application has returned, background tasks included: nothing more is decided.

        Whether its span leaves only now: an answer that was cut, or a failed background task. Raises nothing.
        """
        part = self.part
        try:
            was_queued = self.described is not None
            if not self.end_time:  # no last byte: the answer was cut, or this is a WebSocket
                self.has_failed = self.has_failed or self._scope["type"] == "http"
                if self._is_disconnected():
                    part.keep("disconnect")
                self._finish(time.time_ns())
            part.settle()
            if not part.kept:
                return False
            if self.described is None:
                self.export()
            return not was_queued
        except Exception:
            self._serving.fault()
            return False
        finally:
            # Whoever still has this span as the current one, such as a long-lived task, is not to hold all of that.
            self._send, self._scope = _too_late, {}
            self.forget()

    @property
    def has_server(self) -> bool:
        """Whether this is served by uvicorn, which gives each request a task of its own."""
        return hasattr(getattr(self._send, "__self__", None), "disconnected")

    def _judge(self, now: int) -> None:
        serving, elapsed = self._serving, now - self.start_time
        if elapsed >= serving.parts.slow_ns:
            self.part.keep("slow")
        if serving.public:
            return
        timeout = self._headers.get(TIMEOUT, b"")
        if timeout.isdigit() and elapsed > int(timeout[:9]) * 1_000_000:
            self.part.keep("deadline")

    def _is_disconnected(self) -> bool:
        # uvicorn's own word for it: its connection was closed before the answer was complete.
        return getattr(getattr(self._send, "__self__", None), "disconnected", False) is True

    def _finish(self, end_time: int) -> None:
        if not self.end_time:
            self.end_time = end_time
            if self.part.kept:
                self.export()


async def _too_late(message: Message) -> None:
    raise RuntimeError(f"{message['type']} was sent after the application had returned")
