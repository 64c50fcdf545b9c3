"""app/async_calls.py: what is its own. The behaviour that it shares with app/calls.py is tested in test_app_calls.py."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from app_clients import service, within
from app_fakes import Answer, Asked, Cloud, Service
from app_wires import HEAD, Wire, trickles
from conftest import Start

from app.deadline import of_this_request
from app.problems import Problem

ROOT = Path(__file__).parents[2]


def test_who_does_not_import_it_does_not_pay_for_httpx() -> None:
    code = "import sys, app.calls, app.storage, app.routes; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


class Together(Service):
    """Answers when so many requests wait for it at once."""

    def __init__(self, requests: int) -> None:
        super().__init__(Answer(200, b"[1]"))
        self.waiting = threading.Barrier(requests, timeout=60)

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/together":
            self.waiting.wait()
        return super().answer(asked)


async def test_many_calls_wait_together_without_threads(start: Start, cloud: Cloud) -> None:
    async with service(start(Together(100))) as following:

        async def one(path: str) -> object:
            return await (await following.call("GET", path, within(120))).json()

        await one("/first")
        before = {thread for thread in threading.enumerate() if thread.name.startswith("call")}
        assert await asyncio.gather(*(one("/together") for _ in range(100))) == [[1]] * 100
        assert {thread for thread in threading.enumerate() if thread.name.startswith("call")} == before
    assert cloud.tokens == 1


async def test_the_running_request_s_deadline_holds_if_none_is_given(start: Start, cloud: Cloud) -> None:
    following = Service(Answer(200, b"{}"))
    async with service(start(following)) as called:
        with within(60).applied():
            await (await called.call("GET", "/")).aclose()
        with pytest.raises(LookupError, match="no request is running here"):
            await called.call("GET", "/")
        with pytest.raises(LookupError):
            of_this_request()
    assert [30_000 < int(asked.headers["x-request-timeout-ms"]) < 60_000 for asked in following.requests] == [
        True
    ]


async def test_a_spent_deadline_makes_no_call(start: Start, cloud: Cloud) -> None:
    following = Service()
    async with service(start(following)) as called:
        with pytest.raises(TimeoutError):
            await called.call("GET", "/", within(0))
    assert following.requests == []


async def test_who_takes_the_body_slowly_is_cut_too(start: Start, cloud: Cloud) -> None:
    """Even if all of it is here already."""
    url = start(Wire(trickles(HEAD + b"x" * 900)))
    async with service(url) as called:
        limit = within(60)
        answer = await called.call("GET", "/", limit)
        pieces = answer.chunks(10)
        assert await anext(pieces)
        object.__setattr__(limit, "seconds", 0.0)  # the time passes
        with pytest.raises(TimeoutError, match="the answer of next did not end in time"):
            await anext(pieces)


async def test_an_answer_that_is_left_gives_its_connection_up(start: Start, cloud: Cloud) -> None:
    wire = Wire(trickles(HEAD))
    async with service(start(wire)) as called:
        async with await called.call("GET", "/", within(30)):
            pass
        assert called._client._transport._pool.connections == []


async def test_a_caller_that_gives_up_ends_its_call(start: Start, cloud: Cloud) -> None:
    following = Service(Answer(delay=60))
    async with service(start(following)) as called:
        call = asyncio.create_task(called.call("GET", "/", within(60)))
        await asyncio.to_thread(following.wait_for, 1, "/")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert called._client._transport._pool.connections == []


async def test_a_certificate_that_does_not_hold_is_not_asked_again(start: Start, cloud: Cloud) -> None:
    wire = Wire(lambda connection, over: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    async with service(start(wire).replace("http://", "https://")) as called:
        with pytest.raises(Problem, match="could not be reached"):
            await called.call("GET", "/", within(30))
    assert wire.connections == 1
