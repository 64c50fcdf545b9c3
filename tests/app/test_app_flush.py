"""app/telemetry/flush.py: the last spans leave within a deadline, what was open is ended, and it is said how it all went."""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from app_asgi import application, call, scope
from conftest import serving_with
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import SpanKind

from app.telemetry import flush, server
from app.telemetry.counters import Counters
from app.telemetry.keeping import ATTRIBUTE
from app.telemetry.outbox import Outbox, Outcome
from app.telemetry.serving import Serving


class Sink:
    """Takes everything once it is free to."""

    def __init__(self) -> None:
        self.taken: list[ReadableSpan] = []
        self.free = threading.Event()
        self.free.set()

    def send(self, spans: Sequence[ReadableSpan]) -> Outcome:
        assert self.free.wait(60)
        self.taken += spans
        return "sent"


def made(ratio: float = 1.0) -> tuple[Sink, Serving, Any]:
    sink, counters = Sink(), Counters()
    serving = serving_with(Outbox(sink.send, counters, 60), ratio=ratio)  # type: ignore[arg-type]
    serving.parts.counters = counters
    provider = TracerProvider(sampler=serving.parts.sampler, shutdown_on_exit=False)
    provider.add_span_processor(serving.parts)
    return sink, serving, provider.get_tracer("t")


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(vars(record)["event"], record.levelname) for record in caplog.records if "event" in vars(record)]


@pytest.fixture(autouse=True)
def all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


async def test_what_is_queued_is_sent_and_the_counters_add_up(caplog: pytest.LogCaptureFixture) -> None:
    sink, serving, tracer = made()
    for number in range(700):
        tracer.start_span(str(number)).end()
    await flush.shutdown(serving)
    assert [span.name for span in sink.taken] == [str(number) for number in range(700)]
    assert told(caplog) == [("trace_health", "INFO")]
    fields = vars(caplog.records[-1])
    assert fields["spans_started"] == fields["spans_exported"] == 700
    assert fields["spans_dropped"] == {}
    assert fields["parts_kept"] == {"head": 700}


async def test_a_backend_that_hangs_holds_up_nothing(caplog: pytest.LogCaptureFixture) -> None:
    sink, serving, tracer = made()
    sink.free.clear()
    for number in range(10):
        tracer.start_span(str(number)).end()
    begun = time.monotonic()
    await flush.shutdown(serving, seconds=0.1)
    assert time.monotonic() - begun < 15
    assert told(caplog) == [("trace_flush_incomplete", "WARNING"), ("trace_health", "WARNING")]
    fields = vars(caplog.records[-1])
    assert fields["spans_started"] == 10
    assert fields["spans_exported"] + sum(fields["spans_dropped"].values()) == 10
    sink.free.set()
    thread = serving.parts.outbox._thread
    assert thread is not None
    thread.join(30)  # what it has to say belongs to this test


async def test_without_spans_it_is_immediate(caplog: pytest.LogCaptureFixture) -> None:
    _, serving, _ = made()
    begun = time.monotonic()
    await flush.shutdown(serving, seconds=60)
    assert time.monotonic() - begun < 15
    assert told(caplog) == [("trace_health", "INFO")]


@pytest.mark.parametrize("ratio", [0, 1])
async def test_what_is_still_running_is_ended_marked_and_exported_whole(ratio: float) -> None:
    """A request that the server could not stop, such as one in a thread, with a call it waits for; no orphans."""
    sink, serving, tracer = made(ratio)
    app, waiting, go_on = application(), asyncio.Event(), asyncio.Event()
    server.install(app, serving)

    @app.get("/slow")
    async def slow() -> None:
        tracer.start_span("done").end()
        with (
            tracer.start_as_current_span("waiting", kind=SpanKind.CLIENT),
            tracer.start_as_current_span("below"),
        ):
            waiting.set()
            await go_on.wait()

    running = asyncio.create_task(call(app, scope("/slow")))
    await waiting.wait()
    await flush.shutdown(serving)
    go_on.set()
    await running
    found = {span.name: span for span in sink.taken}
    assert set(found) == {"GET /slow", "done", "waiting", "below"}
    assert len(sink.taken) == 4
    marked = {name for name, span in found.items() if (span.attributes or {}).get("unfinished")}
    assert marked == {"GET /slow", "waiting", "below"}
    assert (found["GET /slow"].attributes or {})[ATTRIBUTE] == ("head" if ratio else "error")
    ids = {span.context.span_id for span in sink.taken if span.context}
    assert all(span.parent is None or span.parent.span_id in ids for span in sink.taken)


async def test_a_fault_of_ours_is_a_line_and_the_process_ends_all_the_same(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, serving, _ = made()

    def broken() -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(serving.parts, "end_open_spans", broken)
    await flush.shutdown(serving)
    assert told(caplog) == [("trace_flush_failed", "ERROR")]


async def test_a_thread_that_gets_no_turn_does_not_hold_up_the_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, serving, _ = made()
    free = threading.Event()
    monkeypatch.setattr(serving.parts, "end_open_spans", lambda: free.wait(60))
    begun = time.monotonic()
    await flush.shutdown(serving, seconds=0.1)
    assert time.monotonic() - begun < 15
    assert told(caplog) == [("trace_flush_incomplete", "WARNING")]
    free.set()
