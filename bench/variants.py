"""The variants that are compared: how each is started, and by which environment it finds its backend.

Their code is in bootstraps.py, which runs in the server's own process; nothing of it is imported here.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

# What the template uses. The development environment has more, which a zero-code start would load and pay for.
INSTRUMENTATIONS = {"fastapi", "requests"}


class Backend(NamedTuple):
    """Where spans go: an OTLP base address, the host:port of the Cloud Trace API, and of a metadata server."""

    otlp: str
    cloud_trace: str
    metadata: str


class Settings(NamedTuple):
    """What one server is told, whatever its variant."""

    ratio: float
    backend: Backend
    service: str
    next_url: str
    public: bool = True


Environment = dict[str, str]


def _nothing(settings: Settings) -> Environment:
    return {}


def _textbook(settings: Settings) -> Environment:
    return {
        "CLOUD_TRACE_ENDPOINT": settings.backend.cloud_trace,
        "OTEL_TRACES_SAMPLER_ARG": str(settings.ratio),
    }


def _lean_otlp(settings: Settings) -> Environment:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": settings.backend.otlp,
        "OTEL_TRACES_SAMPLER_ARG": str(settings.ratio),
    }


def _zero_code(settings: Settings) -> Environment:
    installed = {point.name for point in entry_points(group="opentelemetry_instrumentor")}
    return _lean_otlp(settings) | {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(sorted(installed - INSTRUMENTATIONS)),
    }


def _ours(settings: Settings) -> Environment:
    return _lean_otlp(settings) | {
        "OTEL_TRACES_EXPORTER": "otlp",
        "ENVIRONMENT": "bench",
        "GOOGLE_CLOUD_PROJECT": "bench",
        "GOOGLE_CLOUD_REGION": "bench1",
        "SERVICE_BILLING": "request",  # as in the shipped stacks of real environments
        "SERVICE_PUBLIC": str(settings.public).lower(),
        "SERVICE_URLS": json.dumps({"next": settings.next_url.rpartition("/")[0]}),
    }


def _ours_gcp_otlp(settings: Settings) -> Environment:
    return _ours(settings) | {
        "OTEL_TRACES_EXPORTER": "gcp_otlp",
        "GCE_METADATA_HOST": settings.backend.metadata,
        "GCE_METADATA_IP": settings.backend.metadata,
        "CLOUDSDK_CONFIG": "/nonexistent",  # else a developer's own credentials would be found first
    }


@dataclass(frozen=True)
class Variant:
    """One way to trace a service; `bootstrap` is a function of bootstraps.py."""

    key: str
    title: str
    bootstrap: str
    environment: Callable[[Settings], Environment]
    launcher: tuple[str, ...] = ()
    keeps_errors: bool = False

    @property
    def command(self) -> list[str]:
        """The process to start."""
        return [*self.launcher, sys.executable, "-m", "bench.service", self.bootstrap]

    @property
    def traces(self) -> bool:
        """Whether there are any spans to look for."""
        return self.key != "bare"


LAUNCHER = str(Path(sys.executable).with_name("opentelemetry-instrument"))


def missing_package() -> str:
    """A sentence if the launcher could not do its work: without a distribution it configures nothing, silently."""
    if entry_points(group="opentelemetry_configurator"):
        return ""
    return "opentelemetry-distro is needed for zero_code: pip install opentelemetry-distro, in the version of the instrumentations"


BARE = Variant("bare", "bare", "bare", _nothing)
ZERO_CODE = Variant("zero_code", "zero-code", "bare", _zero_code, launcher=(LAUNCHER,))
OURS = Variant("ours", "ours", "ours", _ours, keeps_errors=True)
# Shown in rows of their own, for what the default exporter's credentials cost.
OURS_GCP_OTLP = Variant("ours_gcp_otlp", "ours, gcp_otlp", "ours", _ours_gcp_otlp, keeps_errors=True)

VARIANTS = (
    BARE,
    Variant("textbook", "textbook", "textbook", _textbook),
    ZERO_CODE,
    Variant("lean_otlp", "lean OTLP", "lean_otlp", _lean_otlp),
    OURS,
)
