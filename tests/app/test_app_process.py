"""`python -m app` as the container runs it: JSON on stdout, the last spans at SIGTERM, an end within 8 s."""

import contextlib
import http.client
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from app_fakes import Answer, Cloud
from app_process import ask, service
from conftest import Start


@pytest.fixture
def google(start: Start) -> Cloud:
    cloud = Cloud()
    start(cloud)
    return cloud


def env(cloud: Cloud, **more: str) -> dict[str, str]:
    return {
        "GCE_METADATA_HOST": cloud.host,
        "GCE_METADATA_IP": cloud.host,
        "STORAGE_EMULATOR_HOST": cloud.url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": cloud.url,
        "OTEL_TRACES_EXPORTER": "gcp_otlp",
        "OTEL_BSP_SCHEDULE_DELAY": "60000",
        "GOOGLE_CLOUD_PROJECT": "p",
        "GOOGLE_CLOUD_REGION": "europe-west1",
        "K_SERVICE": "archive-dev",
        "K_REVISION": "archive-dev-00001",
        "OTEL_SERVICE_NAME": "archive",
        "PIPELINE_STEP": "store",
        "BUCKET_NAMES": '{"documents": "bucket-1"}',
        **more,
    }


def test_a_service_stores_logs_and_sends_its_last_spans_at_sigterm(google: Cloud) -> None:
    with service(env(google)) as process:
        headers = {"x-document-name": "a", "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-00"}
        stored = ask(process.url, "POST", "/documents", b"x", headers)
        assert (stored.status, stored.json()["trace_id"]) == (201, "ab" * 16)
        refused = ask(process.url, "POST", "/documents", b"x")
        assert "server" not in refused.headers
        line = process.wait_for_log(event="request_refused")
        begun = time.monotonic()
        process.stop()
        assert time.monotonic() - begun < 8
        logs, errors = process.logs, [error for error in process.errors if error]
    assert errors == [], "nothing but JSON on stdout"
    assert line["logging.googleapis.com/trace"] == f"projects/p/traces/{refused.json()['trace_id']}"
    assert {"uvicorn.error"} <= {line["logger"] for line in logs}
    assert all(len(line) > 2 and line["severity"] and line["time"] for line in logs)
    found = [(resource["service.name"], span.name, span.parent_span_id) for resource, span in google.spans()]
    assert ("archive", "POST /documents", b"") in found, "an unsampled platform parent leaves a root"
    names = {name for _, name, _ in found}
    assert names == {
        "POST /documents",
        "document.count_words",
        "storage.store",
        "auth.refresh_token",
        "GET",
        "POST",
    }
    keys = {pair.key for _, span in google.spans() for pair in span.attributes}
    assert "http.request.method" in keys, "stable names"
    assert "http.method" not in keys
    trace_ids = {span.trace_id.hex() for _, span in google.spans()}
    assert trace_ids == {"ab" * 16, refused.json()["trace_id"]}, (
        "no stray trace from a library's own requests"
    )


@pytest.mark.parametrize("export", [Answer(503), Answer(delay=9)], ids=["refusing", "hanging"])
def test_a_dead_backend_delays_neither_requests_nor_the_end(google: Cloud, export: Answer) -> None:
    google.export = export
    with service(env(google)) as process:
        assert ask(process.url, "POST", "/documents", b"x", {"x-document-name": "a"}).status == 201
        begun = time.monotonic()
        process.stop()
        assert time.monotonic() - begun < 8
        events = {line.get("event") for line in process.logs}
    assert events & {"trace_export_failed", "trace_flush_incomplete"}


def test_a_missing_role_is_said_in_the_log(google: Cloud) -> None:
    google.export = Answer(403, b"denied")
    with service(env(google, OTEL_BSP_SCHEDULE_DELAY="50")) as process:
        ask(process.url, "GET", "/nowhere")
        line = process.wait_for_log(event="trace_export_refused")
        assert not any(line["logger"].startswith("opentelemetry") for line in process.logs), (
            "its own noise is silent"
        )
    assert (line["severity"], line["exporter"], line["status"]) == ("ERROR", "gcp_otlp", 403)
    assert "roles/cloudtrace.agent" in line["message"]


def test_without_a_metadata_server_the_service_starts_and_says_so_once(google: Cloud) -> None:
    with service(env(google, GCE_METADATA_HOST="127.0.0.1:1", GCE_METADATA_IP="127.0.0.1:1")) as process:
        assert ask(process.url, "GET", "/healthz").status == 200
        said = [line for line in process.logs if line.get("event") == "metadata_missing"]
    assert [line["message"] for line in said] == ["the metadata server gave no instance"]


def test_a_request_that_outlasts_the_grace_does_not_outlast_the_platform_s_10_s(google: Cloud) -> None:
    google.write_delay = 30
    with service(env(google)) as process, ThreadPoolExecutor() as pool:
        hung = pool.submit(ask, process.url, "POST", "/documents?name=a", b"x")
        google.wait_for(1, "/upload/storage/v1/b/bucket-1/o")
        begun = time.monotonic()
        process.stop()
        assert time.monotonic() - begun < 8
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert hung.result(5).status >= 500
    assert "GET" in {span.name for _, span in google.spans()}, "what had ended was sent"
