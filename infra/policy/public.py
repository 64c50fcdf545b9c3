"""Rules: strangers reach only what is marked public. The mark is the service's own variable SERVICE_PUBLIC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from infra.policy.cloudrun import SERVICE, services, variable
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Finding, Undecided, Violation, judge
from infra.policy.grants import PUBLIC, members

INVOKER_ROLE = "roles/run.invoker"
INVOKERS = (
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember",
    "gcp:cloudrunv2/serviceIamBinding:ServiceIamBinding",
)
_MARK = "template.containers.envs.SERVICE_PUBLIC"
_REMEDY = "set public for the service, or name the accounts that may call it"


def public_members(resource: Declared, env: str) -> Iterator[Finding]:
    """Nothing but a Cloud Run service's invoker role is given to allUsers or allAuthenticatedUsers."""
    if _is_invoker(resource):
        return
    for path, member in members(resource).items():
        must, remedy = "an account, a group or a domain", "name who needs it"
        yield from judge(resource, path, member, _is_no_stranger, must, remedy)


def _is_no_stranger(member: Any) -> bool:
    return member not in PUBLIC


def _is_invoker(resource: Declared) -> bool:
    return resource.type in INVOKERS and resource.at("role") == INVOKER_ROLE


def public_services(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """Strangers may invoke only Cloud Run services that are marked public."""
    marks = {service.at("name"): variable(service, "SERVICE_PUBLIC") for service in services(resources)}
    for grant in filter(_is_invoker, resources):
        # Google reports the name of an existing grant's service in full: projects/…/services/NAME.
        mark = marks.get(str(grant.at("name")).rpartition("/")[2])
        for path, member in members(grant).items():
            if mark == "true" or not (member is UNKNOWN or member in PUBLIC):
                continue
            if UNKNOWN in (mark, member, grant.at("name")):
                yield Undecided(grant, path)
            else:
                must = f"a service account, as {grant.at('name')} is not marked public"
                yield Violation(grant, path, member, must, _REMEDY)


def invoker_check(resource: Declared, env: str) -> Iterator[Finding]:
    """The check of callers (invoker_iam_disabled) is switched off only for Cloud Run services that are marked public."""
    if resource.type != SERVICE:
        return
    switch = resource.at("invokerIamDisabled")
    if switch is UNKNOWN:
        yield Undecided(resource, "invokerIamDisabled")
    elif switch:
        mark = variable(resource, "SERVICE_PUBLIC")
        yield from judge(resource, _MARK, mark, _is_marked, '"true" with invoker_iam_disabled', _REMEDY)


def _is_marked(value: Any) -> bool:
    return bool(value == "true")
