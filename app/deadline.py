"""The time a request has left: read from its caller, obeyed here, handed to the next hop.

Blocking work runs in threads, which nothing can cancel: after its deadline a thread works on, unheard.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import ParamSpec, Self, TypeVar

from app.settings import Settings

HEADER = "x-request-timeout-ms"
# What the answer needs to travel back: the next hop gives up this much earlier than its caller.
HOP_MARGIN_S = 0.010

_MILLISECONDS = re.compile(r"[0-9]{1,9}")
# As many as Cloud Run's default concurrency; a service with more of it lets requests wait for each other's threads.
_threads = ThreadPoolExecutor(max_workers=80, thread_name_prefix="call")

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
    def remaining_s(self) -> float:
        """Seconds left; 0 when spent."""
        return max(0.0, self.started + self.seconds - time.monotonic())

    @property
    def header(self) -> str:
        """What the next hop is told, in whole milliseconds."""
        return str(max(0, int((self.remaining_s - HOP_MARGIN_S) * 1000)))

    def require(self) -> float:
        """Seconds left. Raises TimeoutError when there are none."""
        if remaining := self.remaining_s:
            return remaining
        raise TimeoutError("the request's time is spent")

    async def await_for(self, work: Awaitable[T]) -> T:
        """Await `work`. Raises TimeoutError, and cancels it, when the deadline passes first."""
        async with asyncio.timeout(self.remaining_s):
            return await work

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call blocking `function` in a thread, in this context. Raises TimeoutError when the deadline passes first."""
        context = copy_context()
        self.require()
        call = asyncio.get_running_loop().run_in_executor(
            _threads, lambda: context.run(function, *args, **kwargs)
        )
        return await self.await_for(call)
