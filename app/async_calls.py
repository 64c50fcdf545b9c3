"""`calls.py` for `async def`: the same guarantees and the same errors, without threads, by httpx.

The instrumentation of httpx adds the trace headers. Nothing else here needs httpx, so who does not import this file
does not pay for it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLError
from typing import Any, Self

import httpx

from app import deadline as deadlines
from app import outcomes, retries
from app.calls import own_headers, rooted
from app.deadline import Deadline
from app.identity import NoIdentity, Refreshed
from app.retries import Attempts, Failure

# As many requests as Cloud Run lets in at once may call at once; connections kept for the next ones are fewer.
_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=80)


class AsyncAnswer:
    """What a service said, always with a status 2xx. Its body is read within the deadline; leave it by `async with`."""

    def __init__(self, name: str, response: httpx.Response, limit: Deadline) -> None:
        self.status, self.headers = response.status_code, response.headers
        self._name, self._response, self._limit = name, response, limit

    async def chunks(self, size: int) -> AsyncIterator[bytes]:
        """The body as it comes, in pieces of `size` bytes. Raises TimeoutError, or Problem 502 where it breaks off."""
        async with self:
            pieces = aiter(self._response.aiter_bytes(size))
            while True:
                try:
                    self._limit.require()
                    piece = await self._limit.await_for(anext(pieces))
                except StopAsyncIteration:
                    return
                except (httpx.HTTPError, TimeoutError) as error:
                    raise outcomes.broken(self._name, error) from error
                yield piece

    async def read(self) -> bytes:
        """The whole body. Raises as `chunks` does."""
        return b"".join([piece async for piece in self.chunks(65536)])

    async def json(self) -> Any:
        """The body, parsed. Raises as `chunks` does, and Problem 502 for one that is not JSON."""
        return outcomes.parsed(self._name, await self.read())

    async def aclose(self) -> None:
        """Give the connection back, or end it if more was to come."""
        await self._response.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()


class AsyncNextService:
    """One service of `SERVICE_URLS`, called with our identity. Its connections belong to one event loop."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url
        self._token = Refreshed(audience=url)
        self._budget = retries.Budget()
        self._client = httpx.AsyncClient(
            headers={"accept-encoding": "identity"},  # a body is passed on as it is
            trust_env=False,  # no proxies and no .netrc, which would replace our Authorization header
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # one caller's is not another's
            follow_redirects=False,
            limits=_LIMITS,
        )

    async def call(
        self,
        method: str,
        path: str,
        deadline: Deadline | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        idempotent: bool | None = None,
    ) -> AsyncAnswer:
        """The answer (2xx) with its body unread. Raises Problem 502, TimeoutError, or the hop's own 4xx problem;
        ValueError for a `path` that does not begin with "/".

        Without `deadline` the running request's holds. What is `idempotent` (by default: by its method) is tried
        again where that may help (`retries.py`).
        """
        limit = deadline or deadlines.of_this_request()
        limit.require()
        send = partial(self._send, method, rooted(path), limit, headers or {}, body)
        try:
            response = await limit.await_for(
                _answered(send, Attempts(self._budget, limit, method, idempotent))
            )
        except (httpx.HTTPError, httpx.InvalidURL, NoIdentity, TimeoutError) as error:
            raise outcomes.unreachable(self.name, error) from error
        if response.is_success:
            return AsyncAnswer(self.name, response, limit)
        try:
            fault = await _callers_fault(method, response, limit)
        finally:
            await response.aclose()
        raise outcomes.refusal(self.name, response.status_code, fault)

    async def aclose(self) -> None:
        """End all connections. A service need not: they end with its process."""
        await self._client.aclose()

    async def _send(
        self, method: str, path: str, limit: Deadline, headers: Mapping[str, str], body: bytes | None
    ) -> httpx.Response:
        token = (await self._token.awaited(limit)).token
        remaining = limit.require()
        request = self._client.build_request(
            method,
            self._url + path,
            content=body,
            headers=own_headers(headers, token, limit),
            # Each is the limit of one wait; the deadline is that of them all.
            timeout=httpx.Timeout(remaining, connect=retries.attempt_s(remaining)),
        )
        return await self._client.send(request, stream=True)


async def _answered(send: Callable[[], Awaitable[httpx.Response]], attempts: Attempts) -> httpx.Response:
    while True:
        try:
            response = await send()
        except httpx.TransportError as error:
            pause = attempts.pause(_failure(error))
            if pause is None:
                raise
        else:
            failure = retries.of_status(response.status_code, response.headers.get("retry-after"))
            pause = attempts.pause(failure)
            if pause is None:
                return response
            await response.aclose()
        await asyncio.sleep(pause)


def _failure(error: httpx.TransportError) -> Failure | None:
    causes = list(retries.causes(error))
    name = type(causes[-1]).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return None if any(isinstance(cause, SSLError) for cause in causes) else Failure(name, unsent=True)
    # A pooled connection that the other side closed as we wrote.
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return Failure(name, at_once=True)
    return None


async def _callers_fault(method: str, response: httpx.Response, limit: Deadline) -> bytes | None:
    if not outcomes.is_callers_fault(method, response.status_code, response.headers.get("content-type")):
        return None
    try:
        return await limit.await_for(response.aread())
    except (httpx.HTTPError, TimeoutError):
        return b""
