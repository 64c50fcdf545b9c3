"""Rule: nobody pays for a debug sampler that was forgotten in production."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infra.policy.cloudrun import SERVICE, ingress, variables
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.exceptions import is_reasoned
from infra.policy.finding import Finding, Undecided, judge
from infra.schema.tiers import is_production

LIMIT = 0.1
REASON = "sampling"
"""The label with which a service is excepted."""
_RATIO = "OTEL_TRACES_SAMPLER_ARG"
_OFF = {
    "OTEL_TRACES_EXPORTER": ("none",),
    "OTEL_SDK_DISABLED": ("true", "1", "yes", "y", "on", "t"),
}
"""Either switches tracing off, spelt in any way that the template takes."""


def sampling_ratio(resource: Declared, env: str) -> Iterator[Finding]:
    """In production at most 10 % of traces are kept by chance, unless a reason is given.

    A ratio that is left out is 1, and so is judged as that: the template traces without any variable (app/settings.py). A
    sidecar is not judged.
    """
    if resource.type != SERVICE or not is_production(env) or is_reasoned(resource, REASON):
        return
    container = ingress(resource)
    path = f"{container}.envs.{_RATIO}"
    found = variables(resource, container)
    if found is UNKNOWN:
        yield Undecided(resource, path)
    elif not _is_off(found):
        must = f"a ratio of at most {LIMIT:g} (left out, it is 1)"
        remedy = (
            f"lower blueprint:tracing.sample_ratio, or say why with ratio_reason (label {REASON}: reasoned)"
        )
        yield from judge(resource, path, _ratio(found), _is_low, must, remedy)


def _ratio(found: Mapping[str, Any]) -> Any:
    """The ratio, which is not known to matter while a switch is not known."""
    ratio = found.get(_RATIO)
    if not _is_low(ratio) and any(found.get(name) is UNKNOWN for name in _OFF):
        return UNKNOWN
    return ratio


def _is_off(found: Mapping[str, Any]) -> bool:
    return any(str(found.get(name, "")).strip().lower() in off for name, off in _OFF.items())


def _is_low(ratio: Any) -> bool:
    try:
        return 0 <= float(ratio) <= LIMIT
    except (TypeError, ValueError):
        return False
