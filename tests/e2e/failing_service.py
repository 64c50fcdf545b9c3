"""The service of test_alert_filters.py: `faulty_service.py` with one route more, by which it ends or writes as it is told.

`GET /end?how=…`: `exit` with status 3, `abort` as native code does, take more `memory` than there is; `error`, `warning` and
`info` only write a line. While the file DO_NOT_START exists, the process ends before it listens.
"""

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import Any

if Path(os.environ["DO_NOT_START"]).exists():
    sys.exit("as asked")

import faulty_service

from app import __main__ as program

logger = logging.getLogger("blueprint.failing")
LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}


def install(app: Any, settings: Any) -> None:
    """What `app/routes.py` is for the template."""
    faulty_service.install(app, settings)

    async def end(how: str) -> dict[str, int]:
        if how == "exit":
            os._exit(3)
        if how == "abort":
            os.abort()
        if how == "memory":
            held = b"x" * (600 << 20)  # written to, or it would not be resident
            await asyncio.sleep(20)
            return {"held": len(held)}
        logger.log(LEVELS[how], "as asked", extra={"event": "as_asked"})
        return {}

    app.add_api_route("/end", end, response_model=None)


if __name__ == "__main__":
    sys.modules["app.routes"] = sys.modules[__name__]
    program.main()
