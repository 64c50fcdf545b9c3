"""Rule: nobody pays for a debug sampler that was forgotten in production."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra.policy.cloudrun import SERVICE, containers, variables
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.exceptions import is_reasoned
from infra.policy.finding import Finding, Undecided, judge

LIMIT = 0.1
REASON = "sampling"
"""The label with which a service is excepted."""
_RATIO = "OTEL_TRACES_SAMPLER_ARG"
_EXPORTER = "OTEL_TRACES_EXPORTER"


def sampling_ratio(resource: Declared, env: str) -> Iterator[Finding]:
    """In prod at most 10 % of traces are kept by chance, unless a reason is given.

    A container that sets no OTEL_ variable is not traced by the template, and not judged.
    """
    if resource.type != SERVICE or env != "prod" or is_reasoned(resource, REASON):
        return
    for container in containers(resource):
        path = f"{container}.envs.{_RATIO}"
        found = variables(resource, container)
        if found is UNKNOWN:
            yield Undecided(resource, path)
        elif any(str(name).startswith("OTEL_") for name in found) and found.get(_EXPORTER) != "none":
            must = f"a ratio of at most {LIMIT:g}"
            remedy = f"lower blueprint:tracing.sample_ratio, or say why with ratio_reason (label {REASON}: reasoned)"
            yield from judge(resource, path, found.get(_RATIO), _is_low, must, remedy)


def _is_low(ratio: Any) -> bool:
    try:
        return 0 <= float(ratio) <= LIMIT
    except (TypeError, ValueError):
        return False
