"""Runs a LocalCloud on an event loop in a thread of its own, for callers that are ordinary synchronous programs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

from localcloud.cloud import LocalCloud, Options

T = TypeVar("T")


class Host:
    """`with Host(options) as host:` starts the cloud; leaving the block ends every process that it started."""

    def __init__(self, options: Options) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="localcloud", daemon=True)
        self.cloud = LocalCloud(options)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the cloud's loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def __enter__(self) -> Host:
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(self.cloud.start(), self.loop)
        try:
            starting.result()
        except BaseException:
            starting.cancel()
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        try:
            self.call(self.cloud.close())
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()
