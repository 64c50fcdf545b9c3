"""Google's Telemetry API for traces: OTLP/HTTP in protobuf on `POST /v1/traces`, refused as Google refuses it.

Protobuf only (the JSON encoding gets 415), and all or nothing: no partial success. aiohttp unpacks gzip.
"""

import base64
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

from aiohttp import web
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, status_pb2  # type: ignore[import-untyped]  # no type information is published
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from localcloud.identity import Identity
from localcloud.projects import Projects
from localcloud.trace.store import Span, TraceStore

PERMISSION = "telemetry.traces.write"
API, STORE_API = "telemetry.googleapis.com", "cloudtrace.googleapis.com"
_PROTOBUF = "application/x-protobuf"
_KINDS = ("INTERNAL", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_STATUSES = ("UNSET", "OK", "ERROR")


def otlp_routes(
    store: TraceStore, identity: Identity, project: str, projects: Projects | None = None
) -> list[web.RouteDef]:
    """`POST /v1/traces`, for callers that hold `telemetry.traces.write` on the project; without `projects` every API is on.

    With the Telemetry API off it is refused, before IAM is asked (inferred). With Cloud Trace off it is accepted, and
    what arrives is discarded (docs.cloud.google.com/trace/docs/overview, 2026-04-10).
    """

    async def export(request: web.Request) -> web.Response:
        caller = identity.caller(request.headers.get("Authorization"))
        if caller is None:
            return _refusal(
                HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED", "A valid OAuth 2 access token is required."
            )
        if projects and (off := projects.refusal(API)):
            return web.Response(status=HTTPStatus.FORBIDDEN, body=off.status(), content_type=_PROTOBUF)
        if not identity.allows(caller.email, PERMISSION, f"projects/{project}"):
            return _refusal(
                HTTPStatus.FORBIDDEN,
                "PERMISSION_DENIED",
                f"Permission '{PERMISSION}' denied on resource '//telemetry.googleapis.com/projects/{project}'"
                f" (or it may not exist): {caller.email} lacks roles/telemetry.tracesWriter.",
            )
        if request.content_type != _PROTOBUF:
            message = f"Content-Type '{request.content_type}' is not supported; send {_PROTOBUF}."
            return _refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "INVALID_ARGUMENT", message)
        try:
            spans = list(read_spans(await request.read(), project))
        except ValueError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", str(error))
        except ConnectionError:
            # A container that was frozen in the middle of it gives up when it wakes, and sends it again.
            return _refusal(HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", "The body did not arrive.")
        if projects is None or projects.enabled(STORE_API):
            for span in spans:
                store.add(span)
        return web.Response(body=ExportTraceServiceResponse().SerializeToString(), content_type=_PROTOBUF)

    return [web.post("/v1/traces", export)]


def read_spans(body: bytes, project: str) -> Iterator[Span]:
    """The spans of an ExportTraceServiceRequest; ValueError says what is wrong with it.

    The resource attribute `gcp.project_id` is required
    (github.com/GoogleCloudPlatform/opentelemetry-cloud-run, collector-config.yaml: "Required for sending telemetry").
    """
    try:
        message = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        raise ValueError("The body is not an ExportTraceServiceRequest in protobuf.") from None
    for group in message.resource_spans:
        resource = _attributes(group.resource.attributes)
        if resource.get("gcp.project_id") != project:
            raise ValueError(
                f"Resource attribute 'gcp.project_id' is {resource.get('gcp.project_id')!r}; it must be '{project}'."
                " Set it in the Resource (no detector does)."
            )
        for scope in group.scope_spans:
            for span in scope.spans:
                yield _span(span, resource)


def _span(span: trace_pb2.Span, resource: dict[str, Any]) -> Span:
    if len(span.trace_id) != 16 or len(span.span_id) != 8 or not any(span.trace_id) or not any(span.span_id):
        raise ValueError(
            f"Span '{span.name}' has an invalid trace id or span id: 16 and 8 bytes, not all zero."
        )
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        kind=_KINDS[span.kind] if span.kind < len(_KINDS) else "INTERNAL",
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        resource=resource,
        status=_STATUSES[span.status.code] if span.status.code < len(_STATUSES) else "UNSET",
        status_message=span.status.message,
        events=[
            {"name": event.name, "time_ns": event.time_unix_nano, "attributes": _attributes(event.attributes)}
            for event in span.events
        ],
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind) if kind else None


def _refusal(status: HTTPStatus, code: str, message: str) -> web.Response:
    """A google.rpc.Status in protobuf, as OTLP/HTTP wants the body of a failure."""
    body = status_pb2.Status(code=code_pb2.Code.Value(code), message=message).SerializeToString()
    return web.Response(status=status, body=body, content_type=_PROTOBUF)
