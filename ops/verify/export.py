"""What a service's own line about a failed export means, in one sentence, and what mends it. Pure: reads nothing.

The lines are those of app/telemetry/export_errors.py and counters.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ops.deployment import Deployment, Service

TRACE_ROLE = "roles/cloudtrace.agent"
"""infra/components/grants.py gives it; importing that would load Pulumi's provider."""

_API = {"gcp_otlp": "telemetry.googleapis.com", "gcp_trace": "cloudtrace.googleapis.com"}
_KEYS = {
    "gcp_otlp": ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    "otlp": ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    "gcp_trace": ("CLOUD_TRACE_ENDPOINT",),
}
_DISABLED = re.compile(r"SERVICE_DISABLED|has not been used in project|is disabled")
_NAMED_API = re.compile(r"\b(?:telemetry|cloudtrace)\.googleapis\.com\b")
_UNREACHED = re.compile(
    r"ConnectionError|Connection refused|NewConnectionError|NameResolution|Name or service not known|Timeout|timed out"
    r"|failed to connect|DNS resolution|SSLError|ProxyError",
    re.IGNORECASE,
)


class Finding(NamedTuple):
    """Why spans did not leave: a clause that goes on after "its exports", and what mends it."""

    clause: str
    remedy: str


def meaning(deployment: Deployment, service: Service, line: Mapping[str, Any]) -> Finding:
    """Of the payload (jsonPayload) of a line."""
    exporter = str(line.get("exporter") or deployment.exporter)
    status, cause = line.get("status"), str(line.get("cause") or line.get("message") or "")
    if _DISABLED.search(cause):
        return _api_off(deployment, exporter, cause)
    if status in (401, 403):
        return _refused(deployment, service, exporter, int(status))
    if _UNREACHED.search(cause):
        return _unreached(deployment, service, exporter, cause)
    said = " ".join(cause.split())[:200] or "no cause was given"
    return Finding(
        f"fail ({status or 'no status'}): {said}",
        f"mend that cause, {deployment.redeploy}, and verify again",
    )


def destination(service: Service, exporter: str) -> tuple[str, str]:
    """The variable that says where a service's spans go and its value; ("", "") where it is the exporter's own default."""
    keys = _KEYS.get(exporter, ())
    return next(((key, service.destination[key]) for key in keys if service.destination.get(key)), ("", ""))


def _api_off(deployment: Deployment, exporter: str, cause: str) -> Finding:
    named = _NAMED_API.search(cause)
    api = named[0] if named else _API.get(exporter, "telemetry.googleapis.com")
    return Finding(
        f"are refused (403): the API {api} is off in project {deployment.project} (SERVICE_DISABLED)",
        f"gcloud services enable {api} --project {deployment.project}",
    )


def _refused(deployment: Deployment, service: Service, exporter: str, status: int) -> Finding:
    if exporter not in _API:
        return Finding(
            f"are refused ({status}) by the collector, {_address(service, exporter)}",
            f"give {service.name} the credentials that the collector asks for: a secret OTEL_EXPORTER_OTLP_HEADERS in {deployment.file}",
        )
    if status == 401:
        return Finding(
            f"are refused (401): the metadata server gave {service.account} no valid token",
            f"see that the account exists and is enabled: gcloud iam service-accounts describe {service.account}",
        )
    return Finding(
        f"are refused (403): {service.account} lacks {TRACE_ROLE} on project {deployment.project}",
        f"gcloud projects add-iam-policy-binding {deployment.project} --member serviceAccount:{service.account} "
        f"--role {TRACE_ROLE}; or let the program give it back: {deployment.redeploy}",
    )


def _unreached(deployment: Deployment, service: Service, exporter: str, cause: str) -> Finding:
    key, _ = destination(service, exporter)
    said = re.search(
        r"[Cc]onnection refused|[Nn]ame resolution|[Tt]imed? ?out|SSL|Name or service not known", cause
    )
    mend = (
        f"correct services.{service.name}.env.{key} in {deployment.file}, or take it out for the default"
        if key
        else f"set services.{service.name}.env.{_KEYS.get(exporter, ('',))[-1]} in {deployment.file}"
        if exporter == "otlp"
        else f"see that {service.name} reaches Google's APIs: its vpc.egress, and private Google access of its subnetwork"
    )
    return Finding(
        f"do not get through: {_address(service, exporter)} cannot be reached ({said[0].lower() if said else 'no connection'})",
        f"{mend}, then {deployment.redeploy}",
    )


def _address(service: Service, exporter: str) -> str:
    key, value = destination(service, exporter)
    if key:
        return f"{value} ({key})"
    return {"otlp": "http://localhost:4318/v1/traces (the default of otlp)"}.get(
        exporter, _API.get(exporter, "its destination")
    )
