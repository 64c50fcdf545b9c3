"""The resources as a Pulumi provider: serves the engine's ResourceProvider gRPC interface for the package `gcp`.

The engine attaches with PULUMI_DEBUG_PROVIDERS=gcp:<port>. No functions (invokes), no components, no schema.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from importlib.metadata import version
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from localcloud.kinds import Inputs, Refused
from localcloud.resources import Resource, Resources

T = TypeVar("T")
_ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Provider:
    """The gRPC server; `start` and `stop` may be called from any thread but the loop's own."""

    def __init__(self, resources: Resources, loop: asyncio.AbstractEventLoop) -> None:
        self._servicer = _Servicer(resources, loop)
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=32, thread_name_prefix="provider"), options=_ANY_SIZE
        )
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(self._servicer, self._server)

    def start(self) -> int:
        """Serve on a free port of 127.0.0.1 and return it."""
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        return port

    def stop(self) -> None:
        """Cancel what is under way and stop serving."""
        self._servicer.cancel()
        self._server.stop(grace=None).wait()


class _Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Each handler runs in a thread of the gRPC server and hops on to the cloud's loop for its work."""

    def __init__(self, resources: Resources, loop: asyncio.AbstractEventLoop) -> None:
        self._resources = resources
        self._loop = loop
        self._running: set[Future[Any]] = set()

    def cancel(self) -> None:
        """Cancel the operations under way."""
        for future in list(self._running):
            future.cancel()

    def _await(self, context: grpc.ServicerContext, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._running.add(future)
        try:
            return future.result()
        except Refused as refused:
            _refuse(context, str(refused))
        except CancelledError:
            context.abort(grpc.StatusCode.CANCELLED, "localcloud was stopped before this was done")
        finally:
            self._running.discard(future)

    # The life of the provider itself.

    def Handshake(
        self, request: Any, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=version("pulumi-gcp"))

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.GetSchemaResponse:
        return provider_pb2.GetSchemaResponse(schema="{}")

    def GetMapping(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.GetMappingResponse:
        return provider_pb2.GetMappingResponse()

    def GetMappings(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.GetMappingsResponse:
        return provider_pb2.GetMappingsResponse()

    def Attach(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.cancel()
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        # Refused here and not in Configure: a provider that was configured once is in the stack's state for good.
        try:
            self._resources.home.check(_decode(request.news).get("project"), "gcp:project")
        except Refused as refused:
            return provider_pb2.CheckResponse(failures=[provider_pb2.CheckFailure(reason=str(refused))])
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ConfigureResponse:
        # Without acceptSecrets the engine hands secrets over in plain and marks them in the outputs again.
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        _refuse(context, unknown_function(request.tok))

    # The life of a resource.

    def Check(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        try:
            inputs = self._resources.check(_type(request.urn), _decode(request.news))
        except Refused as refused:
            return provider_pb2.CheckResponse(failures=[provider_pb2.CheckFailure(reason=str(refused))])
        return provider_pb2.CheckResponse(inputs=_encode(inputs))

    def Diff(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        kept = set(request.ignoreChanges)
        olds, news = _decode(request.old_inputs), _decode(request.news)
        news |= {key: olds[key] for key in kept & olds.keys()}
        diff = self._resources.diff(_type(request.urn), olds, news)
        some = provider_pb2.DiffResponse.DIFF_SOME if diff.changes else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some, diffs=diff.changes, replaces=diff.replaces, deleteBeforeReplace=diff.deletes_first
        )

    def Create(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        type, name, inputs = _type(request.urn), _name(request.urn), _decode(request.properties)
        if request.preview:
            done = self._resources.preview(type, name, inputs)
        else:
            done = self._await(context, self._resources.create(type, name, inputs))
        return provider_pb2.CreateResponse(id=done.id, properties=_encode(done.outputs))

    def Update(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        type, name, inputs = _type(request.urn), _name(request.urn), _decode(request.news)
        if request.preview:
            old = Resource(type, name, request.id, {}, _decode(request.olds))
            done = self._resources.preview(type, name, inputs, old)
        else:
            done = self._await(context, self._resources.update(type, request.id, inputs, name))
        return provider_pb2.UpdateResponse(properties=_encode(done.outputs))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self._await(context, self._resources.delete(_type(request.urn), request.id))
        return empty_pb2.Empty()

    def Read(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        held = self._resources.find(_type(request.urn), request.id)
        if held is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=held.id, properties=_encode(held.outputs), inputs=_encode(held.inputs)
        )


def unknown_function(token: str) -> str:
    """The sentence for a provider function that a program calls."""
    return f"{token} is a provider function, and localcloud answers none: pass the value in the stack's config instead"


def _refuse(context: grpc.ServicerContext, sentence: str) -> NoReturn:
    context.abort(grpc.StatusCode.INVALID_ARGUMENT, sentence)
    raise AssertionError("abort raises")


def _type(urn: str) -> str:
    """`urn:pulumi:STACK::PROJECT::PARENT$…$TYPE::NAME`"""
    return urn.split("::")[2].rsplit("$", 1)[-1]


def _name(urn: str) -> str:
    return urn.split("::", 3)[3]


def _decode(properties: struct_pb2.Struct) -> Inputs:
    inputs: Inputs = json_format.MessageToDict(properties)
    return inputs


def _encode(properties: Inputs) -> struct_pb2.Struct:
    return json_format.ParseDict(properties, struct_pb2.Struct())
