"""Rules: a custom role is read before it is given, to whom, and with what limit. What it may hold: permissions.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from infra.policy.cloudrun import account, workloads
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Finding, Undecided, Violation, expect
from infra.policy.grants import account_of, project_members
from infra.policy.permissions import CUSTOM_ROLE, permissions
from infra.policy.roles import GEMINI_ROLE, TRACE_ROLE, added_roles, is_custom

GIVEN_ON_PROJECT = frozenset({TRACE_ROLE, GEMINI_ROLE})
GIVEN_ON_RESOURCES = frozenset(
    {"roles/run.invoker", "roles/secretmanager.secretAccessor", "roles/storage.objectUser"}
)
"""What a role that gives roles may give besides what is added, as in infra/deployer.py; tests/infra/test_policy_pack.py
compares them."""

_GIVING = ".setIamPolicy"
_ROLE = r"'[\w./-]+'"
_LIMIT = re.compile(
    r"api\.getAttribute\('iam\.googleapis\.com/modifiedGrantsByRole', ?\[\]\)"
    rf"\.hasOnly\(\[({_ROLE}(?:, ?{_ROLE})*)\]\)"
)


def custom_roles(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """A custom role on the project is declared in the same stack, and given only to accounts that nothing runs as."""
    ids = {role.at("roleId") for role in resources if role.type == CUSTOM_ROLE}
    users = {account(workload): workload.name for workload in workloads(resources)}
    for grant in project_members(resources):
        role, member = grant.at("role"), grant.at("member")
        if role is UNKNOWN or (is_custom(role) and UNKNOWN in ids and _id(role) not in ids):
            yield Undecided(grant, "role")
        elif is_custom(role) and _id(role) not in ids:
            must, remedy = "a role of this stack", "declare it here with its permissions"
            yield Violation(grant, "role", role, must, remedy)
        elif is_custom(role) and account_of(member) in users:
            must = f"an account that nothing runs as, unlike that of {users[account_of(member)]}"
            remedy = "give what runs its roles on the bucket, service or secret"
            yield Violation(grant, "member", member, must, remedy)
        elif is_custom(role) and (member is UNKNOWN or UNKNOWN in users):
            yield Undecided(grant, "member")


def limited_grants(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """A custom role that gives roles is itself given with a condition on modifiedGrantsByRole, which names roles of the program."""
    limits = {role.at("roleId"): _limits(role) for role in resources if role.type == CUSTOM_ROLE}
    path = "condition.expression"
    for grant in project_members(resources):
        role = grant.at("role")
        if role is UNKNOWN:
            yield Undecided(grant, "role")
            continue
        other = UNKNOWN if UNKNOWN in limits else None
        limit = limits.get(_id(role), other) if is_custom(role) else None
        if limit is UNKNOWN:
            yield Undecided(grant, path)
        elif limit is not None:
            must = f"the condition that it gives only {', '.join(sorted(limit))}"
            remedy = "write api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([…])"
            yield from expect(grant, path, partial(_is_within, limit), must, remedy)


def _limits(role: Declared) -> Any:
    """The roles that its holder may give; None if it gives none."""
    held = permissions(role)
    giving = {permission for permission in held if str(permission).endswith(_GIVING)}
    if UNKNOWN in held:
        return UNKNOWN
    if not giving:
        return None
    wide = "resourcemanager.projects.setIamPolicy" in giving
    return (GIVEN_ON_PROJECT if wide else GIVEN_ON_RESOURCES) | added_roles(wide)


def _is_within(limit: frozenset[str], expression: Any) -> bool:
    found = _LIMIT.fullmatch(str(expression))
    return found is not None and set(re.findall(r"[^', ]+", found[1])) <= limit


def _id(role: str) -> str:
    return role.rpartition("/")[2]
