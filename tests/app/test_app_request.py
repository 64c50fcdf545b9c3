"""app/telemetry/request.py: what a request's span believes, what it lets go of, and when it leaves a frozen instance."""

import asyncio
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from typing import Any

import pytest
from app_asgi import application, call, scope
from conftest import Memory, serving_with
from fastapi import BackgroundTasks
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry import propagation, server
from app.telemetry.counters import Counters
from app.telemetry.outbox import Outbox, Outcome
from app.telemetry.server import ServerSpans

TRACE, CALLER, OTHER = "1" * 32, "2" * 16, "a" * 32
DELIVERED = [
    (b"traceparent", f"00-{TRACE}-{'3' * 16}-00".encode()),
    (b"x-original-traceparent", f"00-{TRACE}-{CALLER}-01".encode()),
]
FOREIGN = (b"traceparent", f"00-{OTHER}-{'b' * 16}-01".encode())

Headers = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    "change",
    [
        lambda headers: headers.append(FOREIGN),
        lambda headers: headers.clear(),
        lambda headers: headers.__setitem__(slice(None), [FOREIGN]),
    ],
    ids=["appended", "removed", "replaced"],
)
async def test_headers_that_middleware_changes_move_no_span_to_another_parent(
    change: Callable[[Headers], Any],
) -> None:
    """The parent is read late, from what was delivered."""
    memory = Memory()
    app = application()

    @app.get("/plain")
    async def plain() -> None: ...

    async def changing(scope: Scope, receive: Receive, send: Send) -> None:
        change(scope["headers"])
        await app(scope, receive, send)

    await call(ServerSpans(changing, serving_with(memory), app), scope("/plain", DELIVERED))
    (span,) = memory.get_finished_spans()
    assert span.context
    assert span.parent
    assert f"{span.context.trace_id:032x}" == f"{span.parent.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == CALLER


def test_headers_are_read_in_one_pass() -> None:
    """A stranger's thousands of them must not hold up the loop."""

    def once() -> Iterator[tuple[bytes, bytes]]:
        yield from DELIVERED
        yield from [(b"tracestate", b"a=1")] * 3

    assert propagation.read(once()) == {**dict(DELIVERED), b"tracestate": b""}


class Held:
    """Something of the application's that only the scope refers to."""


@pytest.mark.parametrize("ratio", [0, 1], ids=["dropped", "kept"])
async def test_what_outlives_its_request_holds_nothing_of_it(ratio: float) -> None:
    """A task that goes on has the request's span as its current one for as long as it lives."""
    memory = Memory()
    app = application()
    server.install(app, serving_with(memory, ratio=ratio))
    go_on, running = asyncio.Event(), set()
    spans: list[Span] = []

    @app.get("/begins")
    async def begins() -> None:
        async def work() -> None:
            await go_on.wait()
            spans.append(trace.get_current_span())

        running.add(asyncio.create_task(work()))

    held = Held()
    gone = weakref.ref(held)
    asked = scope("/begins", [*DELIVERED, (b"cookie", b"secret=1")], user=held)
    await call(app, asked)
    del held, asked
    assert gone() is None
    go_on.set()
    await asyncio.gather(*running)
    assert "secret=1" not in str(vars(spans[0]))
    assert f"{spans[0].get_span_context().trace_id:032x}" == TRACE


async def test_a_span_on_its_way_out_holds_no_scope_while_background_tasks_run() -> None:
    memory = Memory()
    app = application()
    server.install(app, serving_with(memory))
    seen: list[Any] = []

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> None:
        tasks.add_task(lambda: seen.append(memory._kept[0]._scope))  # type: ignore[union-attr]

    await call(app, scope("/later"))
    assert seen == [{}]


async def test_what_is_sent_after_the_application_returned_is_refused() -> None:
    """As by a server, whose answer is complete: nothing may wait for it in silence."""
    sends: list[Send] = []

    async def returns(scope: Scope, receive: Receive, send: Send) -> None:
        sends.append(send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    await call(ServerSpans(returns, serving_with(Memory()), None), scope("/"))
    late: Message = {"type": "http.response.body", "body": b"late"}
    with pytest.raises(RuntimeError, match="after the application had returned"):
        await sends[0](late)


async def test_a_lone_request_within_the_ratio_is_sent_before_its_instance_freezes() -> None:
    """Else its trace would wait for the next request, or for a probe."""
    arrived = threading.Event()

    def send(batch: Sequence[ReadableSpan]) -> Outcome:
        arrived.set()
        return "sent"

    outbox = Outbox(send, Counters(), delay=60)
    app: ASGIApp = _answers
    serving = serving_with(outbox, frozen=True)  # type: ignore[arg-type]  # any outbox does
    await call(ServerSpans(app, serving, application()), scope("/"))
    assert await asyncio.to_thread(arrived.wait, 10)
    assert outbox.close(5)


async def _answers(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_ids_can_be_asked_for_late_and_elsewhere() -> None:
    """Another thread, when the request is over: they are those of the request."""
    contexts: list[Any] = []

    async def copies(scope: Scope, receive: Receive, send: Send) -> None:
        contexts.append(copy_context())
        await _answers(scope, receive, send)

    await call(ServerSpans(copies, serving_with(Memory(), ratio=0), None), scope("/", DELIVERED))
    ids = await asyncio.to_thread(contexts[0].run, lambda: trace.get_current_span().get_span_context())
    assert f"{ids.trace_id:032x}" == TRACE
