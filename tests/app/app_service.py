"""A service for the tests of real processes: the template with routes that do what their query asks for.

With the argument `patient` a request waits for its export as long as it takes, however busy the machine is.
"""

import logging
import sys
import time
from typing import Any

from app import __main__ as program


def install(app: Any, settings: Any) -> None:
    """What `app/routes.py` is for the template."""
    from fastapi import HTTPException
    from opentelemetry import trace

    tracer = trace.get_tracer("tests")

    @app.get("/ok")
    async def ok() -> dict[str, bool]:
        return {"ok": True}

    @app.get("/status/{status}")
    async def answer(status: int) -> None:
        with tracer.start_as_current_span("work"):
            raise HTTPException(status)

    @app.get("/spans/{number}")
    async def spans(number: int) -> None:
        for _ in range(number):
            with tracer.start_as_current_span("span"):
                pass

    @app.get("/fetch/{library}")
    def fetch(library: str, url: str, keep: bool = False) -> None:
        """Call `url`; an error of the call leaves the handler."""
        client: Any = __import__(library)
        response = client.get(url, timeout=30)
        if keep:
            response.raise_for_status()

    @app.get("/raise")
    async def fail(text: str) -> None:
        raise ValueError(text)

    @app.get("/sleep")
    def sleep(seconds: float) -> None:
        """Blocks its thread, so nothing can stop it."""
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
            logging.getLogger("app").warning("asleep")
            time.sleep(seconds)


if __name__ == "__main__":
    sys.modules["app.routes"] = sys.modules[__name__]
    program.GRACEFUL_S = 1  # a second is as good a proof as four
    if "patient" in sys.argv:
        from app.telemetry import request, server

        request.SEND_WAIT_S = server.SEND_WAIT_S = 60.0
    program.main()
