"""Rules: each workload of Cloud Run has an account of its own, and nobody can borrow it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from infra.policy.cloudrun import TEMPLATES, account, account_path, workloads
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Finding, Undecided, Violation, expect, judge

# Accounts that people made are `ID@PROJECT.iam.gserviceaccount.com`. The default ones, of Compute Engine and of App Engine,
# end otherwise, and have the role Editor unless an organisation forbids it
# (docs.cloud.google.com/iam/docs/service-account-types).
_MADE = re.compile(r"^[^@\s]+@[^@\s]+\.iam\.gserviceaccount\.com\Z", re.IGNORECASE)
_REMEDY = "give each service, job and worker pool an account of its own"

ACCOUNT_MEMBER = "gcp:serviceaccount/iAMMember:IAMMember"
FEDERATED_ROLE = "roles/iam.workloadIdentityUser"
ACTING_ROLE = "roles/iam.serviceAccountUser"
_FEDERATED = ("principal://", "principalSet://")


def own_account(resource: Declared, env: str) -> Iterator[Finding]:
    """What Cloud Run runs has an account that was made for it, not one that Google made for the project."""
    if resource.type in TEMPLATES:
        must = "a service account that is no default account"
        yield from expect(resource, account_path(resource), _was_made, must, _REMEDY)


def _was_made(value: Any) -> bool:
    return isinstance(value, str) and bool(_MADE.match(value.rpartition("/")[2]))


def unshared_account(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """No two services, jobs or worker pools of Cloud Run run as the same account."""
    users: dict[str, str] = {}
    for workload in workloads(resources):
        found = account(workload)
        if found is UNKNOWN:
            yield Undecided(workload, account_path(workload))
        elif found in users:
            must = f"another account than that of {users[found]}"
            yield Violation(workload, account_path(workload), found, must, _REMEDY)
        elif found is not None:
            users[found] = workload.name


def account_members(resource: Declared, env: str) -> Iterator[Finding]:
    """A service account may be used by a workload identity pool's members, and by an account that deploys with it."""
    if resource.type != ACCOUNT_MEMBER:
        return
    role = resource.at("role")
    must = f"{FEDERATED_ROLE} or {ACTING_ROLE}"
    yield from judge(resource, "role", role, _may_be_given, must, "give no role that makes tokens or keys")
    if role == FEDERATED_ROLE:
        must, remedy = (
            "a principal or principalSet of a pool",
            f"use {ACTING_ROLE} to deploy with the account",
        )
        yield from expect(resource, "member", _is_federated, must, remedy)
    elif role == ACTING_ROLE:
        must, remedy = "a service account", "let CI's account deploy, not a person"
        yield from expect(resource, "member", is_account, must, remedy)


def _may_be_given(role: Any) -> bool:
    return role in (FEDERATED_ROLE, ACTING_ROLE)


def _is_federated(member: Any) -> bool:
    return isinstance(member, str) and member.startswith(_FEDERATED)


def is_account(member: Any) -> bool:
    """Whether a member of a role is a service account."""
    return isinstance(member, str) and member.startswith("serviceAccount:")
