"""Rules: strangers reach only what is marked public. The mark is the service's own variable SERVICE_PUBLIC."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from infra.policy.cloudrun import SERVICE, services, variable
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Finding, Undecided, Violation, expect, judge
from infra.policy.grants import is_public, members, policy_is_public

INVOKER_ROLE = "roles/run.invoker"
INVOKERS = (
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember",
    "gcp:cloudrunv2/serviceIamBinding:ServiceIamBinding",
)
_FULL = re.compile(r"projects/[^/]+/locations/([^/]+)/services/([^/]+)")
_MARK = "template.containers.envs.SERVICE_PUBLIC"
_REMEDY = "set public for the service, or name the accounts that may call it"


def public_members(resource: Declared, env: str) -> Iterator[Finding]:
    """Nothing but a Cloud Run service's invoker role is given to allUsers or allAuthenticatedUsers."""
    if _is_invoker(resource):
        return
    must, remedy = "an account, a group or a domain", "name who needs it"
    for path, member in members(resource).items():
        yield from judge(resource, path, member, _is_no_stranger, must, remedy)
    if resource.at("policyData") is not None:
        must = "a policy in JSON without allUsers and allAuthenticatedUsers"
        yield from expect(resource, "policyData", _is_closed, must, remedy)


def _is_no_stranger(member: Any) -> bool:
    return not is_public(member)


def _is_closed(policy: Any) -> bool:
    return not policy_is_public(policy)


def _is_invoker(resource: Declared) -> bool:
    return resource.type in INVOKERS and resource.at("role") == INVOKER_ROLE


def public_services(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """Strangers may invoke only Cloud Run services that are marked public, each in its own region."""
    for grant in filter(_is_invoker, resources):
        marks = _marks(grant, services(resources))
        for path, member in members(grant).items():
            if marks == {"true"} or not (member is UNKNOWN or is_public(member)):
                continue
            if UNKNOWN in (*marks, member, grant.at("name")):
                yield Undecided(grant, path)
            else:
                must = f"a service account, as {grant.at('name')} is not marked public"
                yield Violation(grant, path, member, must, _REMEDY)


def _marks(grant: Declared, declared: Sequence[Declared]) -> set[Any]:
    """The marks of the services that a grant may be about; UNKNOWN among them where it cannot be told which those are.

    Google reports the name of an existing grant's service in full: projects/…/locations/REGION/services/NAME.
    """
    found = _FULL.fullmatch(str(grant.at("name")))
    name, region = (found[2], found[1]) if found else (grant.at("name"), grant.at("location"))
    marks: set[Any] = set()
    for service in declared:
        fits = [_fits(service.at("name"), name), _fits(service.at("location"), region)]
        if UNKNOWN in fits and False not in fits:
            marks.add(UNKNOWN)
        elif all(fits):
            marks.add(variable(service, "SERVICE_PUBLIC"))
    return marks


def _fits(one: Any, other: Any) -> Any:
    """Whether both are the same; what is left out is the provider's own, so it may be any."""
    if UNKNOWN in (one, other):
        return UNKNOWN
    return None in (one, other) or one == other


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
