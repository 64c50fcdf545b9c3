"""The environment variables that infra/ gives a service: the table in docs/architecture.md, as a pure function."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from infra.stack import Stack

SET_HERE = {
    "OTEL_SERVICE_NAME": "the service's name in blueprint:services is used",
    "ENVIRONMENT": "the stack's name is used",
    "GOOGLE_CLOUD_PROJECT": "set gcp:project",
    "GOOGLE_CLOUD_REGION": "set gcp:region",
    "SERVICE_URLS": "list the services under calls",
    "BUCKET_NAMES": "list the buckets under buckets",
    "SERVICE_PUBLIC": "set public",
    "SERVICE_TIMEOUT_S": "set timeout",
    "SERVICE_BILLING": "set billing",
    "OTEL_TRACES_EXPORTER": "set blueprint:tracing.exporter",
    "OTEL_TRACES_SAMPLER_ARG": "set blueprint:tracing.sample_ratio",
    "TRACE_KEEP_SLOW_MS": "set blueprint:tracing.keep_slow_ms",
    "TRACE_KEEP_PER_SECOND": "set blueprint:tracing.keep_per_second",
}
"""Each variable and, for who tried to set it by hand, the key that does."""


def environment(stack: Stack, name: str, service_urls: pulumi.Input[str]) -> dict[str, pulumi.Input[str]]:
    """All variables of a service, sorted by name. `service_urls` is the JSON object of its callees' URLs."""
    service = stack.services[name]
    variables: dict[str, pulumi.Input[str]] = {
        **service.env,
        "OTEL_SERVICE_NAME": name,
        "ENVIRONMENT": stack.env,
        "GOOGLE_CLOUD_PROJECT": stack.project,
        "GOOGLE_CLOUD_REGION": stack.region,
        "SERVICE_URLS": service_urls,
        "BUCKET_NAMES": json.dumps({bucket: stack.bucket_name(bucket) for bucket in service.buckets}),
        "SERVICE_PUBLIC": str(service.public).lower(),
        "SERVICE_TIMEOUT_S": str(service.timeout),
        "SERVICE_BILLING": service.billing,
        "OTEL_TRACES_EXPORTER": stack.tracing.exporter,
        "OTEL_TRACES_SAMPLER_ARG": str(stack.tracing.sample_ratio),
        "TRACE_KEEP_SLOW_MS": str(stack.tracing.keep_slow_ms),
        "TRACE_KEEP_PER_SECOND": str(stack.tracing.keep_per_second),
    }
    return dict(sorted(variables.items()))
