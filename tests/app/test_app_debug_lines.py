"""LOG_DEBUG_ON_ERROR: a request's lines below LOG_LEVEL are written if it fails, each as it was when it was logged."""

import asyncio
import contextvars
import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from app.telemetry import debug_lines, threads
from app.telemetry.debug_lines import MAX_BYTES, MAX_LINES, Held
from app.telemetry.log_stream import LineHandler
from app.telemetry.logs import JsonFormatter

tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")


class Out:
    """What was written."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, data: memoryview) -> int:
        self.text += bytes(data).decode()
        return len(data)

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def messages(self) -> list[str]:
        return [entry["message"] for entry in self.entries]


@pytest.fixture
def out() -> Iterator[Out]:
    """The application's logger as `logs.setup` makes it with LOG_LEVEL=INFO and LOG_DEBUG_ON_ERROR=true."""
    out = Out()
    handler = LineHandler(out, logging.INFO)  # type: ignore[arg-type]
    handler.setFormatter(JsonFormatter("p", {"service": "s"}))
    log.addHandler(handler)
    log.propagate = False
    log.setLevel(logging.DEBUG)
    debug_lines.enable(handler.write)
    yield out
    debug_lines.enable(None)
    log.removeHandler(handler)
    log.propagate = True
    log.setLevel(logging.NOTSET)


log = logging.getLogger("held-lines-test")


def in_request(work: Any) -> Any:
    """Run `work` in a context of its own, as uvicorn runs each request."""
    return contextvars.copy_context().run(work)


@pytest.mark.parametrize(("failed", "written"), [(True, ["a", "b"]), (False, ["b"])])
def test_debug_lines_are_written_only_if_the_request_fails(
    out: Out, failed: bool, written: list[str]
) -> None:
    def request() -> None:
        held = debug_lines.hold()
        assert held is not None
        log.debug("a")
        log.info("b")
        held.settle(failed)

    in_request(request)
    assert sorted(out.messages) == written


def test_a_held_line_has_its_own_time_trace_span_and_values(out: Out) -> None:
    """Not those of the moment when it is written."""
    seen: dict[str, Any] = {"step": 1}

    def request() -> trace.SpanContext:
        held = debug_lines.hold()
        assert held is not None
        with tracer.start_as_current_span("inner") as span:
            log.debug("a %s", seen, extra={"seen": seen})
        seen["step"] = 2
        log.info("later")
        held.settle(True)
        return span.get_span_context()

    span = in_request(request)
    later, held = out.entries
    assert (held["message"], held["seen"], held["severity"]) == ("a {'step': 1}", {"step": 1}, "DEBUG")
    assert held["logging.googleapis.com/spanId"] == trace.format_span_id(span.span_id)
    assert held["logging.googleapis.com/trace"].endswith(trace.format_trace_id(span.trace_id))
    assert held["time"] < later["time"]
    assert "logging.googleapis.com/trace" not in later


def test_an_error_line_is_preceded_by_what_led_to_it(out: Out) -> None:
    def request() -> None:
        held = debug_lines.hold()
        assert held is not None
        log.debug("before")
        log.error("failed")
        log.debug("after")
        held.settle(False)

    in_request(request)
    assert out.messages == ["before", "failed"], "what follows an error is held again"


def test_each_request_holds_its_own(out: Out) -> None:
    async def request(name: str, failed: bool, others: asyncio.Barrier) -> None:
        held = debug_lines.hold()
        assert held is not None
        log.debug(name)
        await others.wait()
        await asyncio.gather(asyncio.to_thread(log.debug, f"{name} in a thread"))
        held.settle(failed)

    async def serve() -> None:
        barrier = asyncio.Barrier(3)
        async with asyncio.TaskGroup() as tasks:
            for name, failed in (("good", False), ("bad", True), ("fine", False)):
                tasks.create_task(request(name, failed, barrier))

    asyncio.run(serve())
    assert out.messages == ["bad", "bad in a thread"]


def test_a_background_task_s_error_brings_its_debug_lines_after_the_request_went_well(out: Out) -> None:
    def request() -> None:
        held = debug_lines.hold()
        assert held is not None
        log.debug("request")
        held.settle(False)
        log.debug("background")
        log.error("background failed")

    in_request(request)
    assert out.messages == ["background", "background failed"]


def test_outside_of_requests_debug_lines_are_dropped(out: Out) -> None:
    in_request(lambda: log.debug("nowhere"))
    in_request(lambda: log.error("failed"))
    assert out.messages == ["failed"]


@pytest.mark.parametrize(("count", "size"), [(MAX_LINES + 50, 10), (30, 5_000), (3, MAX_BYTES)])
def test_memory_is_bounded_and_what_was_dropped_is_counted(out: Out, count: int, size: int) -> None:
    """The latest lines are kept: they are nearest to the failure."""

    def request() -> Held:
        held = debug_lines.hold()
        assert held is not None
        for number in range(count):
            log.debug("%s", f"{number:05}".ljust(size))
        held.settle(True)
        return held

    in_request(request)
    numbers = [int(message[:5]) for message in out.messages]
    assert numbers == list(range(count - len(numbers), count))
    assert len(numbers) == 1 or (len(out.text) <= MAX_BYTES + len(numbers) + 30 and len(numbers) <= MAX_LINES)
    assert out.entries[0]["dropped_before"] == count - len(numbers)
    assert not any("dropped_before" in entry for entry in out.entries[1:])


def test_when_it_is_off_nothing_is_held() -> None:
    assert debug_lines.hold() is None
    assert debug_lines.current() is None


@pytest.fixture
def carried() -> Iterator[None]:
    threads.carry_traces()
    yield
    threads.leave()


def trace_id() -> int:
    return trace.get_current_span().get_span_context().trace_id


def in_thread(thread_class: type[threading.Thread] = threading.Thread) -> int:
    found: list[int] = []
    thread = thread_class(target=lambda: found.append(trace_id()))
    thread.start()
    thread.join()
    assert "run" not in vars(thread), "no reference to itself is left"
    return found[0]


@pytest.mark.usefixtures("carried")
def test_a_thread_works_on_in_the_trace_that_started_it(out: Out) -> None:
    class Own(threading.Thread):
        def run(self) -> None:
            super().run()

    def request() -> None:
        held = debug_lines.hold()
        assert held is not None
        with tracer.start_as_current_span("s") as span:
            assert in_thread() == in_thread(Own) == span.get_span_context().trace_id
            timer = threading.Timer(0, log.debug, ("by a timer",))
            timer.start()
            timer.join()
        held.settle(True)

    in_request(request)
    assert out.messages == ["by a timer"]
    assert in_thread() == 0, "outside of a trace nothing changes"


@pytest.mark.usefixtures("carried")
def test_a_pool_s_work_belongs_to_who_submitted_it_and_to_no_other() -> None:
    """Its threads are started by one request and serve all."""
    with ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            with tracer.start_as_current_span("s") as span:
                assert pool.submit(trace_id).result() == span.get_span_context().trace_id
                assert list(pool.map(lambda _: trace_id(), [1])) == [span.get_span_context().trace_id]
            assert pool.submit(trace_id).result() == 0


@pytest.mark.usefixtures("carried")
def test_only_the_trace_is_carried() -> None:
    """A deadline, say, ends with its request: a thread that works on must not inherit it."""
    deadline: contextvars.ContextVar[str] = contextvars.ContextVar("deadline", default="none")
    found: list[str] = []

    def request() -> None:
        deadline.set("soon")
        with tracer.start_as_current_span("s"):
            thread = threading.Thread(target=lambda: found.append(deadline.get()))
            thread.start()
            thread.join()

    in_request(request)
    assert found == ["none"]


@pytest.mark.usefixtures("carried")
def test_an_error_passes_from_a_pool_as_it_does_without() -> None:
    def fail() -> None:
        raise ValueError("boom")

    with (
        ThreadPoolExecutor(1) as pool,
        tracer.start_as_current_span("s"),
        pytest.raises(ValueError, match="boom"),
    ):
        pool.submit(fail).result()
