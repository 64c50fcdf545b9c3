"""The real SDK with spans kept in memory, and the application under a real uvicorn in a thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn
from app_fakes import Cloud, Server
from opentelemetry import propagate, trace
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app import settings as environment
from app.main import create_app
from app.telemetry import ids, instrumentation, propagation, sampling

_memory = InMemorySpanExporter()

Start = Callable[..., str]


@contextmanager
def serving(env: dict[str, str]) -> Iterator[str]:
    """The application with these settings, on a free port; its lifespan is left out, as spans outlive it here."""
    app = create_app(environment.parse(env))
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
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def provider() -> TracerProvider:
    """The process's provider: OpenTelemetry allows one."""
    provider = TracerProvider(
        sampler=sampling.by_trace_id(1), id_generator=ids.InheritingIdGenerator(), shutdown_on_exit=False
    )
    provider.add_span_processor(SimpleSpanProcessor(_memory))
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
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(propagation.CloudRunPropagator(public=False))
    instrumentation.outgoing({})
    yield
    RequestsInstrumentor().uninstrument()
    propagate.set_global_textmap(before)
    monkey.undo()


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """The spans that ended during this test."""
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
