"""The last spans leave before the process does, within a deadline of our own.

`force_flush` ignores its timeout and `provider.shutdown` may take 30 s; Cloud Run kills 10 s after SIGTERM.
"""

import asyncio
import logging
import threading

from app.telemetry.serving import Serving

logger = logging.getLogger(__name__)

DEADLINE_S = 3.0


async def shutdown(serving: Serving, seconds: float = DEADLINE_S) -> None:
    """End open spans, send what is queued, say how it all went. After `seconds` the rest is left and a warning logged."""
    parts = serving.parts
    for request in list(serving.open):
        request.abandon()
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def work() -> None:
        try:
            parts.end_open_spans()
            if not parts.outbox.close(seconds):
                extra = {"event": "trace_flush_incomplete", "seconds": seconds}
                logger.warning("not all of the last spans could be sent (limit: %s s)", seconds, extra=extra)
            parts.counters.log(logging.WARNING if parts.counters.lost else logging.INFO)
        except Exception:
            logger.exception("trace shutdown failed", extra={"event": "trace_flush_failed"})
        if not loop.is_closed():
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=work, name="flush-traces", daemon=True).start()
    try:
        # The outbox keeps to the limit by itself; this is for a thread that gets no turn.
        await asyncio.wait_for(done.wait(), seconds + 0.5)
    except TimeoutError:
        logger.warning("ending the traces took too long", extra={"event": "trace_flush_incomplete"})
