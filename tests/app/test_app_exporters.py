"""app/telemetry/exporters.py and export_errors.py: the right door, imported when needed, each failure one line."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from app_fakes import Answer, Cloud
from conftest import Start
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.settings import Settings, parse
from app.telemetry import exporters
from app.telemetry.export_errors import ReportedExporter


def send(settings: Settings, project: str = "p") -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    exporters.attach(provider, settings, project)
    provider.get_tracer("t").start_span("one").end()
    provider.force_flush()
    provider.shutdown()
    return provider


def reports(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [
        vars(record)
        for record in caplog.records
        if str(vars(record).get("event", "")).startswith("trace_export")
    ]


@pytest.mark.parametrize("exporter", ["gcp_otlp", "otlp"])
@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_spans_leave_by_otlp_and_the_sending_makes_none(
    cloud: Cloud, spans: InMemorySpanExporter, exporter: str, variable: str
) -> None:
    url = cloud.url + ("/v1/traces" if "TRACES" in variable else "/")
    send(parse({"OTEL_TRACES_EXPORTER": exporter, variable: url}))
    (asked,) = [asked for asked in cloud.requests if asked.path == "/v1/traces"]
    assert [span.name for _, span in cloud.spans()] == ["one"]
    assert asked.headers.get("authorization") == ("Bearer access-secret" if exporter == "gcp_otlp" else None)
    assert spans.get_finished_spans() == ()


def test_google_s_own_address_is_the_default() -> None:
    assert exporters._endpoint(parse({})) is None
    assert exporters.TELEMETRY_API == "https://telemetry.googleapis.com/v1/traces"


@pytest.mark.parametrize(
    ("answer", "event", "status"),
    [
        (Answer(403, b"denied"), "trace_export_refused", 403),
        (Answer(401), "trace_export_refused", 401),
        (Answer(400), "trace_export_failed", 400),
        (Answer(503), "trace_export_failed", None),
        (Answer(delay=1), "trace_export_failed", None),
    ],
)
@pytest.mark.parametrize("exporter", ["gcp_otlp", "otlp"])
def test_a_batch_that_is_not_taken_is_one_error_line(
    cloud: Cloud,
    caplog: pytest.LogCaptureFixture,
    exporter: str,
    answer: Answer,
    event: str,
    status: int | None,
) -> None:
    cloud.export = answer
    limit = {"OTEL_EXPORTER_OTLP_TIMEOUT": "0.3", "OTEL_EXPORTER_OTLP_ENDPOINT": cloud.url}
    send(parse({"OTEL_TRACES_EXPORTER": exporter, **limit}))
    (report,) = reports(caplog)
    assert (report["event"], report["levelno"], report["exporter"]) == (event, logging.ERROR, exporter)
    assert (report["spans"], report["status"]) == (1, status)
    assert report["cause"]


def test_a_backend_that_is_not_there_is_one_error_line(caplog: pytest.LogCaptureFixture) -> None:
    send(parse({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}))
    (report,) = reports(caplog)
    assert report["event"] == "trace_export_failed"
    assert "refused" in report["cause"]


def test_an_exporter_that_cannot_be_built_is_reported_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def build() -> SpanExporter:
        if len(reports(caplog)) == 0:
            raise ValueError("no credentials")
        return InMemorySpanExporter()

    exporter = ReportedExporter("gcp_otlp", build)
    assert exporter.export([]) is SpanExportResult.FAILURE
    assert exporter.export([]) is SpanExportResult.SUCCESS
    assert [report["cause"] for report in reports(caplog)] == ["ValueError: no credentials"]


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
    settings = parse({"OTEL_TRACES_EXPORTER": "gcp_trace", "CLOUD_TRACE_ENDPOINT": "localhost:1"})
    send(settings)
    (report,) = reports(caplog)
    assert (report["event"], report["status"], report["exporter"]) == (
        "trace_export_refused",
        403,
        "gcp_trace",
    )
    assert "cloudtrace.traces.patch" in report["cause"]
    assert calls[0]["timeout"] == settings.export_timeout_s
    labels = calls[0]["request"].spans[0].attributes.attribute_map
    assert calls[0]["request"].name == "projects/p"
    assert "service.name" in labels


EXPORTERS = ("opentelemetry.exporter", "grpc", "google.cloud.trace_v2")


def test_no_exporter_is_imported_before_its_first_spans() -> None:
    code = (
        "import sys, json\nfrom app import settings, telemetry\n"
        "telemetry.setup(settings.parse({'OTEL_TRACES_EXPORTER': 'gcp_otlp'}))\n"
        "from app.main import create_app\ncreate_app(settings.parse({}))\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    modules = json.loads(done.stdout.splitlines()[-1])
    assert [module for module in modules if module.startswith(EXPORTERS)] == []
    assert "google.cloud.storage" not in modules, "only the step that stores pays for it"


def test_none_sends_nothing(start: Start) -> None:
    provider = send(parse({"OTEL_TRACES_EXPORTER": "none"}))
    assert provider._active_span_processor._span_processors == ()


def test_console_writes_one_line_a_span(capsys: pytest.CaptureFixture[str]) -> None:
    send(parse({"OTEL_TRACES_EXPORTER": "console"}))
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["name"] == "one"
