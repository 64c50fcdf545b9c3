"""Errors that no code caught, each as one log line with its traceback: main thread, threads, finalizers, tasks."""

import asyncio
import logging
import sys
import threading
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any

from app.telemetry.log_values import shown

logger = logging.getLogger(__name__)


def install() -> None:
    """Log what is uncaught in this process."""
    sys.excepthook = _in_main
    threading.excepthook = _in_thread
    sys.unraisablehook = _in_finalizer


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Log what `loop` has to say of its tasks, such as an exception that nobody retrieved, with the task's trace.

    It is said when the task is collected, thus in no context or in any other request's.
    """
    loop.set_exception_handler(_in_loop)
    if not hasattr(asyncio.Task, "get_context") and loop.get_task_factory() is None:
        loop.set_task_factory(_remembering)


def _in_main(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logger.critical("uncaught %s", kind.__name__, exc_info=(kind, error, traceback), extra=_extra())


def _in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or isinstance(args.exc_value, SystemExit):
        return
    info = (args.exc_type, args.exc_value, args.exc_traceback)
    name = args.thread.name if args.thread else "unknown"
    logger.error("uncaught %s in thread %s", args.exc_type.__name__, name, exc_info=info, extra=_extra())


def _in_finalizer(args: "sys.UnraisableHookArgs") -> None:
    what = f"{args.err_msg or 'exception ignored in'} {_repr(args.object)}"
    error = args.exc_value if args.exc_value is not None else args.exc_type()
    logger.error("%s", what, exc_info=(args.exc_type, error, args.exc_traceback), extra=_extra())


def _in_loop(loop: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:
    places = (details.get(key) for key in ("task", "future", "handle"))
    place = next((place for place in places if place is not None), None)
    get_context = getattr(place, "get_context", None)  # Python 3.12
    context = get_context() if get_context else getattr(place, "context_3_11", None)
    (context.copy() if context else Context()).run(loop.default_exception_handler, details)


def _remembering(
    loop: asyncio.AbstractEventLoop, work: Any, context: Context | None = None, **options: Any
) -> asyncio.Task[Any]:
    if context is None:
        context = copy_context()
    task = asyncio.Task(work, loop=loop, context=context, **options)
    task.context_3_11 = context  # type: ignore[attr-defined]
    return task


def _extra() -> dict[str, str]:
    return {"event": "uncaught"}


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:
        return shown(type(value))
