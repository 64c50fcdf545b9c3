"""app/telemetry/server.py, server_span.py, attributes.py: our server span equals that of OpenTelemetry's FastAPI instrumentation."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import app_asgi
import httpx
import pytest
from app_asgi import scope
from app_told import told
from conftest import Memory, serving_with
from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from starlette.types import Message, Scope

from app import telemetry
from app.telemetry import server
from app.telemetry.keeping import ATTRIBUTE


def nested() -> FastAPI:
    """A router and a mounted application."""
    app = FastAPI(telemetry=telemetry.NO_NATIVE_SPANS)
    router = APIRouter()
    mounted = FastAPI(telemetry=telemetry.NO_NATIVE_SPANS)

    @router.get("/deep/{name}")
    async def deep(name: str) -> str:
        return name

    @mounted.get("/inner")
    async def inner() -> str:
        return "x"

    app.include_router(router, prefix="/api")
    app.mount("/mounted", mounted)
    return app


def application() -> FastAPI:
    """Routes of every kind that a span is named after."""
    app = nested()

    @app.get("/plain")
    async def plain() -> dict[str, bool]:
        return {"ok": True}

    @app.get("/items/{item}")
    def item(item: int) -> dict[str, int]:
        return {"item": item}

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418)

    @app.get("/unavailable")
    async def unavailable() -> None:
        raise HTTPException(503, "later")

    @app.get("/raises")
    async def raises() -> None:
        raise ValueError("broken")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in (b"a", b"b"):
                yield piece

        return StreamingResponse(pieces())

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> None:
        tasks.add_task(lambda: None)

    return app


async def call(app: Any, asked: Scope) -> list[Message]:
    """In a task of its own, as a server gives it; an exception that leaves the application is the server's to log."""
    answers: list[Message] = []
    with suppress(ValueError):
        await asyncio.create_task(app_asgi.call(app, {**asked}, answers))
    return answers


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FastAPI, InMemorySpanExporter]]:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    memory, app = InMemorySpanExporter(), application()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, exclude_spans=["receive", "send"])
    yield app, memory
    FastAPIInstrumentor.uninstrument_app(app)


REQUESTS = {
    "plain": scope("/plain"),
    "route": scope("/items/7"),
    "invalid": scope("/items/x"),
    "no route": scope("/nowhere"),
    "wrong method": scope("/plain", method="POST"),
    "unknown method": scope("/plain", method="BREW"),
    "head": scope("/plain", method="HEAD"),
    "4xx": scope("/teapot"),
    "5xx": scope("/unavailable"),
    "exception": scope("/raises"),
    "stream": scope("/stream"),
    "router": scope("/api/deep/a"),
    "mounted": scope("/mounted/inner"),
    "root path": scope("/plain", root_path="/proxy"),
    "user agent": scope("/plain", headers=[(b"user-agent", b"curl/8")]),
    "bot": scope("/plain", headers=[(b"user-agent", b"Googlebot/2.1")]),
    "https": scope("/plain", scheme="https", server=("a.example", 443)),
    "no client": scope("/plain", client=None),
    "no server": scope("/plain", server=None),
}


@pytest.mark.parametrize("asked", REQUESTS.values(), ids=REQUESTS.keys())
async def test_a_server_span_equals_that_of_the_instrumentation(
    theirs: tuple[FastAPI, InMemorySpanExporter], spans: Memory, asked: Scope
) -> None:
    """Name, attributes, status, events and scope: who knows OpenTelemetry's spans knows ours."""
    app, memory = theirs
    ours = application()
    telemetry.instrument(ours)
    assert len(await call(ours, asked)) == len(await call(app, asked))
    (expected,), (got,) = memory.get_finished_spans(), spans.get_finished_spans()
    assert told(got) == told(expected)
    assert (got.attributes or {})[ATTRIBUTE] == "head"
    assert got.start_time
    assert got.end_time
    assert got.start_time <= got.end_time


async def test_a_background_task_is_a_span_named_as_the_instrumentation_names_it(
    theirs: tuple[FastAPI, InMemorySpanExporter], spans: Memory
) -> None:
    app, memory = theirs
    await call(app, scope("/background"))
    names = sorted(span.name for span in memory.get_finished_spans())
    FastAPIInstrumentor.uninstrument_app(app)
    from app.telemetry import background

    background.trace_tasks()
    ours = application()
    telemetry.instrument(ours)
    await call(ours, scope("/background"))
    assert sorted(span.name for span in spans.get_finished_spans()) == names


def kept(app: FastAPI, **options: Any) -> Memory:
    memory = Memory()
    server.install(app, serving_with(memory, **options))
    return memory


def reasons(memory: Memory) -> list[Any]:
    return [(span.attributes or {}).get(ATTRIBUTE) for span in memory.get_finished_spans()]


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("/plain", 200, []),
        ("/teapot", 418, []),
        ("/unavailable", 503, ["error"]),
        ("/raises", 500, ["error"]),
    ],
)
async def test_an_error_is_kept_whatever_the_ratio_and_a_caller_is_told(
    path: str, status: int, expected: list[str]
) -> None:
    app = application()
    memory = kept(app, ratio=0)
    start, *_ = await call(app, scope(path))
    assert start["status"] == status
    assert reasons(memory) == expected
    responses = [value for name, value in start["headers"] if name == b"traceresponse"]
    assert [value[-2:] for value in responses] == [b"03" for _ in expected]


async def test_slow_is_kept() -> None:
    app = application()
    memory = kept(app, ratio=0, slow_ms=0)
    await call(app, scope("/plain"))
    assert reasons(memory) == ["slow"]


@pytest.mark.parametrize(
    ("public", "header", "expected"),
    [
        (False, b"0", ["deadline"]),
        (False, b"60000", []),
        (False, b"-1", []),
        (False, b"\xb2", []),
        (False, b"9" * 5000, []),
        (True, b"0", []),
    ],
)
async def test_a_part_that_overran_its_caller_s_deadline_is_kept_if_the_caller_can_be_believed(
    public: bool, header: bytes, expected: list[str]
) -> None:
    app = application()
    memory = kept(app, ratio=0, public=public)
    await call(app, scope("/plain", headers=[(b"x-request-timeout-ms", header)]))
    assert reasons(memory) == expected


async def test_an_error_storm_is_bounded_and_what_it_drops_is_counted() -> None:
    app, memory = application(), Memory()
    serving = serving_with(memory, ratio=0, keep_per_second=3)
    server.install(app, serving)
    for _ in range(20):
        await call(app, scope("/unavailable"))
    assert 3 <= len(memory.get_finished_spans()) < 20
    lost = serving.parts.counters.dropped["keep_limit"]
    assert lost == 20 - serving.parts.counters.kept["error"]


async def test_the_api_works_on_the_server_span(spans: Memory) -> None:
    """Attributes, events, links, name and status that a handler sets are exported."""
    app = FastAPI(telemetry=telemetry.NO_NATIVE_SPANS)

    @app.get("/x")
    async def x() -> None:
        span = trace.get_current_span()
        span.set_attribute("a", 1)
        span.set_attributes({"b": "two"})
        span.add_event("happened", {"k": "v"})
        span.add_link(trace.SpanContext(1, 2, is_remote=True))
        span.update_name("renamed")
        span.set_status(StatusCode.OK)
        span.set_status(StatusCode.ERROR, "too late")
        span.end()
        assert span.is_recording()

    telemetry.instrument(app)
    await call(app, scope("/x"))
    (span,) = spans.get_finished_spans()
    assert span.name == "renamed"
    assert (span.attributes or {})["a"] == 1
    assert (span.attributes or {})["b"] == "two"
    assert [event.name for event in span.events] == ["happened"]
    assert [link.context.trace_id for link in span.links] == [1]
    assert span.status.status_code is StatusCode.OK


async def answered(app: FastAPI, path: str) -> tuple[int, ReadableSpan, Memory]:
    memory = kept(app, ratio=0)
    start, *_ = await call(app, scope(path))
    return start["status"], memory.get_finished_spans()[-1], memory


@pytest.mark.parametrize("kind", ["none", "def", "async def"])
async def test_what_nobody_caught_is_recorded_whatever_handler_answers(kind: str) -> None:
    app = application()

    async def late(request: object, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("sorry", 500)

    def plain(request: object, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("sorry", 500)

    if kind != "none":
        app.add_exception_handler(Exception, late if kind == "async def" else plain)
    status, span, _ = await answered(app, "/raises")
    assert status == 500
    assert [(event.attributes or {})["exception.type"] for event in span.events] == ["ValueError"]


async def test_an_error_in_a_mounted_application_is_recorded() -> None:
    app, inner = FastAPI(telemetry=telemetry.NO_NATIVE_SPANS), application()
    app.mount("/v1", inner)
    _, span, _ = await answered(app, "/v1/raises")
    assert [(event.attributes or {})["exception.type"] for event in span.events] == ["ValueError"]


async def test_an_exception_recorded_and_handled_before_does_not_hide_the_next() -> None:
    app = FastAPI(telemetry=telemetry.NO_NATIVE_SPANS)

    @app.get("/twice")
    async def twice() -> None:
        try:
            int("x")
        except ValueError as error:
            trace.get_current_span().record_exception(error)
        raise KeyError("real")

    memory = kept(app, ratio=0)
    with suppress(KeyError):
        await call(app, scope("/twice"))
    (span,) = memory.get_finished_spans()
    types = [(event.attributes or {})["exception.type"] for event in span.events]
    assert types == ["ValueError", "KeyError"]


@pytest.mark.filterwarnings("ignore:Using `httpx` with")  # Starlette's, of its own test client
def test_a_teams_own_tests_work_over_it() -> None:
    """Starlette's test client: lists where a server gives tuples, WebSockets without a version, errors that come back."""
    from fastapi.testclient import TestClient

    app = application()

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    memory = kept(app)
    client = TestClient(app)
    assert client.get("/plain").status_code == 200
    with client.websocket_connect("/ws") as socket:
        assert socket.receive_text() == "hello"
    with pytest.raises(ValueError, match="broken"):
        client.get("/raises")
    assert [span.name for span in memory.get_finished_spans()] == ["GET /plain", "HTTP /ws", "GET /raises"]


async def test_no_context_leaks_to_who_calls_the_application_in_its_own_task() -> None:
    app = application()
    kept(app)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://a.example") as client:
        with pytest.raises(ValueError, match="broken"):
            await client.get("/raises")
    assert not trace.get_current_span().get_span_context().is_valid


async def test_a_fault_of_ours_fails_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted and logged, at the start, at the answer and at the end."""
    for name, owner in (("trace_id", server.propagation), ("response_header", server.propagation)):
        app, memory = application(), Memory()
        serving = serving_with(memory)
        server.install(app, serving)
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, None)
            start, *_ = await call(app, scope("/plain"))
        assert start["status"] == 200
        assert serving.parts.counters.dropped["fault"] == 1


async def test_after_its_end_a_span_ignores_what_is_set(spans: Memory) -> None:
    app = FastAPI(telemetry=telemetry.NO_NATIVE_SPANS)

    @app.get("/x")
    async def x(tasks: BackgroundTasks) -> None:
        span = trace.get_current_span()

        def late() -> None:
            span.set_attribute("late", True)
            span.add_event("late")

        tasks.add_task(late)

    telemetry.instrument(app)
    await call(app, scope("/x"))
    (span,) = [span for span in spans.get_finished_spans() if span.name == "GET /x"]
    assert "late" not in (span.attributes or {})
    assert not span.events


async def test_an_application_instrumented_within_another_makes_no_second_span(spans: Memory) -> None:
    app, inner = FastAPI(telemetry=telemetry.NO_NATIVE_SPANS), application()
    telemetry.instrument(inner)
    app.mount("/v1", inner)
    telemetry.instrument(app)
    await call(app, scope("/v1/plain"))
    assert len(spans.get_finished_spans()) == 1
