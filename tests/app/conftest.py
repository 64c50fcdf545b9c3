"""The real SDK with spans kept in memory, and the application under a real uvicorn in a thread."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import requests
import uvicorn
from app_fakes import Cloud, Server
from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from app import settings as environment
from app import telemetry
from app.main import create_app
from app.telemetry import client, propagation
from app.telemetry.coldstart import ColdStart
from app.telemetry.counters import Counters
from app.telemetry.keeping import KeepLimit
from app.telemetry.outbox import NoOutbox, Outgoing
from app.telemetry.parts import Parts
from app.telemetry.sampling import HeadSampler
from app.telemetry.serving import Serving


class Memory(NoOutbox):
    """An outbox that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[Outgoing] = []

    def put(self, span: Outgoing) -> None:
        self._kept.append(span)

    def get_finished_spans(self) -> tuple[ReadableSpan, ...]:
        """In the order in which they came."""
        return tuple(span if isinstance(span, ReadableSpan) else span.readable() for span in self._kept)

    def clear(self) -> None:
        """Forget them."""
        self._kept.clear()


def serving_with(memory: Memory, ratio: float = 1.0, **options: Any) -> Serving:
    """What `telemetry.setup` makes, with spans kept in `memory`."""
    counters = Counters()
    limit = KeepLimit(options.pop("keep_per_second", 100))
    parts = Parts(HeadSampler(ratio), memory, counters, limit, options.pop("slow_ms", 60_000))
    coldstart = ColdStart()
    coldstart.waiting = options.pop("cold", False)
    given = {"public": False, "frozen": False, **options}
    return Serving(parts, Resource({"service.name": "test"}), coldstart=coldstart, **given)


_memory = Memory()
_serving = serving_with(_memory)

Start = Callable[..., str]


@contextmanager
def serving(env: dict[str, str]) -> Iterator[str]:
    """The application with these settings, on a free port; its lifespan is left out, as spans outlive it here."""
    app = create_app(environment.parse({"SERVICE_PUBLIC": "false", **env}))
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=1,
        access_log=False,
    )
    server = uvicorn.Server(config)
    ready = threading.Event()
    startup = server.startup

    async def announced(*args: object, **kwargs: object) -> None:
        await startup(*args, **kwargs)
        ready.set()

    server.startup = announced
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="session")
def provider() -> TracerProvider:
    """The process's provider: OpenTelemetry allows one."""
    provider = TracerProvider(sampler=_serving.parts.sampler, shutdown_on_exit=False)
    provider.add_span_processor(_serving.parts)
    trace.set_tracer_provider(provider)
    return provider


@pytest.fixture(scope="module", autouse=True)
def tracing(provider: TracerProvider) -> Iterator[None]:
    """Traces as `telemetry.setup` makes them, without its changes to this process's logging.

    Taken back after each module: a worker runs other parts' tests too, whose `requests` must be the plain ones.
    """
    monkey = pytest.MonkeyPatch()
    monkey.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    monkey.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    monkey.setattr(telemetry, "_serving", _serving, raising=False)
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(propagation.CloudRunPropagator(public=False))
    traced({})
    yield
    untraced()
    propagate.set_global_textmap(before)
    monkey.undo()


_plain_send = requests.Session.send


def traced(services: dict[str, str]) -> None:
    """Client spans, with the names of these services."""
    client.outgoing(services, _serving.parts, _serving.resource)


def untraced() -> None:
    """Take the client instrumentations back."""
    requests.Session.send = _plain_send  # type: ignore[method-assign]
    if "httpx" in sys.modules:
        from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

        HTTPXClientInstrumentor().uninstrument()


@pytest.fixture
def spans() -> Iterator[Memory]:
    """The spans that were exported during this test."""
    _memory.clear()
    yield _memory
    _memory.clear()


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers for the length of a test: the application by its settings, or a fake."""
    with ExitStack() as stack:

        def run(server: Server | None = None, **env: str) -> str:
            if server is not None:
                stack.enter_context(server.running())
                return server.url
            return stack.enter_context(serving(env))

        yield run


@pytest.fixture
def cloud(start: Start, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Metadata and storage, where google-auth and google-cloud-storage look for them."""
    from google.auth.compute_engine import _metadata

    # google-auth has one address for the process: a refresh that an earlier test left behind would ask this one's.
    for thread in threading.enumerate():
        if thread.name == "token":
            thread.join(30)
    fake = Cloud()
    start(fake)
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", fake.host)
    monkeypatch.setenv("GCE_METADATA_HOST", fake.host)
    monkeypatch.setenv("GCE_METADATA_IP", fake.host)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", fake.url)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
    return fake
