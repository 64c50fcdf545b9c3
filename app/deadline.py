"""The time a request has left: counted from its arrival, shortened by its caller, obeyed here, handed to the next hop.

Blocking work runs in threads, which nothing can cancel: after its deadline a thread works on, unheard. But every call
that it makes through `calls.py` and `storage.py` ends in time, in a `def` endpoint too.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, Self, TypeVar

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from opentelemetry import trace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import threads
from app.settings import Settings
from app.telemetry import keeping
from app.telemetry.server_span import TIMEOUT
from app.threads import Threads

HEADER = TIMEOUT.decode()
# What the answer needs to travel back: the next hop gives up this much earlier than its caller.
HOP_MARGIN_S = 0.010
# uvloop's timers fire up to this much early: an overrun that close to the limit is one.
CLOCK_S = 0.002

_MILLISECONDS = re.compile(r"[0-9]{1,9}")
_threads = Threads(threads.SIZE)
_current: ContextVar["Deadline | None"] = ContextVar("deadline", default=None)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Deadline:
    """`seconds` from `started` (both by the monotonic clock)."""

    started: float
    seconds: float

    @classmethod
    def of_request(cls, header: str | None, settings: Settings) -> Self:
        """The service's own budget, shortened (never extended) by the caller's header. Garbage is ignored."""
        seconds = min(settings.budget_s, settings.service_timeout_s - HOP_MARGIN_S)
        if header is not None and _MILLISECONDS.fullmatch(header):
            seconds = min(seconds, int(header) / 1000)
        return cls(time.monotonic(), seconds)

    def extended_to(self, seconds: float) -> Self:
        """The same start with another limit: for work that must run to its end once begun."""
        return type(self)(self.started, max(seconds, self.seconds))

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def remaining_s(self) -> float:
        """Seconds left; 0 when spent."""
        return max(0.0, self.seconds - self.elapsed_s)

    @property
    def header(self) -> str:
        """What the next hop is told, in whole milliseconds."""
        return str(max(0, int((self.remaining_s - HOP_MARGIN_S) * 1000)))

    def require(self) -> float:
        """Seconds left. Raises TimeoutError when there are none: to be asked between the steps of long work."""
        if remaining := self.remaining_s:
            return remaining
        raise TimeoutError("the request's time is spent")

    @contextmanager
    def applied(self) -> Iterator[Self]:
        """Within, this is the deadline of all calls that are given no other."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    async def await_for(self, work: Awaitable[T]) -> T:
        """Await `work`. Raises TimeoutError, and cancels it, when the deadline passes first."""
        async with asyncio.timeout(self.remaining_s):
            return await work

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call blocking `function` in a thread, in this context and with this deadline applied.

        Raises TimeoutError when the deadline passes first, be it for want of a free thread.
        """
        context = copy_context()
        context.run(_current.set, self)
        self.require()
        try:
            await self.await_for(_threads.take_place())
        except TimeoutError:
            busy = f"all {_threads.size} are busy, {_threads.abandoned} of them for requests that have ended"
            raise TimeoutError(f"no thread was free in time: {busy}") from None
        return await self.await_for(_threads.start(partial(context.run, function, *args, **kwargs)))


def current() -> Deadline | None:
    """The deadline in force here, if any: of the running request, or one that is `applied`."""
    return _current.get()


def of_this_request() -> Deadline:
    """The deadline in force here, in `async def` and `def` endpoints alike. Raises LookupError where there is none."""
    if limit := _current.get():
        return limit
    raise LookupError("no request is running here: make a Deadline and use it `with deadline.applied():`")


def install(app: FastAPI, settings: Settings) -> None:
    """Start each request's clock when it arrives, and mark the requests that overrun."""
    app.add_middleware(RequestDeadlines, settings=settings)


class RequestDeadlines:
    """Applies to each request its deadline. It cancels nothing: a begun write may have to run to its end."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Each message of a late answer finds the overrun marked before it is sent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A stranger's header is not obeyed: each request it cut short would be a part of a trace that is kept.
        header = None if self._settings.service_public else _header(scope)
        limit = Deadline.of_request(header, self._settings)
        ended = marked = False

        def mark() -> None:
            nonlocal marked
            if not marked and limit.remaining_s < CLOCK_S:
                marked = True
                _mark_overrun(limit)

        async def watched(message: Message) -> None:
            nonlocal ended
            mark()
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        with limit.applied():
            try:
                await self._app(scope, receive, watched)
            finally:
                if not ended:
                    mark()


class BoundedStream(StreamingResponse):
    """A streamed answer that is cut at `limit`, whoever is slow: its source or its reader. The connection then closes."""

    def __init__(self, limit: Deadline, content: Any, status_code: int = 200, **kwargs: Any) -> None:
        super().__init__(content, status_code, **kwargs)
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Raises TimeoutError at the limit."""
        await self._limit.await_for(super().__call__(scope, receive, send))


def _header(scope: Scope) -> str | None:
    name = HEADER.encode()
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def _mark_overrun(limit: Deadline) -> None:
    attributes = {
        "deadline.budget_ms": round(limit.seconds * 1000),
        "deadline.elapsed_ms": round(limit.elapsed_s * 1000),
    }
    trace.get_current_span().add_event("deadline.exceeded", attributes)
    keeping.keep("deadline")
