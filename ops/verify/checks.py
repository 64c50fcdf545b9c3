"""The checks of one request, in the order of the chain of causes. Pure: what was read is given.

What cannot be judged because of an earlier failure is left out, so that the first failure is the one to mend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ops.checks import Check
from ops.deployment import Deployment
from ops.verify.causes import Cause, causes
from ops.verify.evidence import Evidence, is_request_log, service_of
from ops.verify.export import destination
from ops.verify.patience import unread
from ops.verify.probe import Probe
from ops.verify.waiting import without_spans
from traces.analysis import analyse

SILENT = ("console", "none")
"""Exporters by which no span ever reaches a backend."""
SLOW_MS = 1000


def reachable(deployment: Deployment, probe: Probe, console: str) -> Check:
    """Whether the request was answered as it should be; `console` is where a local cloud is read."""
    said = f"{probe.request} to {probe.service.name}"
    before = f" at try {len(probe.before) + 1} (before: {', '.join(probe.before)})" if probe.before else ""
    if probe.ok:
        return Check("reachable", True, f"{said}: {probe.status} in {probe.latency_ms:,.0f} ms{before}")
    if not probe.status:
        return Check(
            "reachable",
            False,
            f"{said}: no answer from {probe.service.url} ({probe.error}){before}.",
            f"see that the address is right and the service runs: {_logs_hint(deployment, probe, console)}",
        )
    return Check(
        "reachable",
        False,
        f"{said} was answered {probe.status}{before}.",
        _remedy(deployment, probe, console),
    )


def not_verified(probe: Probe) -> Check:
    """A private service that no request of an entry reaches, and whose door is shut to whoever verifies: no fault is known."""
    name = probe.service.name
    return Check(
        "not verified",
        True,
        f"{name}: nothing leads to it, and {probe.request} was answered {probe.status} before it reached the service "
        f"(private, or its ingress); name it (--expect {name}) where you may call it.",
    )


def kept(deployment: Deployment) -> Check:
    """Whether the stack's exporter and ratio let a trace through at all."""
    exporter, ratio = deployment.exporter, deployment.sample_ratio
    if exporter in SILENT:
        return Check(
            "kept",
            False,
            f"The exporter is {exporter} (OTEL_TRACES_EXPORTER): no span leaves the services.",
            f"set blueprint:tracing.exporter to gcp_otlp in {deployment.file}, then {deployment.redeploy}",
        )
    if ratio == 0:
        return Check(
            "kept",
            False,
            "sample_ratio is 0: only errors and slow requests are kept, so a request that went well leaves no trace.",
            f"set blueprint:tracing.sample_ratio above 0 in {deployment.file}, then {deployment.redeploy}",
        )
    return Check("kept", True, f"sample_ratio {ratio:g}, exporter {exporter}")


def of_trace(
    deployment: Deployment,
    probe: Probe,
    evidence: Evidence,
    expected: Sequence[str],
    locations: Mapping[str, str | None] | None = None,
) -> Iterator[Check]:
    """Entry span, spans of every service and, if these are there, parents; then logs and their correlation.

    `locations` of buckets, by name, make the account of a slow request richer.
    """
    missing = without_spans(evidence, expected)
    if doubt := evidence.doubts.get("spans"):
        yield unread("entry span", doubt)
        missing = list(expected)
    else:
        yield from _spans(deployment, probe, evidence, expected, missing, locations or {})
    yield logs(deployment, evidence, expected)
    if not missing and "logs" not in evidence.doubts:
        yield correlation(deployment, evidence)


def logs(deployment: Deployment, evidence: Evidence, expected: Sequence[str]) -> Check:
    """Whether each service's request log, or a line of its own, carries the trace."""
    if doubt := evidence.doubts.get("logs"):
        return unread("logs", doubt)
    without = [name for name in expected if not evidence.of_service(deployment.services[name].run_name)]
    if without:
        return Check(
            "logs",
            False,
            f"No log entry of {', '.join(without)} carries the trace {evidence.trace.trace_id}.",
            "see whether the request reached it, and whether a log exclusion of the project drops Cloud Run's request log",
        )
    return Check("logs", True, f"{len(evidence.entries)} entries of {', '.join(expected)} carry the trace")


def correlation(deployment: Deployment, evidence: Evidence) -> Check:
    """Whether the services' own lines name spans of the trace; the request log names the platform's, which is rarely exported."""
    own = [entry for entry in evidence.entries if not is_request_log(entry) and entry.get("spanId")]
    known = {span.span_id for span in evidence.trace.spans}
    lost = [entry for entry in own if str(entry["spanId"]) not in known]
    if lost:
        by = ", ".join(sorted({service_of(entry) for entry in lost}))
        return Check(
            "correlation",
            False,
            f"{len(lost)} log lines of {by} name a span that is not in the trace, such as {lost[0]['spanId']}.",
            "log within the request, by the template's logger: a span id of one's own making leads nowhere",
        )
    detail = (
        f"{len(own)} log lines lead to their spans"
        if own
        else "no service wrote a line of its own, which is fine"
    )
    return Check("correlation", True, detail)


def _spans(
    deployment: Deployment,
    probe: Probe,
    evidence: Evidence,
    expected: Sequence[str],
    missing: Sequence[str],
    locations: Mapping[str, str | None],
) -> Iterator[Check]:
    entry, found = probe.service.name, causes(deployment, probe, evidence, missing)
    left = not_led_to(deployment, probe, evidence, expected)
    title = "spans" if left else "spans of every service"
    by_name = {cause.service: cause for cause in found}
    if entry in missing:
        yield _failed("entry span", probe, by_name[entry], ())
    else:
        yield Check("entry span", True, f"{entry}: {evidence.servers(entry)[0].name}")
    if others := [name for name in missing if name != entry]:
        first = next((cause for cause in found if cause.service != entry), found[0])
        yield _failed(title, probe, first, [name for name in others if name != first.service])
    else:
        also = (
            f"; not verified by {probe.request}: {', '.join(left)} (see --request and --expect)"
            if left
            else ""
        )
        yield Check(title, True, _told(evidence, expected, locations) + also)
    if not missing:
        yield _parents(evidence, probe)


def not_led_to(
    deployment: Deployment, probe: Probe, evidence: Evidence, expected: Sequence[str]
) -> list[str]:
    """Services along `calls` that the request need not have reached, and of which there is no span."""
    behind = deployment.along_calls(probe.service.name)
    return [name for name in behind if name not in expected and not evidence.servers(name)]


def _failed(name: str, probe: Probe, cause: Cause, others: Sequence[str]) -> Check:
    also = f" Without spans too: {', '.join(others)}." if others else ""
    return Check(name, False, cause.sentence + also, cause.remedy)


def _told(evidence: Evidence, expected: Sequence[str], locations: Mapping[str, str | None]) -> str:
    """How many and, of a slow request, where the time went: for information, as slow is not broken."""
    analysis = analyse(evidence.trace, evidence.entries, locations)
    begin, end = analysis.tree.wait
    slow = analysis.verdict if (end - begin) / 1e6 >= SLOW_MS else None
    said = f"; slow: {slow.sentence}" if slow else ""
    return f"{len(evidence.trace.spans)} spans of {', '.join(expected)}{said}"


def _parents(evidence: Evidence, probe: Probe) -> Check:
    orphans = evidence.orphans(probe)
    if not orphans:
        return Check("parents", True, "every span has its parent, in one trace")
    named = ", ".join(sorted({f"{span.service} {span.name}" for span in orphans}))
    return Check(
        "parents",
        False,
        f"{len(orphans)} spans name a parent that is not in the trace: {named}.",
        "a service that takes the platform's span for its caller's is marked public although it is not, or a process was "
        "killed before its spans left: see docs/decisions/0001",
    )


def _remedy(deployment: Deployment, probe: Probe, console: str) -> str:
    name, also = probe.service.name, _left_out(deployment, probe)
    if probe.status in (401, 403) and not probe.service.public:
        return (
            f"{name} is private and no ID token of yours opens it: be a service account with roles/run.invoker on it"
            f"{also or f', or set services.{name}.public in {deployment.file}'}"
        )
    if probe.status in (401, 403):
        return f"let allUsers invoke it, or set services.{name}.invoker_iam_disabled where your organisation forbids that"
    if probe.status == 404 and probe.service.ingress != "all":
        return f"verify from where its ingress ({probe.service.ingress}) lets you in{also}"
    if probe.status == 404:
        return f'name a request that the service knows: --expect {name} --request "GET /path"{also}'
    return f"see why: {_logs_hint(deployment, probe, console)}"


def _left_out(deployment: Deployment, probe: Probe) -> str:
    """How a service that no request to an entry leads to is left unverified, as the end of a remedy; else ""."""
    others = [door for door in deployment.doors() if door.name != probe.service.name]
    if not others or probe.service in deployment.entries():
        return ""
    names = dict.fromkeys(name for door in others for name in deployment.along_calls(door.name))
    return f"; or name it in the `calls` of who calls it; or verify without it: --expect {','.join(names)}"


def _logs_hint(deployment: Deployment, probe: Probe, console: str) -> str:
    where = f" --endpoint {console}" if deployment.is_local else f" --project {deployment.project}"
    return f"`.venv/bin/blueprint explain {probe.trace_id}{where}`, and the log of {probe.service.run_name}"


def sends_elsewhere(deployment: Deployment, expected: Sequence[str]) -> str:
    """For exporter otlp: where spans go, as only a collector that passes them on brings them to Cloud Trace; else ""."""
    if deployment.exporter != "otlp":
        return ""
    places = {
        destination(deployment.services[name], "otlp")[1] or "http://localhost:4318" for name in expected
    }
    return f"; spans go to {', '.join(sorted(places))}, and arrive here only if that passes them on"
