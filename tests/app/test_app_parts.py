"""app/telemetry/parts.py: a service's part of a trace goes out as a whole or not at all, and holds little meanwhile."""

import asyncio
import os
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from app_asgi import application, call, scope
from conftest import Memory, serving_with
from fastapi import BackgroundTasks, HTTPException
from fastapi.responses import StreamingResponse
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach, set_value
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Tracer, TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags
from starlette.background import BackgroundTask

from app.telemetry import background, parts, server
from app.telemetry.client_span import ClientSpan
from app.telemetry.keeping import ATTRIBUTE, PART
from app.telemetry.part import Part
from app.telemetry.serving import Serving

TRACE_ID = 0xAB << 64 | 0xFFFF_FFFF_FFFF_FFFF  # outside every ratio below 1


def made(ratio: float = 0, **options: Any) -> tuple[Memory, Serving, Tracer]:
    """A memory, what serves into it, and a tracer for work of one's own."""
    memory = Memory()
    serving = serving_with(memory, ratio=ratio, **options)
    provider = TracerProvider(sampler=serving.parts.sampler, shutdown_on_exit=False)
    provider.add_span_processor(serving.parts)
    tracer = provider.get_tracer("t")
    assert isinstance(tracer, Tracer)
    return memory, serving, tracer


def names(memory: Memory) -> list[str]:
    return sorted(span.name for span in memory.get_finished_spans())


def orphans(memory: Memory) -> list[str]:
    """Spans whose local parent is missing."""
    found = memory.get_finished_spans()
    ids = {span.context.span_id for span in found if span.context}
    return [
        span.name
        for span in found
        if span.parent and not span.parent.is_remote and span.parent.span_id not in ids
    ]


def remote(flags: int = 0) -> Context:
    """A context whose current span is another service's, as a message from a queue has it."""
    parent = SpanContext(TRACE_ID, 7, True, TraceFlags(flags))
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())


@pytest.mark.parametrize("within", [Context(), remote(0), remote(1)], ids=["alone", "remote 00", "remote 01"])
@pytest.mark.parametrize(
    ("ratio", "outcome", "slow_ms", "reason"),
    [
        (0, "ok", 60_000, None),
        (0, "error", 60_000, "error"),
        (0, "ok", 0, "slow"),
        (0, "error", 0, "error"),
        (1, "error", 0, "head"),
        (1, "ok", 60_000, "head"),
    ],
)
def test_work_outside_a_request_is_a_part_of_its_own_judged_by_its_root(
    within: Context, ratio: float, outcome: str, slow_ms: int, reason: str | None
) -> None:
    """A queue's message, a timer, a job: kept as requests are, the reason on its root, whatever flag it came with."""
    memory, serving, tracer = made(ratio, slow_ms=slow_ms)
    with (
        suppress(ValueError),
        tracer.start_as_current_span("root", context=within),
        tracer.start_as_current_span("child"),
        tracer.start_as_current_span("grandchild"),
    ):
        if outcome == "error":
            raise ValueError
    assert names(memory) == (["child", "grandchild", "root"] if reason else [])
    assert orphans(memory) == []
    told = {span.name: (span.attributes or {}).get(ATTRIBUTE) for span in memory.get_finished_spans()}
    assert told == ({"root": reason, "child": None, "grandchild": None} if reason else {})
    assert dict(serving.parts.counters.kept) == ({reason: 1} if reason else {})


def test_a_child_s_error_alone_keeps_nothing() -> None:
    """What it came to is in the outcome of the whole."""
    memory, _, tracer = made()
    with (
        tracer.start_as_current_span("root"),
        suppress(ValueError),
        tracer.start_as_current_span("child"),
    ):
        raise ValueError
    assert names(memory) == []


@pytest.mark.parametrize(
    ("attributes", "kind", "kept"),
    [
        ({"error.type": "ConnectError", "http.request.method": "GET"}, SpanKind.CLIENT, True),
        ({"error.type": "UniqueViolation", "db.system.name": "postgresql"}, SpanKind.CLIENT, False),
        ({"error.type": "429", "gen_ai.operation.name": "chat"}, SpanKind.CLIENT, False),
        (
            {"error.type": "503", "http.request.method": "GET", "http.response.status_code": 503},
            SpanKind.CLIENT,
            False,
        ),
        ({"http.response.status_code": 200}, SpanKind.CLIENT, False),
        ({"error.type": "ValueError"}, SpanKind.INTERNAL, False),
    ],
)
def test_who_got_no_answer_is_kept_even_if_a_retry_mends_it(
    attributes: dict[str, Any], kind: SpanKind, kept: bool
) -> None:
    """The silent callee may have kept its own part, whose parent is that call. A database has no part to keep."""
    memory, _, tracer = made()
    with tracer.start_as_current_span("root"):
        tracer.start_span("call", kind=kind, attributes=attributes).end()
    assert names(memory) == (["call", "root"] if kept else [])
    if kept:
        assert (memory.get_finished_spans()[-1].attributes or {})[ATTRIBUTE] == "downstream"


@pytest.mark.parametrize(
    ("status", "expected", "slow_ms", "reason"),
    [
        (200, False, 60_000, None),
        (200, False, 0, "slow"),
        (503, False, 60_000, "error"),
        (404, False, 60_000, "error"),
        (404, True, 60_000, None),
        (0, False, 60_000, "downstream"),
    ],
)
def test_a_call_outside_a_request_is_judged_like_any_other_root(
    status: int, expected: bool, slow_ms: int, reason: str | None
) -> None:
    memory, serving, _ = made(slow_ms=slow_ms)
    context = SpanContext(TRACE_ID, 9, False)
    span = ClientSpan(serving.parts, context, None, Part(serving.parts, False, 9), Resource({}))
    span.method, span.url = "GET", "http://a.example/"
    if status:
        span.answered(status, 11)
    else:
        span.failed(ConnectionError("refused"))
    if expected:
        span.set_status(StatusCode.OK)
    span.close()
    found = [(span.name, (span.attributes or {})[ATTRIBUTE]) for span in memory.get_finished_spans()]
    assert found == ([("GET", reason if status else "error")] if reason else [])


@pytest.fixture(autouse=True)
def tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans of background tasks, for as long as a test takes."""
    monkeypatch.setattr(BackgroundTask, "__call__", BackgroundTask.__call__)
    background.trace_tasks()


def serve(serving: Serving, tracer: Tracer) -> Any:
    """An application whose handlers start spans at every moment of a request."""
    app = application()
    server.install(app, serving)
    add_task(app, tracer)

    @app.get("/work")
    async def work(status: int = 200) -> None:
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
            await asyncio.to_thread(lambda: tracer.start_span("thread").end())
        if status != 200:
            raise HTTPException(status)

    @app.get("/stream")
    async def stream(broken: bool = False) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in (b"a", b"b"):
                with tracer.start_as_current_span("piece"):
                    yield piece
            if broken:
                raise ValueError("in the stream")

        return StreamingResponse(pieces())

    return app


def add_task(app: Any, tracer: Tracer) -> None:
    @app.get("/task")
    async def task(tasks: BackgroundTasks, status: int = 200, broken: bool = False) -> None:
        async def afterwards() -> None:
            with tracer.start_as_current_span("afterwards"):
                if broken:
                    raise ValueError("in the background")

        tasks.add_task(afterwards)
        with tracer.start_as_current_span("before"):
            if status != 200:
                raise HTTPException(status)


async def ask(app: Any, path: str, query: bytes = b"") -> None:
    parent = f"00-{TRACE_ID:032x}-{7:016x}-01".encode()
    with suppress(ValueError):
        await call(app, scope(path, [(b"traceparent", parent)], query))


WORK = ["GET /work", "inner", "outer", "thread"]


@pytest.mark.parametrize(
    ("path", "query", "expected", "reason"),
    [
        ("/work", b"", [], ""),
        ("/work", b"status=503", WORK, "error"),
        ("/work", b"status=404", [], ""),
        ("/stream", b"", [], ""),
        ("/stream", b"broken=1", ["GET /stream", "piece", "piece"], "error"),
        ("/task", b"", [], ""),
        ("/task", b"broken=1", ["BackgroundTask afterwards", "GET /task", "afterwards", "before"], "error"),
        ("/task", b"status=500&broken=1", ["GET /task", "before"], "error"),
    ],
)
async def test_all_spans_of_an_undecided_request_are_recorded_and_share_its_fate(
    path: str, query: bytes, expected: list[str], reason: str
) -> None:
    """Also those of a stream after the response began, and of a background task that fails when all was sent."""
    memory, serving, tracer = made()
    await ask(serve(serving, tracer), path, query)
    assert names(memory) == expected
    assert orphans(memory) == []
    entries = [span for span in memory.get_finished_spans() if span.kind is SpanKind.SERVER]
    assert [(span.attributes or {})[ATTRIBUTE] for span in entries] == ([reason] if reason else [])
    assert dict(serving.parts.counters.kept) == ({reason: 1} if reason else {})
    assert serving.parts._held == 0
    assert serving.parts._open == {}


@pytest.mark.parametrize(("ratio", "expected"), [(0, []), (1, ["GET /late", "late"])])
async def test_what_ends_after_the_request_follows_its_decision(ratio: float, expected: list[str]) -> None:
    memory, serving, tracer = made(ratio)
    app = application()
    server.install(app, serving)
    go_on, running = asyncio.Event(), set()

    @app.get("/late")
    async def late() -> None:
        async def work() -> None:
            with tracer.start_as_current_span("late"):
                await go_on.wait()

        running.add(asyncio.create_task(work()))
        await asyncio.sleep(0)

    await call(app, scope("/late"))
    go_on.set()
    await asyncio.gather(*running)
    assert names(memory) == expected
    assert serving.parts._held == 0


def test_a_request_s_span_in_another_trace_is_a_part_of_its_own() -> None:
    """Who starts a trace afresh within a request does not want it judged by the request."""
    memory, serving, tracer = made()
    request = Part(serving.parts, True)
    token = attach(set_value(PART, request))
    try:
        tracer.start_span("fresh", context=Context()).end()
        tracer.start_span("its own").end()
    finally:
        detach(token)
    assert names(memory) == ["its own"]


def tree(tracer: Tracer, fails: bool = True) -> None:
    """A root with two groups of two spans each."""
    with suppress(ValueError), tracer.start_as_current_span("root"):
        for group in ("a", "b"):
            with tracer.start_as_current_span(group):
                for number in (1, 2):
                    with tracer.start_as_current_span(f"{group}{number}"):
                        pass
        if fails:
            raise ValueError


def test_a_full_buffer_loses_the_leaves_and_makes_no_orphans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SPANS_PER_PART", 3)
    memory, serving, tracer = made()
    tree(tracer)
    assert names(memory) == ["b", "b1", "b2", "root"]
    assert orphans(memory) == []
    assert serving.parts.counters.dropped == {"part_buffer": 3}
    assert serving.parts._held == 0


def test_the_buffer_of_all_parts_together_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SPANS_HELD", 4)
    memory, serving, tracer = made()
    roots = [tracer.start_span(f"root{number}", context=Context()) for number in range(4)]
    for root in roots:
        for number in range(3):
            tracer.start_span(f"leaf{number}", context=trace.set_span_in_context(root)).end()
    assert serving.parts._held <= 4 + len(roots), "each part may hold one"
    for root in roots:
        root.set_status(StatusCode.ERROR)
        root.end()
    assert {"root0", "root1", "root2", "root3"} <= set(names(memory))
    assert len(names(memory)) + serving.parts.counters.dropped["buffer"] == 16
    assert serving.parts._held == 0


async def test_long_lived_parts_cost_a_failing_request_none_of_its_spans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Idle connections, or consumers that never end: what is too much is theirs."""
    monkeypatch.setattr(parts, "SPANS_HELD", 40)
    memory, serving, tracer = made()
    idle = [tracer.start_span(f"idle{number}", context=Context()) for number in range(4)]
    for root in idle:
        for _ in range(10):
            tracer.start_span("message", context=trace.set_span_in_context(root, Context())).end()
    await ask(serve(serving, tracer), "/work", b"status=503")
    assert names(memory) == WORK
    assert orphans(memory) == []
    assert serving.parts._held == 40 - serving.parts.counters.dropped["buffer"]
    assert set(serving.parts.counters.dropped) == {"buffer"}
    for root in idle:
        root.end()
    assert serving.parts._held == 0
    assert serving.parts._holding == set()


def test_the_spans_of_a_root_that_never_ended_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SPANS_OPEN", 2)
    _, serving, tracer = made()
    for _ in range(10):
        root = tracer.start_span("leaked", context=Context())
        for _ in range(5):
            tracer.start_span("message", context=trace.set_span_in_context(root, Context())).end()
    assert serving.parts._held <= 2 * 5
    assert len(serving.parts._holding) <= 2


def test_a_forked_child_holds_nothing_of_its_parent_s() -> None:
    _, serving, tracer = made()
    root = tracer.start_span("root", context=Context())
    for _ in range(5):
        tracer.start_span("child", context=trace.set_span_in_context(root, Context())).end()
    ((part, _),) = serving.parts._open.values()
    child = os.fork()
    if child == 0:  # pragma: no cover  # in the child
        wrong = 1
        try:
            left = [serving.parts._held, len(serving.parts._open)]
            part.settle()  # the request, or the work, that forked
            wrong = int([*left, serving.parts._held] != [0, 0, 0])
        finally:
            os._exit(wrong)
    assert os.waitpid(child, 0)[1] == 0
    assert serving.parts._held == 5
    root.end()


def test_a_part_that_is_decided_while_it_ends_is_kept_with_what_it_held() -> None:
    """Another thread keeps it just then: either it was in time, or it was not."""
    memory, serving, _ = made()
    part, admit, ended = Part(serving.parts, False), serving.parts.admit, threading.Event()
    for number in (1, 2):
        part.add(ReadableSpan("n", SpanContext(1, number, False), resource=Resource({})))

    def end() -> None:
        part.settle()
        ended.set()

    ending = threading.Thread(target=end)

    def meanwhile(reason: str) -> bool:
        ending.start()
        ended.wait(0.1)
        return admit(reason)

    serving.parts.admit = meanwhile  # type: ignore[method-assign]
    part.keep("error")
    ending.join(30)
    assert part.kept
    assert len(names(memory)) == 2
    assert dict(serving.parts.counters.kept) == {"error": 1}
    assert serving.parts._held == 0


def test_calls_are_abandoned_with_their_request_and_not_those_of_others() -> None:
    """A thread of the service's own, which polls or refreshes, goes on whichever request ends."""
    memory, serving, _ = made(1)
    own, over, other = (Part(serving.parts, True) for _ in range(3))
    over.settle()
    calls = []
    for number, part in enumerate((own, over, other, Part(serving.parts, True, 4)), 1):
        call = ClientSpan(serving.parts, SpanContext(TRACE_ID, number, False), None, part, Resource({}))
        call.method, call.url = "GET", "http://a.example/"
        calls.append(call)
    serving.parts.abandon_calls(own)
    assert [bool(call.end_time) for call in calls] == [True, True, False, False]
    for call in calls:
        call.close()
    marked = [(span.attributes or {}).get("unfinished") for span in memory.get_finished_spans()]
    assert marked == [True, True, None, None]


def test_spans_that_never_end_are_forgotten_and_counted_and_later_ones_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parts, "SPANS_OPEN", 10)
    memory, serving, tracer = made(1)
    for _ in range(50):
        tracer.start_span("leaked", context=Context())
    tree(tracer)
    assert names(memory) == ["a", "a1", "a2", "b", "b1", "b2", "root"]
    assert len(serving.parts._open) <= 10
    assert serving.parts.counters.dropped == {"never_ended": 50 - len(serving.parts._open)}


@pytest.mark.parametrize("decided", ["kept", "kept and settled", "settled"])
def test_a_span_that_ends_while_another_thread_decides_follows_the_decision(
    monkeypatch: pytest.MonkeyPatch, decided: str
) -> None:
    """Just between the question whether the part is kept and the place in the buffer."""
    memory, serving, _ = made()
    part, hold = Part(serving.parts, False), serving.parts.hold

    def meanwhile(asking: Part) -> Any:
        if "kept" in decided:
            part.keep("slow")
        if "settled" in decided:
            part.settle()
        return hold(asking)

    monkeypatch.setattr(serving.parts, "hold", meanwhile)
    part.add(ReadableSpan("late", SpanContext(1, 2, False), resource=Resource({})))
    assert names(memory) == (["late"] if "kept" in decided else [])
    assert serving.parts._held == 0


def test_a_finalizer_may_end_a_span_in_the_midst_of_ours() -> None:
    """Memory is collected at any moment, and an abandoned generator ends its span then: without a deadlock."""
    memory, serving, tracer = made()
    root = tracer.start_span("root")
    below = tracer.start_span("below", context=trace.set_span_in_context(root))

    def collected() -> None:
        with serving.parts.lock:
            below.end()
            root.set_status(StatusCode.ERROR)
            root.end()

    thread = threading.Thread(target=collected, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert names(memory) == ["below", "root"]


@pytest.fixture
def switching() -> Any:
    """Threads change as often as Python can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Locked(Memory):
    """Counts what it is given, from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[int] = []

    def put(self, span: Any) -> None:
        self.given.append(span.get_span_context().span_id)


@pytest.mark.parametrize("kept", [True, False], ids=["kept meanwhile", "never kept"])
def test_threads_that_end_spans_while_their_part_is_decided_lose_none_and_send_none_twice(
    switching: None, kept: bool
) -> None:
    for _ in range(15):
        memory = Locked()
        serving = serving_with(memory, ratio=0)
        part = Part(serving.parts, False)
        gate = threading.Barrier(5)

        def work(first: int, part: Part = part, gate: threading.Barrier = gate) -> None:
            gate.wait()
            for number in range(first, first + 30):
                part.add(ReadableSpan("n", SpanContext(1, number, False), resource=Resource({})))

        threads = [threading.Thread(target=work, args=(1 + 30 * number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        gate.wait()
        for reason in ("slow", "error") if kept else ():
            part.keep(reason)
        if kept:
            part.settle()
        for thread in threads:
            thread.join()
        part.settle()
        expected = {number: 1 for number in range(1, 121)} if kept else {}
        assert Counter(memory.given) == expected
        assert serving.parts._held == 0
        assert serving.parts.counters.dropped.total() == 0


def test_at_the_end_open_spans_are_ended_and_marked() -> None:
    """At SIGTERM; who ends them once more afterwards changes nothing."""
    memory, serving, tracer = made(1)
    root = tracer.start_span("root")
    child = tracer.start_span("child", context=trace.set_span_in_context(root))
    client = ClientSpan(
        serving.parts, SpanContext(TRACE_ID, 9, False), None, Part(serving.parts, True, 9), Resource({})
    )
    client.method, client.url = "GET", "http://a.example/"
    serving.parts.end_open_spans()
    client.close()
    assert names(memory) == ["GET", "child", "root"]
    assert orphans(memory) == []
    assert [(span.attributes or {})["unfinished"] for span in memory.get_finished_spans()] == [True] * 3
    assert not root.is_recording()
    assert not child.is_recording()
    assert serving.parts._open == {}


def test_a_flush_of_the_provider_is_one_of_the_outbox() -> None:
    _, serving, _ = made(1)
    assert serving.parts.force_flush(10) is True
    serving.parts.shutdown()
