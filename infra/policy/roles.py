"""Rules: nobody gets a role on the whole project that could be given on something smaller. Custom roles: custom.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from infra.policy import additions
from infra.policy.accounts import ACCOUNT_MEMBER, is_account
from infra.policy.cloudrun import account, services, variable
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Finding, Undecided, Violation, expect
from infra.policy.grants import PROJECT_MEMBER, account_of, is_grant, is_wide, project_members

TRACE_ROLE = "roles/cloudtrace.agent"
GEMINI_ROLE = "roles/aiplatform.user"
ON_RESOURCES = {
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": "roles/artifactregistry.writer",
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": "roles/run.invoker",
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": "roles/cloudkms.cryptoKeyEncrypterDecrypter",
    "gcp:secretmanager/secretIamMember:SecretIamMember": "roles/secretmanager.secretAccessor",
    "gcp:storage/bucketIAMMember:BucketIAMMember": "roles/storage.objectUser",
}
"""The role that each type gives, on one resource; those on service accounts: accounts.py."""
_OR_ADD = ", or name it with a reason in infra/policy/additions.py"
_BASIC = ("roles/owner", "roles/editor", "roles/viewer")
"""They hold thousands of permissions, and no reason is good enough (docs.cloud.google.com/iam/docs/roles-overview)."""
_CUSTOM = re.compile(r"^projects/[^/]+/roles/[^/]+$")


def project_roles(resource: Declared, env: str) -> Iterator[Finding]:
    """On the project service accounts have the trace writer's role, that of Gemini's users, and custom roles; on anything wider, none."""
    if not is_wide(resource):
        return
    if resource.type != PROJECT_MEMBER:
        must = "an IAMMember of the project"
        remedy = "give one role to one account: bindings and policies take away what others gave"
        yield Violation(resource, "type", resource.type, must, remedy)
        return
    must = f"{TRACE_ROLE}, {GEMINI_ROLE} or a custom role of the project"
    where = f"give the role on the bucket, service or secret instead{_OR_ADD}"
    yield from expect(resource, "role", _may_be_wide, must, where)
    remedy = "give people their roles outside the stack"
    yield from expect(resource, "member", is_account, "a service account", remedy)


def _may_be_wide(role: Any) -> bool:
    return role in (TRACE_ROLE, GEMINI_ROLE) or is_custom(role) or _is_added(PROJECT_MEMBER, role)


def _is_added(kind: str, role: Any) -> bool:
    return role not in _BASIC and (kind, str(role)) in additions.ROLES


def added_roles(wide: bool) -> frozenset[str]:
    """What somebody gave a reason for, on the project (`wide`) or on one resource: basic roles and those on accounts never."""
    return frozenset(
        role
        for kind, role in additions.ROLES
        if role not in _BASIC and kind != ACCOUNT_MEMBER and (kind == PROJECT_MEMBER) is wide
    )


def is_custom(role: Any) -> bool:
    """Whether it names a custom role of a project."""
    return isinstance(role, str) and bool(_CUSTOM.match(role))


def resource_roles(resource: Declared, env: str) -> Iterator[Finding]:
    """On a service, secret, bucket, registry or key only the one role is given that the program gives there."""
    if not is_grant(resource) or is_wide(resource) or resource.type == ACCOUNT_MEMBER:
        return
    given = ON_RESOURCES.get(resource.type)
    must = given or "a role that the rules know"
    allowed = partial(_may_be_given, resource.type)
    yield from expect(resource, "role", allowed, must, f"give no more{_OR_ADD}")


def _may_be_given(kind: str, role: Any) -> bool:
    return isinstance(role, str) and (ON_RESOURCES.get(kind) == role or _is_added(kind, role))


def gemini_role(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """Only the account of a service that names a Gemini model has the role of Gemini's users."""
    grants = [grant for grant in project_members(resources) if grant.at("role") == GEMINI_ROLE]
    accounts = {account(service) for service in services(resources) if variable(service, "GEMINI_MODEL")}
    for grant in grants:
        member = grant.at("member")
        if member is UNKNOWN or (UNKNOWN in accounts and account_of(member) not in accounts):
            yield Undecided(grant, "member")
        elif account_of(member) not in accounts:
            remedy = "remove the grant, or set GEMINI_MODEL for the service that needs it"
            yield Violation(grant, "member", member, "the account of a service with GEMINI_MODEL", remedy)
