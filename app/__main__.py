"""What the container runs (`python -m app`): telemetry first, then the application, then uvicorn."""

import os
import sys

from app import settings as environment

# SIGTERM to SIGKILL is 10 s on Cloud Run: these for open requests, then telemetry.flush.DEADLINE_S, then slack.
GRACEFUL_S = 4
# Longer than the front end keeps its idle connections (600 s), so that it never reuses one as we close it.
KEEP_ALIVE_S = 620


def main() -> None:
    """Serve until SIGTERM; a refused setting ends the process with one sentence and status 1."""
    try:
        settings = environment.load()
    except environment.InvalidSetting as refused:
        sys.exit(str(refused))

    from app import telemetry  # after the settings: the SDK reads its own limits as it is imported

    telemetry.setup(settings)

    import uvicorn

    from app.main import create_app

    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        reset_contextvars=True,  # or the next request of a connection would begin in the last one's context
    )
    # As PID 1 uvicorn's re-raised SIGTERM is dropped and we get here. The interpreter would now wait for threads
    # whose callers are gone; all that matters has been flushed by the lifespan.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
