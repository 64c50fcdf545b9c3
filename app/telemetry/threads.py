"""Threads work on in the trace of the code that started them; what is handed to a pool, in that of who handed it over.

Python 3.14 can do so itself (`-X thread_inherit_context`); asyncio.to_thread and anyio always do. Only the trace and
its held debug lines are carried: a deadline ends with its request, a thread need not.
A thread that serves many requests is started outside of all: `contextvars.Context().run(thread.start)`.
"""

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import Any, ParamSpec, TypeVar

from opentelemetry import context as otel

from app.telemetry import debug_lines

P = ParamSpec("P")
T = TypeVar("T")

_start = threading.Thread.start
_submit = ThreadPoolExecutor.submit


def carry_traces() -> None:
    """Change `threading.Thread` and `ThreadPoolExecutor` for the whole process."""
    threading.Thread.start = _start_within  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = _submit_within  # type: ignore[method-assign,assignment]


def leave() -> None:
    """Undo `carry_traces`."""
    threading.Thread.start = _start  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = _submit  # type: ignore[method-assign]


def _within_this_trace(function: Callable[P, T]) -> Callable[P, T] | None:
    """`function` as it has to run elsewhere; None when there is nothing to carry."""
    here, held = otel.get_current(), debug_lines.current()
    if not here and held is None:
        return None

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        otel.attach(here)
        debug_lines.adopt(held)
        return function(*args, **kwargs)

    return run


def _start_within(self: threading.Thread) -> None:
    # Never detached: what ends the thread uncaught is logged after `run`, and belongs to the trace as well.
    if carried := _within_this_trace(self.run):

        def run() -> None:
            # Or the thread would refer to itself for ever. Wrapped twice when its first start failed.
            vars(self).pop("run", None)
            carried()

        self.run = run  # type: ignore[method-assign]
    _start(self)


def _submit_within(
    self: ThreadPoolExecutor, function: Callable[..., T], /, *args: Any, **kwargs: Any
) -> Future[T]:
    if carried := _within_this_trace(function):

        @functools.wraps(function)
        def function(*args: Any, **kwargs: Any) -> T:
            return copy_context().run(carried, *args, **kwargs)

    # The pool's own threads outlive this request: they start without a trace.
    return Context().run(_submit, self, function, *args, **kwargs)
