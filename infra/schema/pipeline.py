"""Rules between the template's variables and the rest of a service: what would fail, or be ignored, only once deployed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.schema.app_env import MAX_DOCUMENT_BYTES, VARIABLES, whole
from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.schema.service import ServiceConfig
    from infra.stack import Stack

# The interpreter and the template (65 MB, docs/performance.md), and a document joined from its parts.
_OWN_MIB = 128


def destinations(stack: Stack) -> Iterator[Problem]:
    """A step hands its document to the first service that it calls or, without any, stores it in its first bucket.

    Without either the application refuses to start. Further ones are for routes of a team's own.
    """
    for name, service in stack.services.items():
        if service.env.get("PIPELINE_STEP") and not service.calls and not service.buckets:
            yield Problem(
                f"blueprint:services.{name}.calls",
                [],
                f"one name or more, or buckets, as PIPELINE_STEP is {service.env['PIPELINE_STEP']}",
                "name the service that it calls, or the bucket that it stores in",
            )


def deadlines(stack: Stack) -> Iterator[Problem]:
    """A budget above the timeout would never be had."""
    for name, service in stack.services.items():
        budget = _number(service, "REQUEST_BUDGET_MS")
        if budget and budget > service.timeout * 1000:
            yield Problem(
                f"blueprint:services.{name}.env.REQUEST_BUDGET_MS",
                service.env["REQUEST_BUDGET_MS"],
                f"at most {service.timeout * 1000}, the service's timeout in milliseconds",
                "lower it, or raise timeout",
            )


def models(stack: Stack) -> Iterator[Problem]:
    """Only the step `extract` asks a model; elsewhere its role would be given for nothing."""
    for name, service in stack.services.items():
        step = service.env.get("PIPELINE_STEP", "")
        if service.uses_gemini and step not in ("", "extract"):
            yield Problem(
                f"blueprint:services.{name}.env.GEMINI_MODEL",
                service.env["GEMINI_MODEL"],
                f"absent, as PIPELINE_STEP is {step} and only extract asks a model",
                "move it to the service whose PIPELINE_STEP is extract",
            )


def documents(stack: Stack) -> Iterator[Problem]:
    """As many documents as are served at once fit into memory: beyond it an instance is killed, with all its requests.

    A laptop's instances share its memory, so stack `local` is left alone.
    """
    for name, service in stack.services.items():
        if stack.is_local or not service.env.get("PIPELINE_STEP"):
            continue
        largest = _number(service, "MAX_DOCUMENT_BYTES") or MAX_DOCUMENT_BYTES
        fit = (service.memory_mib - _OWN_MIB) * 1024 * 1024 // largest
        if service.requests_at_once > fit:
            yield Problem(
                f"blueprint:services.{name}.concurrency",
                service.requests_at_once,
                f"at most {max(fit, 0)}, the documents of {largest} bytes that fit into {service.memory} beside {_OWN_MIB}Mi",
                "lower it, or env.MAX_DOCUMENT_BYTES, or raise memory",
            )


def exporters(stack: Stack) -> Iterator[Problem]:
    """Spans have somewhere to go: `otlp` needs an address, and Google's access token goes to Google only."""
    names = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    for service_name, service in stack.services.items():
        key, given = f"blueprint:services.{service_name}.env", {**service.env, **service.secrets}
        name = next((name for name in names if given.get(name)), None)
        if name is None and stack.tracing.exporter == "otlp" and not stack.is_local:
            must = "the address of your collector, as blueprint:tracing.exporter is otlp"
            yield Problem(f"{key}.{names[1]}", None, must, "set it, or choose another exporter")
        address = service.env.get(name or "", "")
        if address and stack.tracing.exporter == "gcp_otlp" and not is_google(address):
            must = "absent or Google's, as blueprint:tracing.exporter gcp_otlp sends an access token along"
            yield Problem(
                f"{key}.{name}", address, must, "remove it, or set blueprint:tracing.exporter to otlp"
            )


def is_google(address: str) -> bool:
    """Whether an access token may be sent there: by https to Google, or to this machine."""
    base = re.match(r"https?://[^/]*", address)
    return base is not None and VARIABLES["GOOGLE_VERTEX_BASE_URL"].accepts(base[0])


def _number(service: ServiceConfig, name: str) -> int | None:
    """A variable that holds a whole number; None if it is unset, or wrong and refused elsewhere."""
    text = service.env.get(name, "")
    return whole(text) if VARIABLES[name].accepts(text) else None
