"""app/telemetry/flush.py: the last spans leave within a deadline that the SDK does not keep."""

import logging
import threading
import time

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.telemetry import flush


def provider(exporter: SpanExporter) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=60_000))
    made.get_tracer("t").start_span("last").end()
    return made


async def test_what_is_queued_is_sent() -> None:
    memory = InMemorySpanExporter()
    await flush.shutdown(provider(memory))
    assert [span.name for span in memory.get_finished_spans()] == ["last"]


async def test_a_backend_that_hangs_holds_up_nothing(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()

    class Hanging(InMemorySpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            release.wait(10)
            return SpanExportResult.SUCCESS

    begun = time.monotonic()
    await flush.shutdown(provider(Hanging()), seconds=0.1)
    assert time.monotonic() - begun < 1
    assert [(record.levelno, vars(record)["event"]) for record in caplog.records] == [
        (logging.WARNING, "trace_flush_incomplete")
    ]
    release.set()


async def test_without_an_sdk_there_is_nothing_to_do() -> None:
    await flush.shutdown(trace.NoOpTracerProvider())
