"""The threads for blocking calls. A place is given back when its thread is free, not when its caller has gone.

So work that outlives its request is bounded: by the places, and by the deadline that its own calls keep.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

# As many as Cloud Run's default concurrency. With more, requests wait for threads: `async_calls.py` needs none.
SIZE = 80

T = TypeVar("T")


class Threads:
    """`size` threads, each with a place to be waited for. Who waits holds nothing but its turn."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.abandoned = 0
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="call")
        # A semaphore belongs to one event loop. A process has one, except in tests.
        self._places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    async def take_place(self) -> None:
        """Wait for a free thread; `start` must follow."""
        await self._here.acquire()

    def start(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Begin `work` in the place taken. To cancel the future abandons the work, which ends in its own time.

        Raises RuntimeError, and gives the place back, if no thread can start.
        """
        here = self._here
        try:
            running: asyncio.Future[T] = asyncio.get_running_loop().run_in_executor(self._pool, work)
        except BaseException:  # the system has no thread left
            here.release()
            raise
        heard = asyncio.shield(running)

        def abandon(future: asyncio.Future[T]) -> None:
            if future.cancelled() and not running.done():
                self.abandoned += 1
                running.add_done_callback(forget)

        def forget(future: asyncio.Future[Any]) -> None:
            self.abandoned -= 1
            if not future.cancelled():
                future.exception()  # else asyncio would log it as never retrieved

        running.add_done_callback(lambda _: here.release())
        heard.add_done_callback(abandon)
        return heard

    @property
    def _here(self) -> asyncio.Semaphore:
        return self._places.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self.size))
