"""app/telemetry/threads.py: a thread works on in its starter's trace, and loses nothing by that."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context as otel

from app.telemetry import threads


@pytest.fixture
def carried() -> Iterator[None]:
    threads.carry_traces()
    token = otel.attach(otel.set_value("request", 7))
    yield
    otel.detach(token)
    threads.leave()


def test_a_start_that_failed_may_be_tried_again(carried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python raises RuntimeError when the system has no thread left; whoever tries again gets a thread that works."""
    start, refusals, seen = threads._start, [RuntimeError("can't start new thread")], []

    def refused_once(thread: threading.Thread) -> None:
        if refusals:
            raise refusals.pop()
        start(thread)

    monkeypatch.setattr(threads, "_start", refused_once)
    thread = threading.Thread(target=lambda: seen.append(otel.get_value("request")))
    with pytest.raises(RuntimeError):
        thread.start()
    thread.start()
    thread.join()
    assert seen == [7]
    assert "run" not in vars(thread), "it would refer to itself for ever"


def test_a_subclass_s_own_run_is_kept(carried: None) -> None:
    seen: list[Any] = []

    class Worker(threading.Thread):
        def run(self) -> None:
            seen.append(otel.get_value("request"))

    thread = Worker()
    thread.start()
    thread.join()
    assert seen == [7]
