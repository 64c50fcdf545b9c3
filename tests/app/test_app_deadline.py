"""app/deadline.py and app/threads.py: what remains is obeyed, shortened by the caller, handed on, and its overrun told."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from app_clients import within
from app_fakes import Answer, Cloud, Service
from app_process import Reply, ask
from app_wires import LONG_S
from conftest import Memory, Start, serving_with
from fastapi import FastAPI
from opentelemetry import trace

from app import deadline, main, telemetry
from app.calls import NextService
from app.deadline import BoundedStream, Deadline
from app.settings import parse
from app.threads import Threads

SETTINGS = parse({"REQUEST_BUDGET_MS": "1000", "SERVICE_TIMEOUT_S": "60"})


async def eventually(condition: Callable[[], bool]) -> None:
    """Return once this holds in another thread."""
    async with asyncio.timeout(LONG_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)


def time_passes(seconds: float) -> None:
    """Let so much pass at once for all that the running event loop waits for."""
    loop = asyncio.get_running_loop()
    clock = loop.time
    loop.time = lambda: clock() + seconds  # type: ignore[method-assign]


@pytest.fixture
def serve(start: Start, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Starts the application with one more endpoint, `GET /mine`."""
    install = main.health.install

    def run(endpoint: Callable[..., Any], **env: str) -> str:
        def more(app: FastAPI) -> None:
            install(app)
            app.add_api_route("/mine", endpoint, response_model=None)

        monkeypatch.setattr(main.health, "install", more)
        return start(**env)

    return run


def get(url: str, **headers: str) -> Reply:
    return ask(url, "GET", "/mine", headers=headers)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 1.0),
        ("250", 0.25),
        ("5000", 1.0),
        ("0", 0.0),
        ("", 1.0),
        ("-5", 1.0),
        ("1e3", 1.0),
        ("٣", 1.0),
        ("9" * 5000, 1.0),
        ("250ms", 1.0),
    ],
)
def test_the_header_can_only_shorten_the_budget_and_garbage_is_ignored(
    header: str | None, seconds: float
) -> None:
    assert Deadline.of_request(header, SETTINGS).seconds == seconds


def test_our_own_504_comes_before_the_platform_s() -> None:
    assert Deadline.of_request(None, parse({"SERVICE_TIMEOUT_S": "60"})).seconds == pytest.approx(59.99)


def test_the_next_hop_is_told_what_remains_less_the_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: 10.5))
    assert Deadline(10.0, 1.0).header == "490"
    assert Deadline(10.0, 0.5).header == "0"
    assert Deadline(8.0, 1.0).header == "0"


def test_extending_keeps_the_start_and_never_shortens() -> None:
    assert Deadline(5.0, 1.0).extended_to(60) == Deadline(5.0, 60)
    assert Deadline(5.0, 90.0).extended_to(60) == Deadline(5.0, 90.0)


async def test_a_thread_outlives_its_deadline_and_finishes_its_work() -> None:
    started, release, finished = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        release.wait(LONG_S)
        finished.set()

    running = asyncio.create_task(within(LONG_S).run(work))
    await eventually(started.is_set)
    time_passes(LONG_S)
    with pytest.raises(TimeoutError):
        await running
    assert not finished.is_set()
    release.set()
    assert finished.wait(LONG_S)


async def test_nothing_is_begun_when_the_time_is_spent() -> None:
    begun: list[int] = []
    with pytest.raises(TimeoutError):
        await Deadline(time.monotonic() - 1, 0.5).run(begun.append, 1)
    assert begun == []


async def test_work_in_a_thread_belongs_to_the_request_s_trace_and_its_deadline() -> None:
    limit = within(30)
    with trace.get_tracer("test").start_as_current_span("request") as span:
        assert await limit.run(trace.get_current_span) is span
    assert await limit.run(deadline.of_this_request) is limit


def test_outside_of_a_request_a_deadline_is_made_and_applied() -> None:
    with pytest.raises(LookupError, match="no request is running here: make a Deadline"):
        deadline.of_this_request()
    with within(30).applied() as outer:
        with within(10).applied() as inner:
            assert deadline.of_this_request() is inner
        assert deadline.current() is outer
    assert deadline.current() is None


async def test_waiting_for_a_thread_counts_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more concurrency than threads a request may wait for its turn, but not longer than it has time."""
    monkeypatch.setattr(deadline, "_threads", Threads(2))
    release, called = threading.Event(), []

    def work(number: int) -> None:
        called.append(number)
        release.wait(LONG_S)

    gone = asyncio.create_task(within(30).run(work, 1))
    busy = asyncio.create_task(within(90).run(work, 2))
    await eventually(lambda: len(called) == 2)
    time_passes(30)
    with pytest.raises(TimeoutError):
        await gone
    waiting = asyncio.create_task(within(30).run(work, 3))
    await asyncio.sleep(0.01)
    time_passes(30)
    cause = "no thread was free in time: all 2 are busy, 1 of them for requests that have ended"
    with pytest.raises(TimeoutError, match=cause):
        await waiting
    release.set()
    await busy
    await within(30).run(work, 4)
    assert sorted(called) == [1, 2, 4], "what was not begun in time is never begun"


async def test_threads_never_number_more_than_their_places_however_many_requests_end_first(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    threads = Threads(3)
    monkeypatch.setattr(deadline, "_threads", threads)
    release, lock, running, most = threading.Event(), threading.Lock(), 0, 0

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        release.wait(LONG_S)
        with lock:
            running -= 1
        raise ValueError("of interest to nobody")

    calls = [asyncio.create_task(within(30).run(work)) for _ in range(20)]
    await eventually(lambda: running == 3)
    time_passes(30)
    assert all(
        isinstance(ended, TimeoutError) for ended in await asyncio.gather(*calls, return_exceptions=True)
    )
    assert (most, threads.abandoned) == (3, 3)
    release.set()
    all_places = threading.Barrier(3, timeout=LONG_S)
    await asyncio.gather(*(within(LONG_S).run(all_places.wait) for _ in range(3)))
    assert (most, threads.abandoned) == (3, 0)
    gc.collect()
    assert caplog.records == [], "asyncio tells of exceptions that were never retrieved"


def plain(url: str) -> Callable[[], dict[str, str]]:
    service = NextService("next", url)

    def endpoint() -> dict[str, str]:
        with service.call("GET", "/") as answer:
            return {"left": str(deadline.of_this_request().remaining_s), **answer.json()}

    return endpoint


def threaded(url: str) -> Callable[..., Any]:
    service = NextService("next", url)

    async def endpoint() -> dict[str, str]:
        limit = deadline.of_this_request()
        return await limit.run(lambda: service.call("GET", "/").json())

    return endpoint


@pytest.mark.parametrize("kind", [plain, threaded], ids=["def", "async def"])
def test_both_kinds_of_endpoint_call_within_the_deadline_without_naming_it(
    start: Start, serve: Callable[..., str], cloud: Cloud, kind: Callable[[str], Callable[..., Any]]
) -> None:
    following = Service(Answer(200, b"{}"))
    url = serve(kind(start(following)), REQUEST_BUDGET_MS="60000")
    assert get(url).status == 200
    assert get(url, **{"x-request-timeout-ms": "30000"}).status == 200
    told = [int(asked.headers["x-request-timeout-ms"]) for asked in following.requests]
    assert 30_000 < told[0] < 60_000
    assert 15_000 < told[1] < 30_000
    following.says = Answer(delay=LONG_S)
    since = time.monotonic()
    assert get(url, **{"x-request-timeout-ms": "200"}).status == 504
    assert time.monotonic() - since < LONG_S / 4


def busy(seconds: float) -> Callable[[], dict[str, str]]:
    def endpoint() -> dict[str, str]:
        time.sleep(seconds)
        deadline.of_this_request().require()
        return {}

    return endpoint


def test_a_def_endpoint_cannot_be_cancelled_but_asks_whether_there_is_time(serve: Callable[..., str]) -> None:
    url = serve(busy(0.05), REQUEST_BUDGET_MS="30")
    assert (get(url).status, get(url).json()["title"]) == (504, "Gateway Timeout")


def late() -> dict[str, str]:
    time.sleep(0.05)
    return {}


async def waiting() -> dict[str, str]:
    return await deadline.of_this_request().await_for(asyncio.sleep(LONG_S, {}))


@pytest.mark.parametrize(
    ("endpoint", "status"), [(late, 200), (waiting, 504), (busy(0.05), 504)], ids=["late", "cut", "def"]
)
@pytest.mark.parametrize("header", [{}, {"x-request-timeout-ms": "40"}], ids=["own budget", "caller's"])
def test_an_overrun_is_an_event_of_the_request_and_keeps_its_trace(
    serve: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    endpoint: Callable[..., Any],
    status: int,
    header: dict[str, str],
) -> None:
    """Also when the answer was a success, and its trace outside of the ratio."""
    memory = Memory()
    monkeypatch.setattr(telemetry, "_serving", serving_with(memory, ratio=0.0))
    url = serve(endpoint, REQUEST_BUDGET_MS="40" if not header else "10000")
    assert get(url, **header).status == status
    (span,) = memory.get_finished_spans()
    (event,) = [event for event in span.events if event.name != "exception"]
    assert event.name == "deadline.exceeded"
    attributes = dict(event.attributes or {})
    assert attributes["deadline.budget_ms"] == 40
    assert 38 <= int(str(attributes["deadline.elapsed_ms"])) < LONG_S * 1000 / 4
    assert (span.attributes or {})["sampling.keep_reason"] == "deadline"


def test_a_request_in_time_is_not_marked(
    serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch, spans: Memory
) -> None:
    assert get(serve(lambda: {}, REQUEST_BUDGET_MS="60000")).status == 200
    (span,) = spans.get_finished_spans()
    assert span.events == ()


async def trickle() -> AsyncIterator[bytes]:
    while True:
        yield b"x"
        await asyncio.sleep(0.01)


def flood() -> Iterator[bytes]:
    while True:
        yield b"x" * 100_000


@pytest.mark.parametrize("source", [trickle, flood], ids=["slow source", "slow reader"])
def test_a_bounded_stream_is_cut_at_the_deadline_with_one_line_and_no_traceback(
    serve: Callable[..., str],
    spans: Memory,
    caplog: pytest.LogCaptureFixture,
    source: Callable[[], Any],
) -> None:
    """And its reader can tell: the connection ends before the body does."""
    import socket

    async def endpoint() -> BoundedStream:
        return BoundedStream(deadline.of_this_request(), source())

    def lines() -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.name == "app.problems"]

    url = serve(endpoint, REQUEST_BUDGET_MS="400")
    host, port = url.removeprefix("http://").split(":")
    since = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=LONG_S) as reader:
        reader.sendall(b"GET /mine HTTP/1.1\r\nhost: x\r\n\r\n")
        while source is flood and not lines() and time.monotonic() - since < LONG_S / 4:
            time.sleep(0.01)  # reads nothing
        received = b""
        while piece := reader.recv(1_000_000):
            received = (received + piece)[-1000:] if received else piece
    assert 0.35 < time.monotonic() - since < LONG_S / 4
    assert not received.endswith(b"0\r\n\r\n")
    assert [vars(line)["event"] for line in lines()] == ["response_cut"]
    assert [record for record in caplog.records if record.exc_info] == []
    (span,) = spans.get_finished_spans()
    assert [event.name for event in span.events] == ["deadline.exceeded"]
    assert span.status.status_code.name == "ERROR"
