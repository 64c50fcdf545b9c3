"""The last spans leave before the process does, within a deadline of our own.

`force_flush` ignores its timeout and `provider.shutdown` may take 30 s; Cloud Run kills 10 s after SIGTERM.
"""

import asyncio
import logging
import threading

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import TracerProvider as AnyTracerProvider

logger = logging.getLogger(__name__)

DEADLINE_S = 3.0


async def shutdown(provider: AnyTracerProvider, seconds: float = DEADLINE_S) -> None:
    """Send what is queued and stop. After `seconds` the thread that does so is left behind and a warning logged."""
    if not isinstance(provider, TracerProvider):
        return
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def work() -> None:
        try:
            provider.shutdown()
        except Exception:
            logger.exception("trace shutdown failed", extra={"event": "trace_flush_failed"})
        if not loop.is_closed():
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=work, name="flush-traces", daemon=True).start()
    try:
        await asyncio.wait_for(done.wait(), seconds)
    except TimeoutError:
        extra = {"event": "trace_flush_incomplete", "seconds": seconds}
        logger.warning("the last spans could not be sent within %s s", seconds, extra=extra)
