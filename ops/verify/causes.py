"""Why a service has no span in the trace: evidence first, and where there is none, that is what is said. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ops.deployment import Deployment, Service
from ops.verify.evidence import Entry, Evidence, at, is_request_log, revision_of, service_of
from ops.verify.export import meaning
from ops.verify.probe import Probe

MAX_SKEW_S = 2.0
"""How far apart the clocks of this machine and of Google may be."""


@dataclass(frozen=True)
class Cause:
    """One sentence and its remedy. `certain`: waiting longer cannot change it; `cuts`: nor can what the service calls be seen."""

    service: str
    sentence: str
    remedy: str
    certain: bool = False
    cuts: bool = False


def why_missing(deployment: Deployment, probe: Probe, evidence: Evidence, name: str) -> Cause:
    """Of a service that should have a span and has none."""
    service = deployment.services[name]
    failed = _export_failed(deployment, probe, evidence, service)
    return (
        _switched_off(deployment, service)
        or (failed if failed and failed.certain else None)
        or _under_another_trace(deployment, evidence, service)
        or _answered_otherwise(probe, service)
        or failed
        or _not_called(deployment, probe, evidence, service)
        or _not_kept(deployment, evidence, service)
        or _no_evidence(evidence, service)
    )


def _switched_off(deployment: Deployment, service: Service) -> Cause | None:
    value = service.destination.get("OTEL_SDK_DISABLED", "").lower()
    if value not in ("true", "1", "yes", "y", "on", "t"):
        return None
    key = f"services.{service.name}.env.OTEL_SDK_DISABLED"
    return Cause(
        service.name,
        f"{service.name} sends no spans: {key} is {value}.",
        f"take {key} out of {deployment.file}, then {deployment.redeploy}",
        certain=True,
    )


def _export_failed(
    deployment: Deployment, probe: Probe, evidence: Evidence, service: Service
) -> Cause | None:
    serving = {revision_of(entry) for entry in evidence.of_service(service.run_name)}
    lines = [
        entry
        for entry in evidence.exports
        if service_of(entry) == service.run_name and (not serving or revision_of(entry) in serving)
    ]
    told = [entry for entry in lines if _payload(entry).get("event") != "trace_health"] or lines
    if not told:
        return None
    found = meaning(deployment, service, _payload(told[-1]))
    # An older one may be of a fault that has been mended meanwhile.
    fresh = at(told[-1]) >= probe.sent - MAX_SKEW_S
    sentence = f"{service.name} says that its exports {found.clause}."
    return Cause(service.name, sentence, found.remedy, certain=fresh)


def _answered_otherwise(probe: Probe, service: Service) -> Cause | None:
    """The entry itself names another trace than it was sent."""
    if service.name != probe.service.name or probe.told in ("", probe.trace_id):
        return None
    return Cause(
        service.name,
        f"{service.name} answered under another trace ({probe.told}) than it was sent: the trace context does not reach it.",
        "see what stands before it (a proxy, a gateway, a load balancer) and replaces traceparent",
        certain=True,
        cuts=True,
    )


def _under_another_trace(deployment: Deployment, evidence: Evidence, service: Service) -> Cause | None:
    """A request of the callee in a trace that none of its callers has a part in: somebody called it without the headers."""
    if evidence.of_service(service.run_name):
        return None
    by_trace: dict[str, set[str]] = {}
    for entry in evidence.others:
        by_trace.setdefault(str(entry.get("trace", "")), set()).add(service_of(entry))
    callers = [deployment.services[name] for name in deployment.callers(service.name)]
    caller = next((each for each in callers if evidence.of_service(each.run_name)), None)
    if caller is None:
        return None
    called = {each.run_name for each in callers}
    alone = [name for name, found in by_trace.items() if service.run_name in found and not found & called]
    if not alone:
        return None
    return Cause(
        service.name,
        f"{service.name} served this request under another trace ({alone[0].rpartition('/')[2]}): "
        f"{caller.name} does not propagate the trace context to it.",
        f"in {caller.name}, call {service.name} by app/calls.py or app/async_calls.py, or by a client that OpenTelemetry "
        "instruments; a header that a proxy strips has the same effect",
        certain=True,
        cuts=True,
    )


def _not_called(deployment: Deployment, probe: Probe, evidence: Evidence, service: Service) -> Cause | None:
    if "logs" in evidence.doubts or evidence.of_service(service.run_name):
        return None
    callers = deployment.callers(service.name)
    by = " or ".join(callers) or "a client"
    return Cause(
        service.name,
        f"{service.name} has neither a span nor a request log in this trace: no call from {by} reached it with this trace.",
        f"if {probe.request} does not lead there, say so by --expect; else look at why {by} did not call it",
        cuts=True,
    )


def _not_kept(deployment: Deployment, evidence: Evidence, service: Service) -> Cause | None:
    own = [entry for entry in evidence.of_service(service.run_name) if not is_request_log(entry)]
    if not own or any(entry.get("traceSampled") for entry in own):
        return None
    return Cause(
        service.name,
        f"{service.name} did not keep its part: its log lines of this trace are marked as not sampled, although "
        f"sample_ratio {deployment.sample_ratio:g} keeps it.",
        f"its revision has another OTEL_TRACES_SAMPLER_ARG than {deployment.file}: {deployment.redeploy}",
    )


def _no_evidence(evidence: Evidence, service: Service) -> Cause:
    if "logs" in evidence.doubts:
        return Cause(
            service.name,
            f"No span of {service.name} arrived, and the logs, which would tell why, could not be read.",
            f"mend that first: {evidence.doubts['logs']}",
        )
    return Cause(
        service.name,
        f"{service.name} served the request, but no span of it arrived, and it logged no failed export: there is no evidence why.",
        f"look at the service's log lines since the deployment, and whether the image has app/telemetry: logs of {service.run_name}",
    )


def causes(deployment: Deployment, probe: Probe, evidence: Evidence, missing: Sequence[str]) -> list[Cause]:
    """Why these have no span, nearest first; whoever is only behind another one that is cut off is not listed."""
    found: list[Cause] = []
    cut: set[str] = set()
    for name in missing:
        cause = why_missing(deployment, probe, evidence, name)
        follows = not cause.certain and bool(set(deployment.callers(name)) & cut)
        if cause.cuts or follows:
            cut.add(name)
        if not follows:
            found.append(cause)
    return found


def _payload(entry: Entry) -> Mapping[str, object]:
    payload = entry.get("jsonPayload")
    return payload if isinstance(payload, Mapping) else {}
