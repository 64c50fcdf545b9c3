"""`GET /healthz` for startup and liveness probes. It asks no dependency, so that theirs failing restarts nothing."""

from fastapi import FastAPI


async def healthz() -> dict[str, str]:
    """This process answers."""
    return {"status": "ok"}


def install(app: FastAPI) -> None:
    """Add the probe's route."""
    app.add_api_route("/healthz", healthz)
