"""A span for each background task of Starlette, named as OpenTelemetry's FastAPI instrumentation names it.

It ends after the response and follows the decision made for its request.
"""

from opentelemetry import trace
from starlette.background import BackgroundTask

tracer = trace.get_tracer(__name__)


def trace_tasks() -> None:
    """Wrap `BackgroundTask.__call__`, once per process."""
    plain = BackgroundTask.__call__
    if getattr(plain, "traced", False):
        return

    async def traced(self: BackgroundTask) -> None:
        name = getattr(self.func, "__name__", type(self.func).__name__)
        with tracer.start_as_current_span(f"BackgroundTask {name}"):
            await plain(self)

    traced.traced = True  # type: ignore[attr-defined]  # how the next call knows
    BackgroundTask.__call__ = traced  # type: ignore[method-assign]
