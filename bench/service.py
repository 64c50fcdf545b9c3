"""A server process: `python -m bench.service BOOTSTRAP`, on 127.0.0.1 and `PORT`. The same uvicorn for all variants."""

import os
import sys

from bench import bootstraps


def main() -> None:
    """Serve until SIGTERM."""
    app = getattr(bootstraps, sys.argv[1])()

    import uvicorn

    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=4,
        reset_contextvars=True,
        timeout_keep_alive=620,  # as in app/__main__.py: the front end keeps its connections that long
    )


if __name__ == "__main__":
    main()
