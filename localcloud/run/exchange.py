"""One request's passage to its container and back. It outlives the client: once abandoned, the answer goes nowhere.

Bodies stream in both directions in the pieces in which they arrive.
"""

from collections.abc import AsyncIterator

import aiohttp
import yarl
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from localcloud.run.instance import Instance
from localcloud.run.ports import HOST
from localcloud.run.refusal import BAD_UPSTREAM, CLIENT_LEFT, OUT_OF_MEMORY, Refusal
from localcloud.run.revision import Revision
from localcloud.run.trace_headers import Hop

# RFC 9110 7.6.1; Expect is answered by the front end itself.
_HOP_BY_HOP = (
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Expect",
)


class Exchange:
    """`run` to the end, whether or not `abandon` is called on the way."""

    def __init__(
        self, request: web.BaseRequest, headers: CIMultiDict[str], hop: Hop, revision: Revision
    ) -> None:
        self._request, self._headers, self._hop, self._revision = request, headers, hop, revision
        self.instance: Instance | None = None
        self.sampled = False
        self.response: web.StreamResponse | None = None
        self.sent = 0
        self._abandoned = False

    @property
    def can_go_on_alone(self) -> bool:
        """Whether the container has, or can still be given, the whole request without the client."""
        return self.instance is not None and self._request.content.at_eof()

    def abandon(self) -> None:
        """The client gets nothing more from this exchange; one that has begun to get an answer is cut off."""
        self._abandoned = True
        if self.response is not None and self._request.transport is not None:
            self._request.transport.abort()

    async def run(self, client: aiohttp.ClientSession) -> web.StreamResponse:
        """The container's answer, already sent. Raises Refusal if there is none."""
        self.instance = await self._revision.acquire()
        try:
            return await self._pass_on(client, self.instance)
        except (aiohttp.ClientError, OSError) as error:
            raise self._failure(self.instance) from error
        finally:
            self._revision.release(self.instance)

    async def _pass_on(self, client: aiohttp.ClientSession, instance: Instance) -> web.StreamResponse:
        self.sampled = instance.sampling.take()
        self._headers.update(self._hop.headers(sampled=self.sampled))
        request = self._request
        async with client.request(
            request.method,
            yarl.URL(f"http://{HOST}:{instance.port}{request.raw_path}", encoded=True),
            headers=self._headers,
            data=self._body() if request.body_exists else None,
            allow_redirects=False,
        ) as upstream:
            response = web.StreamResponse(
                status=upstream.status, reason=upstream.reason, headers=end_to_end(upstream.headers)
            )
            await self._to_client(response, b"")
            async for chunk in upstream.content.iter_any():
                await self._to_client(response, chunk)
        return response

    async def _body(self) -> AsyncIterator[bytes]:
        async for chunk in self._request.content.iter_any():
            yield chunk

    async def _to_client(self, response: web.StreamResponse, chunk: bytes) -> None:
        if self._abandoned:
            return
        try:
            if self.response is None:
                self.response = response
                await response.prepare(self._request)
            if chunk:
                await response.write(chunk)
                self.sent += len(chunk)
        except ConnectionError:
            self._abandoned = True

    def _failure(self, instance: Instance) -> Refusal:
        if self._request.content.exception() is not None:
            return Refusal(CLIENT_LEFT)
        if instance.out_of_memory:
            return Refusal(OUT_OF_MEMORY)
        return Refusal(BAD_UPSTREAM)


def end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """A copy without what concerns one connection only."""
    copy = CIMultiDict(headers)
    named = [name.strip() for value in headers.getall("Connection", []) for name in value.split(",")]
    for name in (*_HOP_BY_HOP, *named):
        copy.popall(name, None)
    return copy


def container_headers(request: web.BaseRequest) -> CIMultiDict[str]:
    """The client's headers with those that a front end adds: who called, and by which scheme."""
    headers = end_to_end(request.headers)
    client = request.remote or ""
    forwarded = [*headers.getall("X-Forwarded-For", []), client]
    headers["X-Forwarded-For"] = ", ".join(forwarded)
    headers["X-Forwarded-Proto"] = "http"
    headers["Forwarded"] = f'for="{client}";proto=http'
    return headers
