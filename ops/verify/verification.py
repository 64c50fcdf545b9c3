"""One verification of a deployment, whole: a request to each entry, its evidence, and the checks. Prints nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from infra import links
from ops.checks import Check
from ops.deployment import Deployment, Service
from ops.errors import OperatorError
from ops.google import Google
from ops.verify.checks import kept, not_verified, of_trace, reachable, sends_elsewhere
from ops.verify.identity import id_token
from ops.verify.probe import Probe, Request, request_for, send
from ops.verify.standing import alert_policies, bucket_locations, locations_of
from ops.verify.waiting import wait


@dataclass(frozen=True)
class Wish:
    """What the operator asks for: a request, the services that it reaches (none: what the stack says), seconds to wait."""

    request: str = ""
    expect: tuple[str, ...] = ()
    timeout: float = 60.0

    @property
    def document(self) -> bool:
        """Whether entries of the example are sent its document."""
        return not self.request


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
    asked, locations = _asked(deployment, wish), locations_of(google, deployment, wish.timeout)
    known = {name: location for name, location in locations.items() if isinstance(location, str)}
    for service, request in _requests(deployment, asked, wish.request):
        probe, found = _of_request(google, deployment, service, request, wish, known)
        suffix = f" ({service.name})" if len(asked) > 1 else ""
        checks += [replace(check, name=check.name + suffix) for check in found]
        pages += [(f"{title}{suffix}", page) for title, page in _pages(google, deployment, probe)]
    checks += [alert_policies(google, deployment, wish.timeout), bucket_locations(deployment, locations)]
    return Verification(checks, pages)


def _of_request(
    google: Google,
    deployment: Deployment,
    service: Service,
    request: Request,
    wish: Wish,
    locations: Mapping[str, str],
) -> tuple[Probe, list[Check]]:
    expected = _expected(deployment, service, request, wish)
    token = google.owner_token if deployment.is_local else id_token
    probe = send(deployment, service, request, timeout=wish.timeout, token=token)
    keeps = kept(deployment)
    told = replace(keeps, detail=keeps.detail + sends_elsewhere(deployment, expected))
    checks = [reachable(deployment, probe, google.console), told]
    # Cloud Run's front end refused it, or nobody answered: there is nothing to follow. By its ingress it refuses with 404
    # (docs.cloud.google.com/run/docs/securing/ingress).
    refusals = (401, 403) if service.ingress == "all" else (401, 403, 404)
    refused = probe.status in refusals and not probe.told
    if refused and service not in deployment.entries() and service.name not in wish.expect:
        return probe, [not_verified(probe)]
    if refused or not probe.status:
        return probe, checks
    evidence = wait(google, deployment, probe, expected, traced=told.ok, timeout=wish.timeout)
    found = of_trace(deployment, probe, evidence, expected, locations)
    return probe, checks + [check for check in found if told.ok or check.name == "logs"]


def _asked(deployment: Deployment, wish: Wish) -> list[Service]:
    """Without `expect` the entries and whatever they do not lead to; else those that are named or lead to a named one."""
    doors, expect = deployment.doors(document=wish.document), wish.expect
    if not expect:
        return doors
    led = {door.name: {*deployment.along_calls(door.name, document=wish.document)} for door in doors}
    named = [door for door in doors if door.name in expect]
    left = {*expect}.difference(*(led[door.name] for door in named))
    return [door for door in doors if door in named or left & led[door.name]]


def _requests(deployment: Deployment, asked: Sequence[Service], wish: str) -> list[tuple[Service, Request]]:
    """What each is asked. `--request` is for the entries; for others only if no entry is asked."""
    entries = [service for service in asked if service in deployment.entries()] or asked
    return [(service, request_for(service, wish if service in entries else "")) for service in asked]


def _expected(deployment: Deployment, service: Service, request: Request, wish: Wish) -> list[str]:
    """Nearest first: those named; else all that calls lead to, but for `/`, which a service answers by itself."""
    reached = deployment.along_calls(service.name, document=wish.document)
    if wish.expect:
        return [name for name in reached if name in (service.name, *wish.expect)]
    return [service.name] if request.path.partition("?")[0] == "/" else reached


def _require_known(deployment: Deployment, expect: Sequence[str]) -> None:
    for name in expect:
        if name not in deployment.services:
            raise OperatorError(
                f"--expect names {name!r}, which stack {deployment.stack!r} does not have; "
                f"there are {', '.join(sorted(deployment.services))}."
            )


def _pages(google: Google, deployment: Deployment, probe: Probe) -> list[tuple[str, str]]:
    """Of a local cloud its own page; of Google the console's. Inferred: the console's address of one trace."""
    if deployment.is_local:
        return [("trace", f"{google.console}/traces/{probe.trace_id}")]
    project = deployment.project
    query = f'trace="projects/{project}/traces/{probe.trace_id}"'
    return [
        (
            "trace",
            f"https://console.cloud.google.com/traces/explorer;traceId={probe.trace_id}?project={project}",
        ),
        ("logs", links.logs(project, query)),
    ]
