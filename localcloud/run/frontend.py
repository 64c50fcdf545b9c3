"""The front end of one service: which request is let in, what is answered when no container does, and after how long."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from localcloud.run.exchange import Exchange, container_headers
from localcloud.run.invoker import check_invoker
from localcloud.run.refusal import NOT_FOUND, TIMED_OUT, TOO_LARGE, Refusal
from localcloud.run.region import Region
from localcloud.run.request_log import Record
from localcloud.run.revision import Revision
from localcloud.run.trace_headers import Hop, read_hop


class FrontEnd:
    """Requests go to `revision`, or find nothing while it is None."""

    def __init__(self, region: Region, service: str, uri: str) -> None:
        self.service = service
        self.uri = uri
        self.revision: Revision | None = None
        self.settings: Mapping[str, Any] = {}  # the service's own inputs, those outside its template
        self._region = region
        self._exchanges: set[asyncio.Task[web.StreamResponse]] = set()
        self._server = web.ServerRunner(
            web.Server(
                self._handle,
                access_log=None,
                auto_decompress=False,
                read_bufsize=1024 * 1024,
                max_line_size=32 * 1024,
                max_field_size=32 * 1024,
            ),
            shutdown_timeout=0.1,
        )

    async def open(self, listening: Any) -> None:
        """Serve on a bound socket."""
        await self._server.setup()
        await web.SockSite(self._server, listening).start()

    async def close(self) -> None:
        """Stop listening, and drop what is still under way."""
        for task in self._exchanges:
            task.cancel()
        await self._server.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        hop = read_hop(request.headers)
        record = Record(request, hop, self.service)
        try:
            response = await self._forward(request, hop, record)
        except Refusal as refusal:
            page = refusal.response()
            record.write(self._region, page, refusal.log_text)
            return self._break_off(record.exchange) or page
        record.write(self._region, response)
        return response

    async def _forward(self, request: web.BaseRequest, hop: Hop, record: Record) -> web.StreamResponse:
        revision = self.revision
        if revision is None or self.settings.get("defaultUriDisabled"):
            raise Refusal(NOT_FOUND)
        record.revision = revision.name
        headers = container_headers(request)
        self._check(request, headers)
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        record.exchange = exchange = Exchange(request, headers, hop, revision)
        task = asyncio.create_task(exchange.run(self._region.client))
        self._exchanges.add(task)
        task.add_done_callback(self._forget)
        done, _ = await asyncio.wait({task}, timeout=revision.template.timeout)
        if done:
            return task.result()
        exchange.abandon()
        if not exchange.can_go_on_alone:
            task.cancel()
        raise Refusal(TIMED_OUT)

    def _check(self, request: web.BaseRequest, headers: Any) -> None:
        if (request.content_length or 0) > self._region.options.max_request_bytes:
            raise Refusal(TOO_LARGE)
        if self.settings.get("invokerIamDisabled"):
            return
        check_invoker(
            headers,
            request.path,
            identity=self._region.identity,
            service=self.service,
            audiences={self.uri, *(self.settings.get("customAudiences") or ())},
        )

    def _break_off(self, exchange: Exchange | None) -> web.StreamResponse | None:
        """Where the container's answer has begun no page can follow: the connection is cut."""
        if exchange and exchange.response:
            exchange.abandon()
            return exchange.response
        return None

    def _forget(self, task: asyncio.Task[web.StreamResponse]) -> None:
        self._exchanges.discard(task)
        if not task.cancelled():
            task.exception()  # the client of an abandoned exchange has had its answer; nobody else asks for this one
