"""The other side, as one process (`python -m bench.sinks`): two backends, a metadata server, and a next service.

It only stores what arrives; bodies are decoded when the harness asks. It checks no token and refuses nothing.
A backend that hangs is another address of the same process.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator

import grpc
from aiohttp import web
from google.protobuf.empty_pb2 import Empty

from bench import spans

HANGING = "/hanging"
_NEXT_BODY = b'{"status":"ok"}'
_NEXT_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(_NEXT_BODY),
    _NEXT_BODY,
)
_METADATA = {
    "project/project-id": "bench",
    "instance/id": "instance-1",
    "instance/region": "projects/1/regions/bench1",
    "universe/universe-domain": "googleapis.com",
}
_ACCOUNT = {
    "aliases": ["default"],
    "email": "bench@bench.iam.gserviceaccount.com",
    "scopes": ["cloud-platform"],
}
_TOKEN = {"access_token": "bench", "expires_in": 3600, "token_type": "Bearer"}

Decode = Callable[[bytes], Iterator[spans.Span]]


class Store:
    """Bodies as they arrived, each with what decodes it."""

    def __init__(self) -> None:
        self.bodies: list[tuple[Decode, bytes]] = []

    def spans(self) -> list[spans.Span]:
        """Everything decoded."""
        return [span for decode, body in self.bodies for span in decode(body)]


class NextService(asyncio.Protocol):
    """Answers every request without a body at once with the same JSON: as little of the load's core as possible."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A caller."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._unread = transport, b""

    def data_received(self, data: bytes) -> None:
        """Its requests, whole or in parts."""
        *heads, self._unread = (self._unread + data).split(b"\r\n\r\n")
        self._transport.write(_NEXT_ANSWER * len(heads))


def routes(store: Store) -> list[web.RouteDef]:
    """OTLP (healthy, and one that never answers), the metadata server, and what the harness asks."""

    async def export(request: web.Request) -> web.Response:
        store.bodies.append((spans.from_otlp, await request.read()))
        return web.Response(body=b"", content_type="application/x-protobuf")

    async def hang(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def reset(request: web.Request) -> web.Response:
        store.bodies.clear()
        return web.Response()

    async def decoded(request: web.Request) -> web.Response:
        return web.json_response(store.spans())

    return [
        web.post("/v1/traces", export),
        web.post(f"{HANGING}/v1/traces", hang),
        web.get("/computeMetadata/v1/{name:.*}", metadata),
        web.get("/", metadata),
        web.post("/control/reset", reset),
        web.get("/control/spans", decoded),
    ]


async def metadata(request: web.Request) -> web.Response:
    """The metadata server's answers that google-auth and the template ask for."""
    name = request.match_info.get("name", "").rstrip("/")
    flavor = {"Metadata-Flavor": "Google"}
    if name.endswith("/token"):
        return web.json_response(_TOKEN, headers=flavor)
    if "service-accounts" in name:
        return web.json_response(
            {"default": _ACCOUNT} if name.endswith("service-accounts") else _ACCOUNT, headers=flavor
        )
    return web.Response(text=_METADATA.get(name, ""), headers=flavor)


async def cloud_trace(store: Store, *, hanging: bool) -> tuple[grpc.aio.Server, str]:
    """The Cloud Trace API v2 on a free port, and its address."""

    async def write(body: bytes, context: object) -> Empty:
        if hanging:
            await asyncio.Event().wait()
        store.bodies.append((spans.from_cloud_trace, body))
        return Empty()

    handler: grpc.RpcMethodHandler[bytes, Empty] = grpc.unary_unary_rpc_method_handler(
        write, response_serializer=Empty.SerializeToString
    )
    service = "google.devtools.cloudtrace.v2.TraceService"
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service, {"BatchWriteSpans": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, f"127.0.0.1:{port}"


async def serve() -> None:
    """Open all doors, print their addresses as one line of JSON, and stay until killed."""
    store = Store()
    application = web.Application(client_max_size=1 << 30)
    application.add_routes(routes(store))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    next_service = await asyncio.get_running_loop().create_server(NextService, "127.0.0.1", 0)
    healthy, cloud_trace_address = await cloud_trace(store, hanging=False)
    hanging, hanging_address = await cloud_trace(store, hanging=True)
    host, port = runner.addresses[0][:2]
    addresses = {
        "http": f"{host}:{port}",
        "next": f"127.0.0.1:{next_service.sockets[0].getsockname()[1]}",
        "cloud_trace": cloud_trace_address,
        "cloud_trace_hanging": hanging_address,
    }
    print(json.dumps(addresses), flush=True)
    await asyncio.gather(healthy.wait_for_termination(), hanging.wait_for_termination())


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
