"""Both doors of Cloud Trace through the real exporters, and what a caller without the right to them is told."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from aiohttp import web
from google.rpc import code_pb2, status_pb2  # type: ignore[import-untyped]  # no type information is published
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span
from opentelemetry.sdk import resources
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from localcloud.identity import Identity
from localcloud.trace.cloudtrace import CloudTraceDoor
from localcloud.trace.otlp import otlp_routes
from localcloud.trace.store import TraceStore

PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture
def identity() -> Identity:
    """`writer` holds the role on the project; `stranger` has a token and nothing else."""
    identity = Identity("p")
    identity.bind("projects/p", "roles/cloudtrace.agent", "serviceAccount:writer@p")
    return identity


def bearer(identity: Identity, name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {identity.access_token(name + '@p', 'europe-west1')[0]}"}


@pytest.fixture
async def otlp(identity: Identity) -> AsyncIterator[tuple[str, TraceStore]]:
    store, app = TraceStore(), web.Application()
    app.add_routes(otlp_routes(store, identity, "p"))
    runner = web.AppRunner(app, access_log=None)  # as localcloud/cloud.py serves it
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces", store
    await runner.cleanup()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
async def test_the_otlp_exporter_delivers_whole_spans(
    otlp: tuple[str, TraceStore], identity: Identity, compression: Compression
) -> None:
    """Ids, parent, kind, resource, attributes of every type, status and exception arrive, gzip or not."""
    endpoint, store = otlp
    exporter = OTLPSpanExporter(endpoint, headers=bearer(identity, "writer"), compression=compression)
    traced = TracerProvider(resource=resources.Resource({"service.name": "gateway", "gcp.project_id": "p"}))
    traced.add_span_processor(SimpleSpanProcessor(exporter))

    def work() -> str:
        tracer = traced.get_tracer("test")
        with tracer.start_as_current_span("POST /documents", kind=SpanKind.SERVER) as root:
            with tracer.start_as_current_span(
                "store", kind=SpanKind.CLIENT, attributes={"n": 1, "l": ["a", "b"]}
            ) as span:
                span.record_exception(ValueError("bad"))
                span.set_status(Status(StatusCode.ERROR, "late"))
            return f"{root.get_span_context().trace_id:032x}"

    root, child = store.trace(await asyncio.to_thread(work))
    assert (root.name, root.kind, root.parent_id, root.status) == ("POST /documents", "SERVER", "", "UNSET")
    assert (child.kind, child.parent_id, child.status, child.status_message) == (
        "CLIENT",
        root.span_id,
        "ERROR",
        "late",
    )
    assert child.attributes == {"n": 1, "l": ["a", "b"]}
    assert child.resource == {"service.name": "gateway", "gcp.project_id": "p"}
    assert child.events[0]["attributes"]["exception.message"] == "bad"
    assert root.start_ns <= child.start_ns <= child.end_ns <= root.end_ns


async def post(endpoint: str, body: bytes, headers: dict[str, str]) -> tuple[int, status_pb2.Status]:
    response = await asyncio.to_thread(requests.post, endpoint, data=body, headers=headers, timeout=30)
    return response.status_code, status_pb2.Status.FromString(response.content)


async def test_otlp_without_a_token_is_401(otlp: tuple[str, TraceStore]) -> None:
    """No token, or one that nobody issued: 401 with a google.rpc.Status."""
    for headers in ({}, {"Authorization": "Bearer made-up"}):
        code, status = await post(otlp[0], b"", PROTOBUF | headers)
        assert (code, status.code) == (401, code_pb2.UNAUTHENTICATED)


async def test_otlp_without_the_role_is_403_and_names_permission_and_role(
    otlp: tuple[str, TraceStore], identity: Identity
) -> None:
    """The refusal says which permission is missing, on what, for whom: enough to mend it."""
    code, status = await post(otlp[0], b"", PROTOBUF | bearer(identity, "stranger"))
    assert (code, status.code) == (403, code_pb2.PERMISSION_DENIED)
    for words in ("telemetry.traces.write", "projects/p", "stranger@p", "roles/telemetry.tracesWriter"):
        assert words in status.message


@pytest.mark.parametrize(
    ("body", "content_type", "code", "words"),
    [
        (b"\xff\xffgarbage", "application/x-protobuf", 400, "not an ExportTraceServiceRequest"),
        (b"{}", "application/json", 415, "application/json"),
    ],
)
async def test_otlp_refuses_what_it_cannot_read(
    otlp: tuple[str, TraceStore], identity: Identity, body: bytes, content_type: str, code: int, words: str
) -> None:
    """Garbage and the JSON encoding are refused with the reason."""
    found, status = await post(otlp[0], body, bearer(identity, "writer") | {"Content-Type": content_type})
    assert found == code
    assert words in status.message


@pytest.mark.parametrize(
    ("project", "span", "words"),
    [
        (None, Span(trace_id=b"t" * 16, span_id=b"s" * 8), "'gcp.project_id' is None; it must be 'p'"),
        ("other", Span(trace_id=b"t" * 16, span_id=b"s" * 8), "'gcp.project_id' is 'other'"),
        ("p", Span(trace_id=bytes(16), span_id=b"s" * 8), "invalid trace id"),
        ("p", Span(trace_id=b"t" * 16, span_id=b"s"), "invalid trace id or span id"),
    ],
)
async def test_otlp_refuses_spans_that_google_could_not_place(
    otlp: tuple[str, TraceStore], identity: Identity, project: str | None, span: Span, words: str
) -> None:
    """Without gcp.project_id of this project, or with broken ids, nothing of the request is stored."""
    endpoint, store = otlp
    good = Span(trace_id=b"t" * 16, span_id=b"g" * 8)
    owner = [KeyValue(key="gcp.project_id", value=AnyValue(string_value=project))] if project else []
    group = ResourceSpans(resource=Resource(attributes=owner), scope_spans=[ScopeSpans(spans=[good, span])])
    body = ExportTraceServiceRequest(resource_spans=[group]).SerializeToString()
    code, status = await post(endpoint, body, PROTOBUF | bearer(identity, "writer"))
    assert (code, status.code) == (400, code_pb2.INVALID_ARGUMENT)
    assert words in status.message
    assert not store.recent()


async def test_a_batch_that_is_sent_twice_is_there_once(
    otlp: tuple[str, TraceStore], identity: Identity
) -> None:
    """Its answer was lost, so it is sent again, perhaps with others: every span counts once, none is lost."""
    endpoint, store = otlp
    headers = PROTOBUF | bearer(identity, "writer")
    owner = [KeyValue(key="gcp.project_id", value=AnyValue(string_value="p"))]
    for names in ("abc", "bcd"):
        spans = [Span(trace_id=b"t" * 16, span_id=name.encode() * 8, name=name) for name in names]
        group = ResourceSpans(resource=Resource(attributes=owner), scope_spans=[ScopeSpans(spans=spans)])
        body = ExportTraceServiceRequest(resource_spans=[group]).SerializeToString()
        assert (await post(endpoint, body, headers))[0] == 200
    assert [span.name for span in store.trace((b"t" * 16).hex())] == list("abcd")


async def test_a_sender_that_hangs_up_leaves_nothing(
    otlp: tuple[str, TraceStore], identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    """A container that is frozen in the middle of a batch gives up when it wakes: half a batch is none, and no error."""
    endpoint, store = otlp
    url = urlsplit(endpoint)
    _, writer = await asyncio.open_connection(url.hostname, url.port)
    sent = PROTOBUF | bearer(identity, "writer") | {"Content-Length": "1000", "Host": url.netloc}
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    writer.write(f"POST {url.path} HTTP/1.1\r\n{head}\r\n".encode() + b"half")
    garbage = endpoint, b"\xff", PROTOBUF | bearer(identity, "writer")
    assert (await post(*garbage))[0] == 400  # after which the first request is being read
    writer.close()
    await writer.wait_closed()
    assert (await post(*garbage))[0] == 400
    assert not store.recent()
    assert not caplog.records


EXPORT = """
import json, logging, os, sys
logging.basicConfig(level=logging.INFO)
from google.cloud.trace_v2 import TraceServiceClient
from google.oauth2.credentials import Credentials
from opentelemetry.exporter.cloud_trace import CloudTraceSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

for token in sys.argv[2:]:
    client = TraceServiceClient(credentials=Credentials(token), client_options={"api_endpoint": sys.argv[1]})
    provider = TracerProvider(resource=Resource({"service.name": "gateway"}))
    provider.add_span_processor(SimpleSpanProcessor(CloudTraceSpanExporter(project_id="p", client=client, resource_regex="service.*")))
    tracer = provider.get_tracer("t")
    with tracer.start_as_current_span("root", kind=SpanKind.SERVER, attributes={"http.method": "POST", "n": 5, "ok": True}) as root:
        with tracer.start_as_current_span("child") as child:
            child.record_exception(ValueError("bad"))
            child.set_status(Status(StatusCode.ERROR, "late"))
    print(f"{root.get_span_context().trace_id:032x}")
"""


@pytest.fixture
def door(identity: Identity, tmp_path: Path) -> Iterator[tuple[CloudTraceDoor, TraceStore]]:
    store = TraceStore()
    door = CloudTraceDoor(store, identity, "p", tmp_path)
    door.start()
    yield door, store
    door.stop()


def test_the_cloud_trace_exporter_delivers_and_is_refused_without_the_role(
    door: tuple[CloudTraceDoor, TraceStore], identity: Identity
) -> None:
    """The deprecated exporter works over TLS by its environment alone; without the role it hears which permission."""
    server, store = door
    tokens = [identity.access_token(f"{name}@p", "europe-west1")[0] for name in ("writer", "stranger")]
    environment = os.environ | {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(server.ca_file)}
    command = [sys.executable, "-W", "ignore", "-c", EXPORT, server.endpoint, *tokens, "made-up"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    accepted, *refused = done.stdout.split()
    root, child = store.trace(accepted)
    assert (root.name, root.kind, child.parent_id) == ("root", "SERVER", root.span_id)
    assert (root.status, child.status, child.status_message) == ("UNSET", "ERROR", "late")
    labels = root.attributes
    assert labels["/http/method"] == "POST"
    assert (labels["n"], labels["ok"], labels["service.name"]) == (5, True, "gateway")
    assert child.events[0]["attributes"]["exception.message"] == "bad"
    assert 0 < root.start_ns <= child.start_ns <= child.end_ns <= root.end_ns
    assert len(refused) == 2
    assert not any(store.trace(trace_id) for trace_id in refused)
    assert "cloudtrace.traces.patch" in done.stderr
    assert "stranger@p lacks roles/cloudtrace.agent" in done.stderr
    assert "A valid OAuth 2 access token is required" in done.stderr
