"""The Cloud Trace API v2 over gRPC: `BatchWriteSpans`, the door of the deprecated exporter.

Attributes stay as the exporter sends them (`/http/status_code`, `g.co/r/...`); links and annotations of other kinds
than attributes are dropped. The other methods of the service are not served.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from localcloud.identity import Identity
from localcloud.projects import Projects
from localcloud.trace.certificate import issue
from localcloud.trace.store import Span, TraceStore

PERMISSION = "cloudtrace.traces.patch"
API = "cloudtrace.googleapis.com"
_KINDS = ("INTERNAL", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


class CloudTraceDoor:
    """A TLS gRPC server on a free port of 127.0.0.1; `directory` gets the file of its certificate authority."""

    def __init__(
        self,
        store: TraceStore,
        identity: Identity,
        project: str,
        directory: Path,
        projects: Projects | None = None,
    ) -> None:
        self._store, self._identity, self._project, self._projects = store, identity, project, projects
        self.ca_file = directory / "cloudtrace-ca.pem"
        self.endpoint = ""
        self._server: grpc.Server | None = None

    def start(self) -> int:
        """Open the door and return its port; `endpoint` and `ca_file` are then what a client needs."""
        write: grpc.RpcMethodHandler[bytes, Empty] = grpc.unary_unary_rpc_method_handler(
            self._write, response_serializer=Empty.SerializeToString
        )
        service = "google.devtools.cloudtrace.v2.TraceService"
        self._server = grpc.server(ThreadPoolExecutor(2, thread_name_prefix="cloudtrace"))
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, {"BatchWriteSpans": write})]
        )
        credentials = grpc.ssl_server_credentials([issue(self.ca_file)])
        port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self._server.start()
        self.endpoint = f"127.0.0.1:{port}"
        return port

    def stop(self) -> None:
        """Close the door at once; calls under way are cancelled."""
        if self._server is not None:
            self._server.stop(grace=None).wait()

    def _write(self, body: bytes, context: grpc.ServicerContext) -> Empty:
        # 0.7 s and 44 MB that only a user of the deprecated exporter should pay.
        from google.cloud.trace_v2.types import BatchWriteSpansRequest

        self._authorize(context)
        request = BatchWriteSpansRequest.pb(BatchWriteSpansRequest.deserialize(body))
        if request.name != f"projects/{self._project}":
            context.abort(
                grpc.StatusCode.PERMISSION_DENIED, f"'{request.name}' is not projects/{self._project}."
            )
        for span in request.spans:
            self._store.add(_span(span))
        return Empty()

    def _authorize(self, context: grpc.ServicerContext) -> None:
        metadata = dict(context.invocation_metadata())
        caller = self._identity.caller(str(metadata.get("authorization", "")))
        if caller is None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "A valid OAuth 2 access token is required.")
        if self._projects and (off := self._projects.refusal(API)):
            context.set_trailing_metadata((("grpc-status-details-bin", off.status()),))
            context.abort(grpc.StatusCode.PERMISSION_DENIED, off.message)
        if not self._identity.allows(caller.email, PERMISSION, f"projects/{self._project}"):
            message = f"The caller does not have permission '{PERMISSION}' on projects/{self._project}: "
            context.abort(
                grpc.StatusCode.PERMISSION_DENIED, message + f"{caller.email} lacks roles/cloudtrace.agent."
            )


def _span(span: Any) -> Span:
    """`span` is a google.devtools.cloudtrace.v2.Span message."""
    failed = span.HasField("status") and span.status.code != 0
    return Span(
        trace_id=span.name.split("/")[3],
        span_id=span.span_id,
        parent_id=span.parent_span_id,
        name=span.display_name.value,
        kind=_KINDS[span.span_kind],
        start_ns=span.start_time.ToNanoseconds(),
        end_ns=span.end_time.ToNanoseconds(),
        attributes=_attributes(span.attributes),
        status="ERROR" if failed else "OK" if span.HasField("status") else "UNSET",
        status_message=span.status.message,
        events=[
            {
                "name": event.annotation.description.value,
                "time_ns": event.time.ToNanoseconds(),
                "attributes": _attributes(event.annotation.attributes),
            }
            for event in span.time_events.time_event
            if event.HasField("annotation")
        ],
    )


def _attributes(attributes: Any) -> dict[str, Any]:
    return {key: _value(value) for key, value in attributes.attribute_map.items()}


def _value(value: Any) -> str | int | bool:
    if value.HasField("string_value"):
        return str(value.string_value.value)
    return bool(value.bool_value) if value.HasField("bool_value") else int(value.int_value)
