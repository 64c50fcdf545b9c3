"""app/telemetry/server.py and client.py: one span a request, stable names, no secrets, no request lost to an odd header."""

import json
import socket

import pytest
from app_fakes import Answer, Cloud, Service
from app_process import ask
from conftest import Memory, Start, untraced
from opentelemetry import trace

from app.telemetry import client


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


def test_a_host_name_with_healthz_in_it_is_traced(start: Start, spans: Memory) -> None:
    ask(start(), "GET", "/other", headers={"host": "healthz-dev-abc.a.run.app"})
    assert len(spans.get_finished_spans()) == 1


def test_a_call_to_a_known_service_carries_its_name(
    start: Start, cloud: Cloud, spans: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = Service(Answer(201, b"{}"))
    url = start(following)
    untraced()
    client.outgoing({"extract": url})
    hop = start(PIPELINE_STEP="receive", SERVICE_URLS=json.dumps({"extract": url}))
    ask(hop, "POST", "/documents", b"x", {"x-document-name": "a", "x-original-traceparent": "stranger"})
    call = next(span for span in spans.get_finished_spans() if span.kind is trace.SpanKind.CLIENT)
    assert call.name == "POST extract"
    assert (call.attributes or {})["peer.service"] == "extract"
    untraced()
    client.outgoing({})
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
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5) as raw:
        raw.sendall(b"GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + line + b"\r\n\r\n")
        assert raw.recv(4096).split()[1] == b"404"
    assert len(spans.get_finished_spans()) == 1
