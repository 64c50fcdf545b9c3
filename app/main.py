"""The application, as a table of contents."""

from fastapi import FastAPI

from app import deadline, health, problems, routes, telemetry
from app.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The service with its routes, its problem details and its telemetry, which its lifespan flushes at the end."""
    app = FastAPI(
        title=settings.name,
        lifespan=telemetry.lifespan,
        telemetry=telemetry.NO_NATIVE_SPANS,
        openapi_url=None,
        redirect_slashes=False,  # behind the front end the redirect would lead to http
    )
    health.install(app)
    routes.install(app, settings)
    problems.install(app)
    deadline.install(app, settings)
    telemetry.instrument(app)
    return app
