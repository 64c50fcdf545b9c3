"""One verification of a deployment, whole: a request to each entry, its evidence, and the checks. Prints nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from infra import links
from ops.checks import Check
from ops.deployment import Deployment, Service
from ops.errors import OperatorError
from ops.google import Google
from ops.verify.checks import SILENT, kept, of_trace, reachable, sends_elsewhere
from ops.verify.probe import Probe, Request, request_for, send
from ops.verify.standing import alert_policies, bucket_locations, locations_of
from ops.verify.waiting import wait


@dataclass(frozen=True)
class Wish:
    """What the operator asks for: a request, the services that it reaches (none: what the stack says), seconds to wait."""

    request: str = ""
    expect: tuple[str, ...] = ()
    timeout: float = 60.0


@dataclass(frozen=True)
class Verification:
    """The checks, and where people look on: title and address."""

    checks: Sequence[Check]
    pages: Sequence[tuple[str, str]]


def verification(google: Google, deployment: Deployment, wish: Wish) -> Verification:
    """Send, wait, judge. Raises `OperatorError` for a wish that cannot be granted."""
    _require_known(deployment, wish.expect)
    checks: list[Check] = []
    pages: list[tuple[str, str]] = []
    entries, locations = _asked(deployment, wish.expect), locations_of(google, deployment)
    for service in entries:
        probe, found = _of_entry(google, deployment, service, wish, locations)
        suffix = f" ({service.name})" if len(entries) > 1 else ""
        checks += [replace(check, name=check.name + suffix) for check in found]
        pages += [(f"{title}{suffix}", page) for title, page in _pages(google, deployment, probe)]
    checks += [alert_policies(google, deployment), bucket_locations(deployment, locations)]
    return Verification(checks, pages)


def _of_entry(
    google: Google,
    deployment: Deployment,
    service: Service,
    wish: Wish,
    locations: Mapping[str, str | None],
) -> tuple[Probe, list[Check]]:
    request = request_for(service, wish.request)
    expected = _expected(deployment, service, request, wish.expect)
    probe = send(deployment, service, request, timeout=wish.timeout)
    keeps = kept(deployment)
    told = replace(keeps, detail=keeps.detail + sends_elsewhere(deployment, expected))
    checks = [reachable(deployment, probe), told]
    # Cloud Run's front end refused it, or nobody answered: there is nothing to follow.
    if not probe.status or (probe.status in (401, 403) and not probe.told):
        return probe, checks
    traced = told.ok and deployment.exporter not in SILENT
    evidence = wait(google, deployment, probe, expected, traced=traced, timeout=wish.timeout)
    found = of_trace(deployment, probe, evidence, expected, locations)
    return probe, checks + [check for check in found if traced or check.name == "logs"]


def _asked(deployment: Deployment, expect: Sequence[str]) -> list[Service]:
    """The entries that are named; without any, all."""
    entries = deployment.entries()
    return [service for service in entries if service.name in expect] or entries


def _expected(deployment: Deployment, service: Service, request: Request, expect: Sequence[str]) -> list[str]:
    """Nearest first: those named; else all that calls lead to, but for `/`, which a service answers by itself."""
    reached = deployment.along_calls(service.name)
    if expect:
        return [name for name in reached if name in (service.name, *expect)]
    return [service.name] if request.path.partition("?")[0] == "/" else reached


def _require_known(deployment: Deployment, expect: Sequence[str]) -> None:
    reached = {name for service in deployment.entries() for name in deployment.along_calls(service.name)}
    for name in expect:
        if name not in reached:
            raise OperatorError(
                f"--expect names {name!r}, which no request to stack {deployment.stack!r} reaches along calls; "
                f"there are {', '.join(sorted(reached))}."
            )


def _pages(google: Google, deployment: Deployment, probe: Probe) -> list[tuple[str, str]]:
    """Of a local cloud its own page; of Google the console's. Inferred: the console's address of one trace."""
    if deployment.is_local:
        return [("trace", f"{google.console}/traces/{probe.trace_id}")]
    project = google.project
    query = f'trace="projects/{project}/traces/{probe.trace_id}"'
    return [
        (
            "trace",
            f"https://console.cloud.google.com/traces/explorer;traceId={probe.trace_id}?project={project}",
        ),
        ("logs", links.logs(project, query)),
    ]
