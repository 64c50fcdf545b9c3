"""app/telemetry/exporters.py, export_errors.py, otlp.py: the right door, and each way to fail an outcome and one line."""

import gzip
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from app_backends import Backend, Behave, closed_port, garbage, hang, hang_up, trickle_body, trickle_headers
from app_fakes import Answer, Asked, Cloud, Service, _spans
from conftest import Memory, Start
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from app.settings import Settings, parse
from app.telemetry import export_errors, exporters, otlp
from app.telemetry.counters import Counters
from app.telemetry.export_errors import EVERY_S, Sender
from app.telemetry.otlp import OtlpExporter
from app.telemetry.outbox import NoOutbox, Outcome

ROOT = Path(__file__).parents[2]
RESOURCE = Resource({"service.name": "gateway"})
ONE = ReadableSpan("one", SpanContext(1, 2, False), resource=RESOURCE, start_time=1, end_time=2)


def send(given_settings: Settings, project: str = "p") -> Counters:
    """One span by these settings, sent at once."""
    counters = Counters()
    box = exporters.outbox(given_settings, project, counters)
    box.put(ONE)
    box.close(10)
    return counters


def reports(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [
        vars(record)
        for record in caplog.records
        if str(vars(record).get("event", "")).startswith("trace_export")
    ]


@pytest.mark.parametrize(
    ("exporter", "env", "authorization"),
    [
        pytest.param("gcp_otlp", {"K_SERVICE": "a"}, "Bearer access-secret", id="on Google"),
        pytest.param("gcp_otlp", {}, "Bearer access-secret", id="told where the metadata server is"),
        pytest.param("otlp", {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=key%201"}, "key 1", id="a vendor"),
        pytest.param("otlp", {}, None, id="a collector"),
    ],
)
@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_spans_leave_by_otlp_and_the_sending_makes_none(
    cloud: Cloud, spans: Memory, exporter: str, variable: str, env: dict[str, str], authorization: str | None
) -> None:
    url = cloud.url + ("/v1/traces" if "TRACES" in variable else "/")
    told = {"OTEL_TRACES_EXPORTER": exporter, variable: url, "GCE_METADATA_HOST": cloud.host, **env}
    assert send(parse(told)).exported == 1
    (asked,) = [asked for asked in cloud.requests if asked.path == "/v1/traces"]
    assert [(resource["service.name"], span.name) for resource, span in cloud.spans()] == [("gateway", "one")]
    assert asked.headers.get("authorization") == authorization
    assert asked.headers["content-type"] == "application/x-protobuf"
    assert spans.get_finished_spans() == ()


def test_google_s_own_address_is_the_default_and_only_the_service_account_s_token_is_added() -> None:
    assert exporters._endpoint(parse({})) is None
    assert exporters.TELEMETRY_API == "https://telemetry.googleapis.com/v1/traces"
    exporter: Any = exporters._gcp_otlp(parse({"K_SERVICE": "a"}), "p")
    assert exporter._endpoint == exporters.TELEMETRY_API
    assert exporter._session.trust_env is False, "a .netrc would replace the token"


def test_off_google_or_with_a_key_file_google_auth_gives_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    monkeypatch.setattr(google.auth, "default", lambda scopes: (AnonymousCredentials(), "p"))
    for env in ({}, {"K_SERVICE": "a", "GOOGLE_APPLICATION_CREDENTIALS": "key.json"}):
        exporter: Any = exporters._gcp_otlp(parse(env), "p")
        assert isinstance(exporter._session.credentials, AnonymousCredentials)


def test_a_collector_may_want_gzip_and_a_ca_of_its_own(start: Start) -> None:
    sink = Service(Answer(body=b""))
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": start(sink), "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
    assert send(parse({"OTEL_TRACES_EXPORTER": "otlp", **told})).exported == 1
    (asked,) = sink.requests
    assert asked.headers["content-encoding"] == "gzip"
    body = ExportTraceServiceRequest.FromString(gzip.decompress(asked.body))
    assert body.resource_spans[0].scope_spans[0].spans[0].name == "one"
    exporter: Any = exporters._otlp(parse({"OTEL_EXPORTER_OTLP_CERTIFICATE": "ca.pem"}), "")
    assert (exporter._session.verify, exporter._endpoint) == ("ca.pem", exporters.COLLECTOR)


def test_the_connection_is_used_again(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    connect = socket.create_connection
    monkeypatch.setattr(
        socket, "create_connection", lambda *args, **more: opened.append(args) or connect(*args, **more)
    )
    exporter = OtlpExporter(cloud.url + "/v1/traces", 3)
    for body in (b"", b"x" * 1000):
        cloud.export = Answer(body=body)
        for _ in range(3):
            assert exporter.export([ONE]) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert len({asked.headers["host"] for asked in cloud.requests}) == 1
    assert len(opened) <= 1


REFUSED, FAILED = "trace_export_refused", "trace_export_failed"
STATUSES: list[tuple[int, Outcome, str]] = [
    (200, "sent", ""),
    (202, "sent", ""),
    (301, "again", FAILED),
    (307, "again", FAILED),
    (400, "divide", FAILED),
    (401, "again", REFUSED),
    (403, "again", REFUSED),
    (404, "again", FAILED),
    (413, "divide", FAILED),
    (429, "again", FAILED),
    (500, "again", FAILED),
    (503, "again", FAILED),
]


@pytest.mark.parametrize(("status", "outcome", "event"), STATUSES)
def test_what_each_status_means(
    cloud: Cloud, caplog: pytest.LogCaptureFixture, status: int, outcome: Outcome, event: str
) -> None:
    """A role may be granted and an API enabled: only what no time mends is final."""
    cloud.export = Answer(status, b"because", {"location": cloud.url + "/elsewhere"})
    sender = Sender("gcp_otlp", lambda: OtlpExporter(cloud.url + "/v1/traces", 3))
    assert sender.send([ONE, ONE]) == outcome
    told = [(found["event"], found["status"], found["spans"], found["exporter"]) for found in reports(caplog)]
    assert told == ([(event, status, 2, "gcp_otlp")] if event else [])
    for found in reports(caplog):
        assert found["levelno"] == logging.ERROR
        assert str(status) in found["cause"]
        assert 300 <= status < 400 or "because" in found["cause"]
    assert {asked.path for asked in cloud.requests} == {"/v1/traces"}, "no redirect is followed"
    sender.close()


class Particular(Service):
    """Refuses each batch that has the span `bad` in it, or every batch."""

    def __init__(self, *, everything: bool = False) -> None:
        super().__init__()
        self._everything = everything
        self.taken: list[str] = []

    def answer(self, asked: Asked) -> Answer:
        names = [span.name for _, span in _spans(asked.body)]
        if self._everything or "bad" in names:
            return Answer(400, b"invalid span")
        self.taken += names
        return Answer(body=b"")


def sent_to(url: str, names: list[str]) -> Counters:
    counters = Counters()
    told = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": url}
    box = exporters.outbox(parse(told), "p", counters)
    for name in names:
        box.put(ReadableSpan(name, SpanContext(1, 2, False), resource=RESOURCE, start_time=1, end_time=2))
    box.close(10)
    return counters


def test_one_span_that_a_backend_refuses_costs_no_other(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    sink, names = Particular(), [str(number) for number in range(200)]
    counters = sent_to(start(sink), [*names[:77], "bad", *names[77:]])
    assert sink.taken == names
    assert (counters.exported, counters.failed) == (200, 1)
    assert len(reports(caplog)) == 1


def test_a_backend_that_refuses_all_is_not_stormed(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    sink = Particular(everything=True)
    counters = sent_to(start(sink), ["bad"] * 1000)
    assert (counters.exported, counters.failed) == (0, 1000)
    assert len(sink.requests) < 3 * export_errors.DIVISIONS
    assert len(reports(caplog)) == 1


def partly(rejected: int, text: str) -> bytes:
    told = ExportTracePartialSuccess(rejected_spans=rejected, error_message=text)
    return ExportTraceServiceResponse(partial_success=told).SerializeToString()


@pytest.mark.parametrize(
    ("body", "rejected"),
    [
        (partly(3, "too old"), 3),
        (partly(0, "a warning"), 0),
        (partly(0, ""), 0),
        (b"{}", 0),
        (b'{"partialSuccess": {}}', 0),
        (b"\xff" * 100, 0),
    ],
)
def test_spans_that_a_backend_takes_no_interest_in_are_told_and_not_sent_again(
    cloud: Cloud, caplog: pytest.LogCaptureFixture, body: bytes, rejected: int
) -> None:
    """OTLP's partial success: the status is 200 all the same."""
    cloud.export = Answer(body=body)
    assert Sender("otlp", lambda: OtlpExporter(cloud.url + "/v1/traces", 3)).send([ONE] * 5) == "sent"
    assert [(found["event"], found["spans"]) for found in reports(caplog)] == [(FAILED, 3)][: bool(rejected)]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=60), st.integers(1, 1000), st.text(max_size=200))
def test_whatever_a_backend_answers_with_success_is_success_but_for_what_it_rejects(
    noise: bytes, rejected: int, text: str
) -> None:
    with suppress(otlp.PartlyTaken):
        otlp._require_all(noise)
    said = partly(rejected, text.encode("utf-8", "replace").decode())
    with pytest.raises(otlp.PartlyTaken) as told:
        otlp._require_all(said)
    assert told.value.rejected == rejected
    for end in range(1, len(said)):
        with suppress(otlp.PartlyTaken):
            otlp._require_all(said[:end])


def test_a_redirect_carries_no_token_away(cloud: Cloud, start: Start) -> None:
    elsewhere = Service()
    cloud.export = Answer(308, headers={"location": start(elsewhere)})
    told = {"GCE_METADATA_HOST": cloud.host, "OTEL_EXPORTER_OTLP_ENDPOINT": cloud.url}
    counters = send(parse(told))
    assert counters.exported == 0
    assert elsewhere.requests == []


@pytest.fixture
def backend() -> Iterator[Any]:
    running: list[Any] = []

    def begin(behave: Behave) -> Backend:
        stack = Backend(behave).running()
        running.append(stack)
        return stack.__enter__()

    yield begin
    for stack in running:
        stack.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("behave", "limit_s", "outcome", "cause"),
    [
        (hang, 0.3, "again", "ReadTimeout"),
        (trickle_headers, 0.3, "again", "ReadTimeout"),
        (trickle_body, 1.0, "sent", ""),
        (garbage, 30.0, "again", "ConnectionError"),
        (hang_up, 30.0, "again", "ConnectionError"),
    ],
)
def test_a_backend_that_misbehaves_costs_no_more_than_the_limit(
    backend: Any,
    caplog: pytest.LogCaptureFixture,
    behave: Behave,
    limit_s: float,
    outcome: Outcome,
    cause: str,
) -> None:
    url = backend(behave).url
    sender = Sender("otlp", lambda: OtlpExporter(url + "/v1/traces", limit_s))
    begun = time.monotonic()
    assert sender.send([ONE]) == outcome
    assert time.monotonic() - begun < 15
    assert [found["event"] for found in reports(caplog)] == ([FAILED] if cause else [])
    assert all(found["cause"].startswith(cause) for found in reports(caplog))
    sender.close()


def test_a_backend_that_is_not_there_or_has_no_address_is_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = socket.getaddrinfo

    def unknown(host: str, *args: Any, **options: Any) -> Any:
        if host == "nowhere.example":
            raise socket.gaierror(-2, "Name or service not known")
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    for url, why in ((closed_port(), "refused"), ("http://nowhere.example", "not known")):
        caplog.clear()
        sender = Sender("otlp", lambda url=url: OtlpExporter(url, 1))  # type: ignore[misc]
        assert sender.send([ONE]) == "again"
        (report,) = reports(caplog)
        assert report["event"] == FAILED
        assert why in report["cause"]


def test_one_line_a_cause_and_minute_says_how_many_were_not_written(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    now = [1000.0]
    sender = Sender("otlp", lambda: OtlpExporter(cloud.url + "/v1/traces", 3), lambda: now[0])

    def fail(status: int, times: int) -> list[tuple[int, int]]:
        caplog.clear()
        cloud.export = Answer(status)
        for _ in range(times):
            assert sender.send([ONE]) != "sent"
        return [(found["status"], found["untold"]) for found in reports(caplog)]

    assert fail(503, 5) == [(503, 0)]
    assert fail(403, 3) == [(403, 4)], "another cause is told at once"
    now[0] += EVERY_S - 1
    assert fail(503, 2) == []
    now[0] += 1
    assert fail(503, 2) == [(503, 4)]
    assert fail(403, 1) == [(403, 1)]


def test_causes_without_number_do_not_fill_the_memory(caplog: pytest.LogCaptureFixture) -> None:
    numbers = iter(range(1000))

    class Inventive(InMemorySpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            raise type(f"Error{next(numbers)}", (Exception,), {})("x" * 10_000)

    sender = Sender("otlp", Inventive)
    for _ in range(300):
        assert sender.send([ONE]) == "again"
    assert len(sender._told) <= 101
    assert all(len(found["cause"]) <= 2000 for found in reports(caplog))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TypeError("a value"), "divide"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogate"), "divide"),
        (KeyError("k"), "divide"),
        (OSError("the network"), "again"),
        (ValueError("no token"), "again"),
        (MemoryError(), "again"),
    ],
)
def test_a_span_that_cannot_be_encoded_is_told_apart_from_a_network_that_fails(
    caplog: pytest.LogCaptureFixture, error: Exception, outcome: Outcome
) -> None:
    class Failing(InMemorySpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            raise error

    assert Sender("otlp", Failing).send([ONE]) == outcome
    assert [found["event"] for found in reports(caplog)] == [FAILED]


def test_whatever_stops_the_encoder_is_the_span_s_fault_not_the_network_s(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(spans: object) -> bytes:
        raise RecursionError("deep")

    monkeypatch.setattr(otlp, "encode", broken)
    assert Sender("otlp", lambda: OtlpExporter(cloud.url, 3)).send([ONE]) == "divide"
    assert cloud.requests == []


def test_a_cause_tells_no_header_s_value_and_no_other_secret(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    """`requests` repeats a header that it refuses, and a backend may repeat what it was sent."""
    url, headers = cloud.url + "/v1/traces", {"api-key": " s3cr3t"}
    cloud.export = Answer(400, b'{"message": "no", "api_key": "s3cr3t", "url": "/p?q=s3cr3t"}')
    for sender in (
        Sender("otlp", lambda: OtlpExporter(url, 3, headers=headers)),
        Sender("otlp", lambda: OtlpExporter(url, 3)),
    ):
        sender.send([ONE])
        sender.close()
    told = [(record.getMessage(), vars(record)["cause"]) for record in caplog.records]
    assert "header value" in told[0][1]
    assert "REDACTED" in told[1][1]
    assert "s3cr3t" not in str(told)


def test_an_exporter_that_cannot_be_built_is_reported_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def build() -> SpanExporter:
        if len(reports(caplog)) < 2:
            raise (ValueError, TypeError)[len(reports(caplog))]("no credentials")
        return InMemorySpanExporter()

    sender = Sender("gcp_otlp", build)
    assert [sender.send([ONE]) for _ in range(3)] == ["again", "again", "sent"]
    assert [report["cause"] for report in reports(caplog)] == [
        "ValueError: no credentials",
        "TypeError: no credentials",
    ]
    sender.close()


def test_no_token_is_one_line_and_another_try(
    start: Start, cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    """A metadata server that answers oddly must cost no span, nor be taken for a fault of the spans."""
    for answer in (Answer(503), Answer(404), Answer(body=b"{}"), Answer(body=b"[]"), Answer(body=b"\xff")):
        caplog.clear()
        metadata = Service(answer)
        start(metadata)
        told = parse({"GCE_METADATA_HOST": metadata.host, "OTEL_EXPORTER_OTLP_ENDPOINT": cloud.url})
        sender = Sender("gcp_otlp", lambda told=told: exporters._gcp_otlp(told, "p"))  # type: ignore[misc]
        assert sender.send([ONE, ONE]) == "again"
        (report,) = reports(caplog)
        assert report["cause"].startswith("ValueError: the metadata server gave no access token")
    assert [asked for asked in cloud.requests if asked.path == "/v1/traces"] == []


def test_what_other_exporters_say_is_written_and_what_ours_says_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A team may export metrics by itself; of ours the cause is in our own line."""
    noisy = logging.getLogger("opentelemetry.exporter.something")
    logging.getLogger("opentelemetry.exporter").handlers.clear()  # other tests' senders
    written: list[str] = []

    class Root(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(record.getMessage())

    class Noisy(InMemorySpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            noisy.error("Failed to export, code: 503")
            return SpanExportResult.FAILURE

    root = Root()
    logging.getLogger().addHandler(root)
    sender = Sender("gcp_trace", Noisy)
    assert sender.send([ONE]) == "again"
    assert [(report["status"], report["cause"]) for report in reports(caplog)] == [
        (503, "Failed to export, code: 503")
    ]
    thread = threading.Thread(target=noisy.error, args=("of the metrics",))
    thread.start()
    thread.join()
    logging.getLogger().removeHandler(root)
    assert written == ["gcp_trace failed to export 1 spans: Failed to export, code: 503", "of the metrics"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its own, of what it is built on
def test_the_deprecated_exporter_is_refused_in_one_line_too(
    cloud: Cloud, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cause comes as the exception in its own log line."""
    from google.api_core.exceptions import PermissionDenied
    from google.cloud import trace_v2

    calls: list[dict[str, Any]] = []

    def refuse(self: object, **kwargs: Any) -> None:
        calls.append(kwargs)
        raise PermissionDenied("missing cloudtrace.traces.patch")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(trace_v2.TraceServiceClient, "batch_write_spans", refuse)
    told = parse({"OTEL_TRACES_EXPORTER": "gcp_trace", "CLOUD_TRACE_ENDPOINT": "localhost:1"})
    send(told)
    (report,) = reports(caplog)
    assert (report["event"], report["status"], report["exporter"]) == (REFUSED, 403, "gcp_trace")
    assert "cloudtrace.traces.patch" in report["cause"]
    assert calls[0]["timeout"] == told.export_timeout_s
    labels = calls[0]["request"].spans[0].attributes.attribute_map
    assert calls[0]["request"].name == "projects/p"
    assert "service.name" in labels


LATER = """
import asyncio, json, sys
from app import settings, telemetry
from app.settings import parse

serving = telemetry.setup(parse(json.loads(sys.argv[1])))
if sys.argv[2] == "application":
    from app.main import create_app
    create_app(parse({}))
before = sorted(sys.modules)
from opentelemetry import trace
trace.get_tracer("t").start_span("one").end()
serving.parts.outbox.close(20)
print(json.dumps([before, sorted(set(sys.modules) - set(before)), serving.parts.counters.exported]))
"""
LATE = (
    "app.telemetry.otlp",
    "app.telemetry.attributes",
    "app.telemetry.token",
    "opentelemetry.exporter",
    "opentelemetry.instrumentation.asgi",
    "opentelemetry.instrumentation.fastapi",
)
HEAVY = ("google.protobuf", "opentelemetry.proto", "grpc", "google.cloud.trace_v2")
CLIENTS = ("google.auth", "requests", "httpx")  # of the application, if it makes calls


@pytest.mark.parametrize("of", ["application", "telemetry alone"])
def test_no_exporter_is_imported_before_its_first_spans_and_none_of_its_weight_after_that(
    cloud: Cloud, of: str
) -> None:
    """A start pays for nothing that sends; on Google the token comes without google-auth, the bytes without protobuf."""
    told = {
        "OTEL_TRACES_EXPORTER": "gcp_otlp",
        "GCE_METADATA_HOST": cloud.host,
        "OTEL_EXPORTER_OTLP_ENDPOINT": cloud.url,
    }
    done = subprocess.run(
        [sys.executable, "-c", LATER, json.dumps(told), of],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    before, after, exported = json.loads(done.stdout.splitlines()[-1])
    unwanted = (*LATE, *HEAVY, *(() if of == "application" else CLIENTS))
    assert [name for name in before if name.startswith(unwanted)] == []
    assert "google.cloud.storage" not in before, "only the step that stores pays for it"
    assert exported == 1, done.stdout
    assert "app.telemetry.otlp" in after
    assert [name for name in after if name.startswith((*HEAVY, "google.auth", "httpx"))] == []


def test_none_sends_nothing() -> None:
    box = exporters.outbox(parse({"OTEL_TRACES_EXPORTER": "none"}), "p", Counters())
    assert isinstance(box, NoOutbox)


def test_console_writes_one_line_a_span(capsys: pytest.CaptureFixture[str]) -> None:
    assert send(parse({"OTEL_TRACES_EXPORTER": "console"})).exported == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["name"] == "one"
