"""`python -m app` as the container runs it: JSON on stdout, the last spans at SIGTERM, an end within 8 s."""

import contextlib
import http.client
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from app_backends import Backend, closed_port, garbage, hang
from app_fakes import Answer, Cloud
from app_process import KILLED_S, OWN, PATIENT, Process, ask, service
from conftest import Start

from app.__main__ import GRACEFUL_S
from app.telemetry.flush import DEADLINE_S


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
        assert time.monotonic() - begun < KILLED_S
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
        "instance.start",
    }
    keys = {pair.key for _, span in google.spans() for pair in span.attributes}
    assert "http.request.method" in keys, "stable names"
    assert "http.method" not in keys
    trace_ids = {span.trace_id.hex() for _, span in google.spans()}
    assert trace_ids == {"ab" * 16, refused.json()["trace_id"]}, (
        "no stray trace from a library's own requests"
    )


def test_open_requests_and_the_last_spans_leave_two_of_the_ten_seconds() -> None:
    assert GRACEFUL_S + DEADLINE_S + 1 <= KILLED_S - 2


def test_a_backend_that_refuses_delays_neither_requests_nor_the_end(google: Cloud) -> None:
    """Of the template itself; test_app_faults.py has all the other ways to fail."""
    google.export = Answer(503)
    with service(env(google)) as process:
        assert ask(process.url, "POST", "/documents", b"x", {"x-document-name": "a"}).status == 201
        begun = time.monotonic()
        process.stop()
        assert time.monotonic() - begun < KILLED_S
        events = {line.get("event") for line in process.logs}
    assert {"trace_export_failed", "trace_flush_incomplete", "trace_health"} <= events


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


@pytest.mark.parametrize("metadata", [None, garbage, hang], ids=["absent", "no HTTP", "hanging"])
def test_without_a_metadata_server_the_service_starts_and_says_so_once(google: Cloud, metadata: Any) -> None:
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(Backend(metadata).running()).url if metadata else closed_port()
        host = url.removeprefix("http://")
        process = stack.enter_context(service(env(google, GCE_METADATA_HOST=host, GCE_METADATA_IP=host)))
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
        assert time.monotonic() - begun < KILLED_S
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert hung.result(30).status >= 500
    assert "GET" in {span.name for _, span in google.spans()}, "what had ended was sent"


def own(cloud: Cloud, **more: str) -> dict[str, str]:
    return {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": cloud.url,
        "OTEL_BSP_SCHEDULE_DELAY": "60000",
        **more,
    }


def keys(span: Any) -> dict[str, Any]:
    return {pair.key: pair.value for pair in span.attributes}


def orphans(cloud: Cloud) -> list[str]:
    found = [span for _, span in cloud.spans()]
    ids = {span.span_id for span in found}
    return [span.name for span in found if span.parent_span_id and span.parent_span_id not in ids]


@pytest.mark.parametrize("ratio", ["0", "1"])
def test_work_that_is_cut_at_sigterm_is_in_its_trace_marked_and_whole(google: Cloud, ratio: str) -> None:
    """Calls that wait for an answer and a handler that blocks its thread: nothing can stop them, and no span is an orphan."""
    with (
        Backend(hang).running() as other,
        service(own(google, OTEL_TRACES_SAMPLER_ARG=ratio), OWN) as process,
        ThreadPoolExecutor() as pool,
    ):
        url = quote(other.url, safe="")
        paths = [f"/fetch/requests?url={url}", f"/fetch/httpx?url={url}", "/sleep?seconds=30"]
        waiting = [pool.submit(ask, process.url, "GET", path) for path in paths]
        process.wait_for_log(message="asleep")
        assert other.wait_for(2)
        begun = time.monotonic()
        process.stop()
        assert time.monotonic() - begun < KILLED_S
        for each in waiting:
            with contextlib.suppress(OSError, http.client.HTTPException):
                each.result(30)
    found = [span for _, span in google.spans()]
    servers = ["GET /fetch/{library}", "GET /fetch/{library}", "GET /sleep"]
    assert sorted(span.name for span in found if "unfinished" in keys(span)) == [
        "GET",
        "GET",
        "inner",
        "outer",
    ]
    cut = {(span.name, span.status.message) for span in found if span.name in servers}
    assert cut == {
        (name, "CancelledError: Task cancelled, timeout graceful shutdown exceeded") for name in servers
    }
    assert len(found) == 4 + 3 + 1, "with the start of the instance"
    reasons = {keys(span)["sampling.keep_reason"].string_value for span in found if span.name in servers}
    assert reasons == ({"head"} if ratio == "1" else {"error"})
    assert orphans(google) == []


def permitted() -> bool:
    """Whether a process may be started as the first of its own namespace."""
    tried = subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True)
    return tried.returncode == 0


@pytest.mark.skipif(
    not permitted(), reason="no `unshare --pid` here: what the container's PID 1 does is not tested"
)
def test_it_works_as_pid_1(google: Cloud) -> None:
    """As in the container, where the kernel drops the SIGTERM that uvicorn raises again."""
    with service(own(google), OWN, ("unshare", "--pid", "--fork", "--kill-child")) as process:
        outer = process.process.pid
        inner = int(Path(f"/proc/{outer}/task/{outer}/children").read_text())
        assert ask(process.url, "GET", "/ok").status == 200
        os.kill(inner, signal.SIGTERM)
        assert process.end() == 0
        assert [line["severity"] for line in process.logs if line.get("event") == "trace_health"] == ["INFO"]
    assert {span.name for _, span in google.spans()} == {"GET /ok", "instance.start"}


FREEZES = 30


def frozen_between(process: Process, cloud: Cloud) -> dict[str, str]:
    """Requests with no CPU between them; of each its trace and path. The answer to one export comes while all is frozen."""
    asked = {}
    for number in range(FREEZES):
        low = number if number % 5 == 0 else (1 << 63) + number  # a fifth is within the ratio
        trace_id = f"{(number + 1 << 64) + low:032x}"
        asked[trace_id] = path = "/status/500" if number % 3 == 1 else "/ok"
        cloud.export = Answer(body=b"", delay=0.4 if number in (15, 16) else 0)
        process.process.send_signal(signal.SIGCONT)
        ask(process.url, "GET", path, headers={"traceparent": f"00-{trace_id}-{'cd' * 8}-00"})
        process.process.send_signal(signal.SIGSTOP)
        if number in (15, 16):
            time.sleep(0.7)  # longer than the answer takes, and than the limit of the export
    process.process.send_signal(signal.SIGCONT)
    return asked


def test_nothing_that_is_kept_is_lost_for_want_of_cpu_between_requests(google: Cloud) -> None:
    """Request-based billing: frozen with the last byte, once in the midst of an export, and ended by SIGTERM."""
    settings = {"SERVICE_BILLING": "request", "OTEL_TRACES_SAMPLER_ARG": "0.1"}
    with service(own(google, OTEL_EXPORTER_OTLP_TIMEOUT="0.5", **settings), OWN) as process:
        asked = frozen_between(process, google)
        process.stop()
        health = [line for line in process.logs if line.get("event") == "trace_health"][-1]
    found: dict[str, set[str]] = {}
    for _, span in google.spans():
        if span.name != "instance.start":
            found.setdefault(span.trace_id.hex(), set()).add(span.name)
    expected = {
        trace_id: {"GET /status/{status}", "work"} if path != "/ok" else {"GET /ok"}
        for number, (trace_id, path) in enumerate(asked.items())
        if number % 5 == 0 or path != "/ok"
    }
    assert found == expected
    assert health["spans_dropped"] == {}
    assert health["parts_kept"] == {"head": 6, "error": 8}


def test_a_kept_error_is_with_the_backend_before_its_last_byte_leaves(google: Cloud) -> None:
    """So it is not lost even if there is never any CPU again."""
    settings = {"SERVICE_BILLING": "request", "OTEL_TRACES_SAMPLER_ARG": "0"}
    settings["OTEL_EXPORTER_OTLP_TIMEOUT"] = "30"
    with service(own(google, **settings), PATIENT) as process:
        ask(process.url, "GET", "/status/500")  # brings along what sends
        google.wait_for(1, "/v1/traces")
        google.export = Answer(body=b"", delay=0.2)
        for number in range(1, 4):
            trace_id = f"{(number << 64) + (1 << 63):032x}"
            headers = {"traceparent": f"00-{trace_id}-{'cd' * 8}-00"}
            begun = time.monotonic()
            assert ask(process.url, "GET", "/status/500", headers=headers).status == 500
            assert time.monotonic() - begun >= 0.2, "it has waited for the backend's word"
            arrived = {(span.trace_id.hex(), span.name) for _, span in google.spans()}
            assert {(trace_id, "GET /status/{status}"), (trace_id, "work")} <= arrived
        process.process.kill()


def test_a_head_sampled_part_leaves_as_soon_as_the_last_request_has_ended(google: Cloud) -> None:
    """While there may still be CPU, and without waiting for company."""
    with service(own(google, SERVICE_BILLING="request"), OWN) as process:
        ask(process.url, "GET", "/ok")
        google.wait_for(1, "/v1/traces")
        assert "GET /ok" in {span.name for _, span in google.spans()}
        process.process.kill()
