"""Real processes whose tracing backend is dead, slow or hostile: requests do not notice, memory is bounded, one line says why."""

import http.client
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from app_backends import Backend, Behave, closed_port, garbage, hang, trickle_headers
from app_fakes import Answer, Cloud
from app_process import KILLED_S, OWN, Process, ask, service
from conftest import Start

REQUESTS = 50
# Seconds that an export may take: one that is to fail does so soon, any other has time on a busy machine too.
SHORT, LONG = "0.25", "10"
# A request that waits for the backend takes longer than this, any other far less, also while the machine is busy.
WAITED_S = 0.2


def env(url: str, **more: str) -> dict[str, str]:
    return {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_TIMEOUT": SHORT,
        "OTEL_BSP_SCHEDULE_DELAY": "20",
        "SERVICE_BILLING": "instance",
        **more,
    }


def timed(process: Process, path: str, times: int) -> tuple[set[int], list[float]]:
    """The statuses of so many requests on one connection, and how long each took."""
    connection = http.client.HTTPConnection(process.url.removeprefix("http://"), timeout=20)
    statuses, durations = set(), []
    try:
        for _ in range(times):
            begun = time.perf_counter()
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            durations.append(time.perf_counter() - begun)
            statuses.add(response.status)
    finally:
        connection.close()
    return statuses, durations


def lines(process: Process, event: str) -> list[dict[str, Any]]:
    return [line for line in process.logs if str(line.get("event", "")).startswith(event)]


@contextmanager
def backend(kind: Answer | Behave | None) -> Iterator[str]:
    """An address where spans meet this fate; None for nobody listening."""
    if kind is None:
        yield closed_port()
    elif isinstance(kind, Answer):
        cloud = Cloud()
        cloud.export = kind
        with cloud.running():
            yield cloud.url
    else:
        with Backend(kind).running() as running:
            yield running.url


BACKENDS: dict[str, tuple[Answer | Behave | None, str]] = {
    "refused": (None, "trace_export_failed"),
    "hanging": (hang, "trace_export_failed"),
    "trickling": (trickle_headers, "trace_export_failed"),
    "garbage": (garbage, "trace_export_failed"),
    "slow": (Answer(delay=0.5, body=b""), ""),
    "403": (Answer(403, b"denied"), "trace_export_refused"),
    "429": (Answer(429), "trace_export_failed"),
    "500": (Answer(500), "trace_export_failed"),
}


@pytest.mark.parametrize(("kind", "event"), BACKENDS.values(), ids=BACKENDS.keys())
def test_requests_do_not_notice_a_bad_backend_and_one_line_says_what_is_wrong(
    kind: Answer | Behave | None, event: str
) -> None:
    """Every request sampled."""
    limit = SHORT if event else LONG
    with backend(kind) as url, service(env(url, OTEL_EXPORTER_OTLP_TIMEOUT=limit), OWN) as process:
        timed(process, "/ok", 5)
        statuses, durations = timed(process, "/ok", REQUESTS)
        assert statuses == {200}
        assert statistics.median(durations) < WAITED_S
        if event:
            process.wait_for_log(event=event)
        begun = time.monotonic()
        process.stop()
        assert time.monotonic() - begun < KILLED_S
        said = lines(process, "trace_export")
        health = lines(process, "trace_health")[-1]
    assert [line["event"] for line in said] == ([event] if event else [])
    assert health["spans_started"] == REQUESTS + 5 + 1, "with the start of the instance"
    lost = health["spans_failed"] + sum(health["spans_dropped"].values())
    assert health["severity"] == ("WARNING" if lost else "INFO")
    assert health["spans_exported"] + lost == health["spans_started"]
    assert (health["spans_exported"] == 0) == bool(event)


@pytest.mark.parametrize("kind", [hang, None, Answer(503)], ids=["hanging", "refused", "503"])
def test_with_request_based_billing_an_error_waits_for_the_backend_once_at_most(
    kind: Answer | Behave | None,
) -> None:
    """Of twenty; a few more may be as slow because the machine is busy."""
    settings = {"SERVICE_BILLING": "request", "OTEL_TRACES_SAMPLER_ARG": "0"}
    with backend(kind) as url, service(env(url, **settings), OWN) as process:
        timed(process, "/ok", 5)
        statuses, durations = timed(process, "/status/500", 20)
        begun = time.monotonic()
        process.stop()
        assert time.monotonic() - begun < KILLED_S
    assert statuses == {500}
    assert sum(seconds > WAITED_S for seconds in durations) <= 5, durations


def resident_mb(process: Process) -> float:
    pages = int(Path(f"/proc/{process.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def test_a_dead_backend_fills_a_bounded_queue_and_no_memory() -> None:
    with backend(None) as url, service(env(url), OWN) as process:
        for _ in range(5):
            ask(process.url, "GET", "/spans/1000")
        process.wait_for_log(event="trace_export_failed")  # what sends has been imported
        filled = resident_mb(process)
        for _ in range(10):
            ask(process.url, "GET", "/spans/1000")
        assert resident_mb(process) - filled < 15
        process.stop()
        health = lines(process, "trace_health")[-1]
    assert health["spans_started"] == 15 * 1001 + 1
    assert health["spans_dropped"]["queue_full"] >= 15_000 - 2048 - 256
    assert sum(health["spans_dropped"].values()) == health["spans_started"]
    assert health["exports_failed"] >= 1


def test_what_a_backend_could_not_take_it_gets_when_it_is_back(start: Start) -> None:
    cloud = Cloud()
    start(cloud)
    cloud.export = Answer(503)
    with service(env(cloud.url, OTEL_EXPORTER_OTLP_TIMEOUT=LONG), OWN) as process:
        for status in (200, 404, 500):
            ask(process.url, "GET", f"/status/{status}")
        process.wait_for_log(event="trace_export_failed")
        cloud.export = Answer(body=b"")
        cloud.wait_for(len(cloud.requests) + 1, "/v1/traces")
        process.stop()
        health = lines(process, "trace_health")[-1]
    cloud.requests[:] = [asked for asked in cloud.requests if asked.answered == 200]
    names = sorted(span.name for _, span in cloud.spans())
    assert names == ["GET /status/{status}"] * 3 + ["instance.start"] + ["work"] * 3
    assert health["spans_exported"] == health["spans_started"] == len(names)
