"""One request to an application, without a server: an ASGI scope, and what the application answers."""

import asyncio
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from starlette.types import Message, Scope

from app.telemetry import NO_NATIVE_SPANS


def application() -> FastAPI:
    """One without spans of its own."""
    return FastAPI(telemetry=NO_NATIVE_SPANS)


def scope(
    path: str,
    headers: Iterable[tuple[bytes, bytes]] = (),
    query: bytes = b"",
    *,
    method: str = "GET",
    **more: Any,
) -> Scope:
    """A request as uvicorn hands it on."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "server": ("127.0.0.1", 8080),
        "client": ("10.0.0.1", 4711),
        "headers": [(b"host", b"gateway.example"), *headers],
        **more,
    }


async def call(app: Any, asked: Scope, answers: list[Message] | None = None) -> list[Message]:
    """What `app` answers, also in `answers`: an exception that leaves it is the caller's."""
    answers = [] if answers is None else answers
    body = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if body:
            return body.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        answers.append(message)

    await app(asked, receive, send)
    return answers
