"""The service as it is deployed, in this process: its own settings and telemetry, with spans and log lines kept here."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import ReadableSpan

from app import settings as environment
from app import telemetry
from app.telemetry import exporters
from app.telemetry.outbox import NoOutbox, Outgoing

NAME = Path(__file__).parents[1].name
ENVIRONMENT = {
    "OTEL_SERVICE_NAME": NAME,
    "ENVIRONMENT": "test",
    "GOOGLE_CLOUD_PROJECT": "project-id",
    "GOOGLE_CLOUD_REGION": "europe-west1",
    "OTEL_TRACES_SAMPLER_ARG": "0.5",
}


class Memory(NoOutbox):
    """An outbox that keeps what would be exported."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[ReadableSpan] = []

    def put(self, span: Outgoing) -> None:
        self.spans.append(span if isinstance(span, ReadableSpan) else span.readable())


class Lines(logging.Handler):
    """Log lines as Cloud Logging gets them, read back."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(json.loads(self.format(record)))


@pytest.fixture(scope="session")
def memory() -> Memory:
    return Memory()


@pytest.fixture(scope="session")
def application(memory: Memory) -> Iterator[FastAPI]:
    """Made once: a process has one tracer provider."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setattr(exporters, "outbox", lambda *_: memory)
        settings = environment.load()
        telemetry.setup(settings)
        from app.main import create_app

        yield create_app(settings)


@pytest.fixture(scope="session")
def client(application: FastAPI) -> Iterator[TestClient]:
    """A caller; errors reach it as answers."""
    with TestClient(application, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def spans(memory: Memory) -> list[ReadableSpan]:
    """What was exported during this test."""
    memory.spans.clear()
    return memory.spans


@pytest.fixture
def lines(application: FastAPI) -> Iterator[list[dict[str, Any]]]:
    """What was logged during this test."""
    root, handler = logging.getLogger(), Lines()
    formatter = next(each.formatter for each in root.handlers if type(each).__module__.startswith("app."))
    handler.setFormatter(formatter)
    root.addHandler(handler)
    yield handler.said
    root.removeHandler(handler)
