"""Rules: nobody gets a role on the whole project that could be given on something smaller."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from infra.policy.cloudrun import ACCOUNT, services, variable
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Finding, Undecided, Violation, expect
from infra.policy.grants import PROJECT_MEMBER, is_wide

TRACE_ROLE = "roles/cloudtrace.agent"
GEMINI_ROLE = "roles/aiplatform.user"
CUSTOM_ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
_CUSTOM = re.compile(r"^projects/[^/]+/roles/[^/]+$")


def project_roles(resource: Declared, env: str) -> Iterator[Finding]:
    """On the project there is the trace writer's role, that of Gemini's users, and custom roles; on anything wider, none."""
    if not is_wide(resource):
        return
    if resource.type != PROJECT_MEMBER:
        must = "an IAMMember of the project"
        remedy = "give one role to one account: bindings and policies take away what others gave"
        yield Violation(resource, "type", resource.type, must, remedy)
        return
    must = f"{TRACE_ROLE}, {GEMINI_ROLE} or a custom role of the project"
    yield from expect(
        resource, "role", _may_be_wide, must, "give the role on the bucket, service or secret instead"
    )


def _may_be_wide(role: Any) -> bool:
    return role in (TRACE_ROLE, GEMINI_ROLE) or _is_custom(role)


def _is_custom(role: Any) -> bool:
    return isinstance(role, str) and bool(_CUSTOM.match(role))


def gemini_role(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """Only the account of a service that names a Gemini model has the role of Gemini's users."""
    grants = [grant for grant in _members(resources) if grant.at("role") == GEMINI_ROLE]
    users = [service for service in services(resources) if variable(service, "GEMINI_MODEL")]
    accounts = {service.at(ACCOUNT) for service in users}
    for grant in grants:
        member = grant.at("member")
        if member is UNKNOWN or (UNKNOWN in accounts and _account(member) not in accounts):
            yield Undecided(grant, "member")
        elif _account(member) not in accounts:
            remedy = "remove the grant, or set GEMINI_MODEL for the service that needs it"
            yield Violation(grant, "member", member, "the account of a service with GEMINI_MODEL", remedy)


def custom_roles(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """A custom role that is given on the project is declared in the same stack, where its permissions can be read."""
    ids = {role.at("roleId") for role in resources if role.type == CUSTOM_ROLE}
    for grant in _members(resources):
        role = grant.at("role")
        if role is UNKNOWN:
            yield Undecided(grant, "role")
        elif _is_custom(role) and role.rpartition("/")[2] not in ids:
            yield Violation(
                grant, "role", role, "a role of this stack", "declare it here with its permissions"
            )


def _members(resources: Sequence[Declared]) -> list[Declared]:
    return [resource for resource in resources if resource.type == PROJECT_MEMBER]


def _account(member: Any) -> str:
    return str(member).removeprefix("serviceAccount:")
