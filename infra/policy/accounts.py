"""Rules: each workload of Cloud Run has an account of its own, and nobody can borrow it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from infra.policy import additions
from infra.policy.cloudrun import TEMPLATES, account, account_path, workloads
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Finding, Undecided, Violation, expect, judge
from infra.policy.grants import account_of
from infra.policy.project import ACCOUNT, addresses

# Accounts that people made are `ID@PROJECT.iam.gserviceaccount.com`. The default ones, of Compute Engine and of App Engine,
# end otherwise, and have the role Editor unless an organisation forbids it
# (docs.cloud.google.com/iam/docs/service-account-types).
_MADE = re.compile(r"^[^@\s]+@[^@\s]+\.iam\.gserviceaccount\.com\Z", re.IGNORECASE)
_REMEDY = "give each service, job and worker pool an account of its own"

ACCOUNT_MEMBER = "gcp:serviceaccount/iAMMember:IAMMember"
FEDERATED_ROLE = "roles/iam.workloadIdentityUser"
ACTING_ROLE = "roles/iam.serviceAccountUser"
_ONE_OF_POOL = re.compile(
    r"principal(?:Set)?://iam\.googleapis\.com/"
    r"(projects/[^/]+/locations/global/workloadIdentityPools/[^/]+)/(?:subject|group|attribute\.\w+)/[^*]+"
)
_POOLS = ("principal://", "principalSet://")


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
    """A service account may be used by a workload identity pool's members, and by an account of its project that deploys with it."""
    if resource.type != ACCOUNT_MEMBER:
        return
    role = resource.at("role")
    must = f"{FEDERATED_ROLE} or {ACTING_ROLE}"
    yield from judge(resource, "role", role, _may_be_given, must, "give no role that makes tokens or keys")
    if role == FEDERATED_ROLE:
        must = "one subject, group or attribute of a pool, not whoever is in it"
        remedy = f"name the attribute.purpose, or use {ACTING_ROLE} to deploy with the account"
        yield from expect(resource, "member", _is_one_of_pool, must, remedy)
    elif role == ACTING_ROLE:
        yield from _judged_actor(resource)


def _judged_actor(grant: Declared) -> Iterator[Finding]:
    """Before it is given: the rules over the whole stack come when it has been."""
    member, used = grant.at("member"), grant.at("serviceAccountId")
    must, remedy = "a service account that is no default account", "let CI's account deploy, not a person"
    yield from expect(grant, "member", _is_made_account, must, remedy)
    if _is_made_account(member) and member not in additions.MEMBERS:
        same = UNKNOWN if used is UNKNOWN else _domain(used) == _domain(member)
        must = "of the project of the account that it deploys with"
        remedy = "deploy from there, or name the member with a reason in infra/policy/additions.py"
        if same is UNKNOWN:
            yield Undecided(grant, "serviceAccountId")
        elif not same:
            yield Violation(grant, "member", member, must, remedy)


def _domain(address: Any) -> str:
    return str(address).rpartition("@")[2].lower()


def _may_be_given(role: Any) -> bool:
    return role in (FEDERATED_ROLE, ACTING_ROLE)


def pool_of(member: Any) -> str | None:
    """The pool that a member of a role is one of; None if it is none, or all of one."""
    found = _ONE_OF_POOL.fullmatch(str(member))
    return found[1] if found else None


def _is_one_of_pool(member: Any) -> bool:
    return pool_of(member) is not None


def is_federated(member: Any) -> bool:
    """Whether a member of a role comes from a workload identity pool."""
    return isinstance(member, str) and member.startswith(_POOLS)


def _is_made_account(member: Any) -> bool:
    return is_account(member) and _was_made(account_of(member))


def is_account(member: Any) -> bool:
    """Whether a member of a role is a service account."""
    return isinstance(member, str) and member.startswith("serviceAccount:")


def acting_accounts(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """Who deploys with a service account is nothing that Cloud Run runs: whoever broke in there would be two accounts."""
    users = {account(workload): workload.name for workload in workloads(resources)}
    for grant in resources:
        if grant.type != ACCOUNT_MEMBER or grant.at("role") not in (ACTING_ROLE, UNKNOWN):
            continue
        member = grant.at("member")
        if account_of(member) in users and grant.at("role") == ACTING_ROLE:
            must = f"an account that nothing runs as, unlike that of {users[account_of(member)]}"
            yield Violation(grant, "member", member, must, "deploy with an account of CI's own")
        elif UNKNOWN in (grant.at("role"), member, *users):
            yield Undecided(grant, "member")


def used_accounts(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """Only accounts that the stack declares are opened to a pool, or used to deploy: another one may have any role."""
    own = addresses(resources)
    for grant in resources:
        used = grant.at("serviceAccountId")
        if grant.type != ACCOUNT_MEMBER or (used is not UNKNOWN and account_of(_last(used)) in own):
            continue
        if used is UNKNOWN or UNKNOWN in own:
            yield Undecided(grant, "serviceAccountId")
        else:
            must = "an account of this stack, by its address"
            yield Violation(grant, "serviceAccountId", used, must, "declare the account here")


def _last(path: Any) -> str:
    return str(path).rpartition("/")[2]


def new_accounts(resource: Declared, env: str) -> Iterator[Finding]:
    """A service account that the stack declares is made by it, not one that was there with whatever roles it had."""
    if resource.type == ACCOUNT:
        path, remedy = "createIgnoreAlreadyExists", "choose another accountId if this one is taken"
        yield from expect(resource, path, _is_off, "false", remedy)


def _is_off(value: Any) -> bool:
    return value in (None, False)
