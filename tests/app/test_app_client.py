"""app/telemetry/request.py and client.py: one span a request, stable names, no secrets, no request lost to an odd header."""

import json
import socket
from contextlib import suppress
from typing import Any

import pytest
import requests
from app_fakes import Answer, Asked, Cloud, Service
from app_process import ask
from app_told import told
from conftest import Memory, Start, traced, untraced
from opentelemetry import trace
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app import telemetry
from app.telemetry.keeping import ATTRIBUTE


def test_a_request_is_one_server_span_with_stable_names(start: Start, spans: Memory) -> None:
    ask(start(), "GET", "/nowhere?token=secret&name=a")
    (span,) = spans.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert attributes["http.request.method"] == "GET"
    assert attributes["http.response.status_code"] == 404
    assert attributes["url.query"] == "token=REDACTED&name=REDACTED"
    assert not any("secret" in str(value) for value in attributes.values())
    assert not {"http.method", "http.url", "http.target"} & set(attributes)


@pytest.mark.parametrize(
    ("path", "count"), [("/healthz", 0), ("/healthz?x=1", 0), ("/healthz/deep", 1), ("/x-healthz", 1)]
)
def test_only_the_probe_s_own_path_makes_no_span(start: Start, spans: Memory, path: str, count: int) -> None:
    ask(start(), "GET", path)
    assert len(spans.get_finished_spans()) == count


def test_a_call_of_the_probe_s_path_through_the_front_end_is_traced(start: Start, spans: Memory) -> None:
    """Cloud Run counts it as a request, and gives it trace headers, which its own probes have not."""
    ask(start(), "GET", "/healthz", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-00"})
    assert len(spans.get_finished_spans()) == 1


def test_a_host_name_with_healthz_in_it_is_traced(start: Start, spans: Memory) -> None:
    ask(start(), "GET", "/other", headers={"host": "healthz-dev-abc.a.run.app"})
    assert len(spans.get_finished_spans()) == 1


def test_a_call_to_a_known_service_carries_its_name(
    start: Start, cloud: Cloud, spans: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = Service(Answer(201, b"{}"))
    url = start(following)
    untraced()
    traced({"extract": url})
    hop = start(PIPELINE_STEP="receive", SERVICE_URLS=json.dumps({"extract": url}))
    ask(hop, "POST", "/documents", b"x", {"x-document-name": "a", "x-original-traceparent": "stranger"})
    call = next(span for span in spans.get_finished_spans() if span.kind is trace.SpanKind.CLIENT)
    assert call.name == "POST extract"
    assert (call.attributes or {})["peer.service"] == "extract"
    untraced()
    traced({})
    sent = following.requests[0].headers
    assert sent["traceparent"] == sent["x-original-traceparent"]
    assert sent["traceparent"].split("-")[2] == f"{call.context.span_id:016x}"
    assert sent["x-cloud-trace-context"].startswith(f"{call.context.trace_id:032x}/{call.context.span_id};")


def test_storage_s_urls_keep_no_values(start: Start, cloud: Cloud, spans: Memory) -> None:
    url = start(PIPELINE_STEP="store", BUCKET_NAMES='{"documents": "bucket-1"}')
    ask(url, "POST", "/documents", b"x" * 9_000_000, {"x-document-name": "a"})
    urls = [str((span.attributes or {}).get("url.full", "")) for span in spans.get_finished_spans()]
    assert any("upload_id=REDACTED" in url for url in urls)
    assert not any("u1" in url for url in urls)


def test_no_span_carries_a_token_a_cookie_or_the_document_s_name(
    start: Start, cloud: Cloud, spans: Memory
) -> None:
    url = start(PIPELINE_STEP="store", BUCKET_NAMES='{"documents": "bucket-1"}')
    secrets = {"authorization": "Bearer hush", "cookie": "id=hush", "x-document-name": "hush"}
    assert ask(url, "POST", "/documents?token=hush", b"x", secrets).status == 201
    text = " ".join(span.to_json() for span in spans.get_finished_spans())
    assert "storage.store" in text
    assert "hush" not in text
    assert "access-secret" not in text


@pytest.mark.parametrize(
    "line", [b"user-agent: \xff\\x", b"traceparent: \xff\\x", b"x-other: \xff\xfe", b"baggage: \xff\\N{"]
)
def test_an_illegible_header_fails_no_request(start: Start, spans: Memory, line: bytes) -> None:
    url = start()
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=30) as raw:
        raw.sendall(b"GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + line + b"\r\n\r\n")
        assert raw.recv(4096).split()[1] == b"404"
    assert len(spans.get_finished_spans()) == 1


class Kinds(Service):
    """Answers by path: /200 with 200, /moved with a redirect to it."""

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/moved":
            return Answer(302, headers={"location": f"{self.url}/200"})
        return Answer(int(asked.path[1:]))


CALLS = {
    "2xx": ("GET", "/200", {}),
    "4xx": ("GET", "/404", {}),
    "5xx": ("POST", "/503", {"data": b"x"}),
    "redirect": ("GET", "/moved", {}),
    "unknown method": ("BREW", "/200", {}),
    "no user agent": ("GET", "/200", {"headers": {"user-agent": None}}),
    "bot": ("GET", "/200", {"headers": {"user-agent": "Googlebot/2.1"}}),
    "no answer": ("GET", "http://127.0.0.1:1/x", {}),
}


@pytest.mark.parametrize(("method", "path", "options"), CALLS.values(), ids=CALLS.keys())
def test_a_client_span_equals_that_of_the_instrumentation(
    start: Start, spans: Memory, method: str, path: str, options: dict[str, Any]
) -> None:
    """Name, attributes, status, events and scope: who knows OpenTelemetry's spans knows ours."""
    url = path if "://" in path else start(Kinds()) + path
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    untraced()
    RequestsInstrumentor().instrument(tracer_provider=provider)
    try:
        with suppress(requests.ConnectionError):
            requests.request(method, url, timeout=30, **options)
    finally:
        RequestsInstrumentor().uninstrument()
        traced({})
    with suppress(requests.ConnectionError):
        requests.request(method, url, timeout=30, **options)
    (expected,), (got,) = memory.get_finished_spans(), spans.get_finished_spans()
    assert told(got) == told(expected)
    assert (got.attributes or {})[ATTRIBUTE] == "head", "outside a request it is a part of its own"


def test_a_request_that_was_never_prepared_leaves_no_open_span(spans: Memory) -> None:
    """What fails before anything is sent ends its span as well."""
    with pytest.raises(AttributeError):
        requests.Session().send(requests.PreparedRequest())
    (span,) = spans.get_finished_spans()
    assert (span.attributes or {})["error.type"] == "AttributeError"
    assert telemetry._serving.parts._open == {}


def test_headers_carry_the_client_span_and_none_of_the_caller_s(start: Start, spans: Memory) -> None:
    following = Service()
    with trace.get_tracer("t").start_as_current_span("work"):
        requests.get(start(following), headers={"x-original-traceparent": "stranger"}, timeout=30)
    call, work = spans.get_finished_spans()
    sent = following.requests[0].headers
    assert sent["traceparent"] == sent["x-original-traceparent"]
    assert sent["traceparent"].split("-")[1:3] == [
        f"{call.context.trace_id:032x}",
        f"{call.context.span_id:016x}",
    ]
    assert call.parent
    assert work.context
    assert call.parent.span_id == work.context.span_id
