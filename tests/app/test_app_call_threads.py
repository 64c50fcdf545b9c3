"""app/threads.py: what a place is worth when the system has no thread for it."""

import asyncio
from typing import Any

import pytest

from app.threads import Threads


async def test_a_thread_that_cannot_start_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads(1)

    def refused(*args: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threads._pool, "submit", refused)
        await threads.take_place()
        with pytest.raises(RuntimeError):
            threads.start(lambda: 1)
    async with asyncio.timeout(30):
        await threads.take_place()
        assert await threads.start(lambda: 1) == 1
