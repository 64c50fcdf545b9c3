"""The two clients for other services behind one face, so that one table tests both."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.async_calls import AsyncNextService
from app.calls import NextService
from app.deadline import Deadline


@dataclass
class Read:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Calling = Callable[..., Read]


def within(seconds: float) -> Deadline:
    """The deadline of what begins now."""
    return Deadline(time.monotonic(), seconds)


def by_requests(url: str, method: str, seconds: float, *, times: int = 1, **kwargs: Any) -> Read:
    """Call by NextService, `times` times on one client; the last answer.

    The `seconds` begin when client and token are there: these are made for the first time, and that takes its time.
    """
    service = NextService("next", url)
    service._token.current(within(60))
    limit = within(seconds)
    for _ in range(times):
        with service.call(method, "/path", limit, **kwargs) as answer:
            read = Read(answer.status, answer.headers, answer.read())
    return read


def by_httpx(url: str, method: str, seconds: float, *, times: int = 1, **kwargs: Any) -> Read:
    """The same by AsyncNextService."""

    async def calls() -> Read:
        async with service(url) as next_service:
            await next_service._token.awaited(within(60))
            limit = within(seconds)
            for _ in range(times):
                async with await next_service.call(method, "/path", limit, **kwargs) as answer:
                    read = Read(answer.status, answer.headers, await answer.read())
            return read

    return asyncio.run(calls())


@asynccontextmanager
async def service(url: str) -> AsyncIterator[AsyncNextService]:
    """An AsyncNextService that leaves no connection behind."""
    made = AsyncNextService("next", url)
    try:
        yield made
    finally:
        await made.aclose()
