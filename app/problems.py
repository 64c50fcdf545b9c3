"""Errors as problem details (RFC 9457) with the trace's id, one structured log line each, never a stack trace."""

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from opentelemetry import trace
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry import keeping

logger = logging.getLogger(__name__)

CLIENT_CLOSED = 499
# What uvicorn says, as an ERROR, of an answer that was cut: our own line tells it with the cause and the right severity.
_UVICORN_CUT = "ASGI callable returned without completing response."

_cut: ContextVar[bool] = ContextVar("answer_cut", default=False)


class Problem(Exception):
    """A request that ends in `status`, with a sentence for the caller and, if they differ, the cause for the log."""

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, *, cause: str | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.cause = status, detail, headers, cause


def current_trace_id() -> str:
    """The running trace's id as 32 hex digits (zeros outside a trace)."""
    return trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)


def install(app: FastAPI) -> None:
    """Answer every failure of `app` with a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(TimeoutError, _on_timeout)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_middleware(UnexpectedErrors)
    logging.getLogger("uvicorn.error").addFilter(_not_told_already)


class UnexpectedErrors:
    """Turns what no handler expected into a 500 problem, logged once and inside its trace, with the traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; answer for it if it fails before it answered."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if started and (cause := _expected(error)):
                _log_cut(cause)
                return  # the server then closes the connection, which tells the client
            if started or scope["type"] != "http":
                raise
            span = trace.get_current_span()
            span.record_exception(error)
            span.set_status(trace.StatusCode.ERROR, f"{type(error).__name__}: {error}")
            logger.exception(
                "unexpected %s", type(error).__name__, extra={"event": "request_failed", "status": 500}
            )
            await _response(500, "The service failed; its log has the cause under this trace.")(
                scope, receive, send
            )


def _expected(error: Exception) -> TimeoutError | Problem | None:
    # Starlette wraps what a handler would have answered, had the answer not begun.
    return next(
        (cause for cause in (error, error.__cause__) if isinstance(cause, TimeoutError | Problem)), None
    )


def _log_cut(error: TimeoutError | Problem) -> None:
    cause = (error.cause if isinstance(error, Problem) else None) or str(error) or "deadline exceeded"
    level = logging.WARNING if isinstance(error, TimeoutError) else logging.ERROR
    logger.log(level, "answer cut: %s", cause, extra={"event": "response_cut", "cause": cause})
    trace.get_current_span().set_status(trace.StatusCode.ERROR, cause)
    keeping.keep("error")
    _cut.set(True)


def _not_told_already(record: logging.LogRecord) -> bool:
    return not (_cut.get() and record.getMessage() == _UVICORN_CUT)


def _response(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    title = "Client Closed Request" if status == CLIENT_CLOSED else HTTPStatus(status).phrase
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "trace_id": current_trace_id(),
    }
    return JSONResponse(body, status, dict(headers or {}), media_type="application/problem+json")


def _level(status: int) -> int:
    if status == HTTPStatus.GATEWAY_TIMEOUT:
        return logging.WARNING
    return logging.ERROR if status >= 500 else logging.INFO


async def _on_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    event = "request_failed" if error.status >= 500 else "request_refused"
    extra = {
        "event": event,
        "status": error.status,
        "cause": error.cause or error.detail,
        "method": request.method,
    }
    logger.log(_level(error.status), "%s: %s", error.status, error.cause or error.detail, extra=extra)
    return _response(error.status, error.detail, error.headers)


async def _on_timeout(request: Request, error: Exception) -> JSONResponse:
    detail = "The request's time was spent before an answer came."
    return await _on_problem(
        request, Problem(504, detail, cause=f"deadline exceeded: {str(error) or 'no answer in time'}")
    )


async def _on_disconnect(request: Request, error: Exception) -> JSONResponse:
    return await _on_problem(
        request, Problem(CLIENT_CLOSED, "The client closed the connection before its body ended.")
    )


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _response(error.status_code, str(error.detail), error.headers)


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    return _response(422, "The request is not valid.")
