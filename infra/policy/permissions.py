"""Rule: a custom role has no permission but those that the program asks for, or that somebody gave a reason for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from infra.policy import additions
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Finding, judge

CUSTOM_ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"

_WHOLE = ("create", "delete", "get", "update")
_GIVING = ("getIamPolicy", "setIamPolicy")
_ASKED: dict[str, tuple[str, ...]] = {
    "artifactregistry.repositories": (*_WHOLE, "getIamPolicy"),
    "cloudkms.cryptoKeys": ("getIamPolicy",),
    "cloudtrace.traces": ("get",),
    "iam.roles": ("get",),
    "iam.serviceAccounts": (*_WHOLE, "getIamPolicy"),
    "iam.workloadIdentityPoolProviders": ("get",),
    "iam.workloadIdentityPools": ("get", "getAttestationRules"),
    "logging.logEntries": ("list",),
    "logging.logMetrics": _WHOLE,
    "logging.notificationRules": _WHOLE,
    "monitoring.alertPolicies": (*_WHOLE, "list"),
    "monitoring.dashboards": _WHOLE,
    "monitoring.notificationChannels": _WHOLE,
    "monitoring.services": _WHOLE,
    "monitoring.slos": _WHOLE,
    "resourcemanager.projects": ("get", *_GIVING),
    "run.operations": ("get",),
    "run.services": (*_WHOLE, *_GIVING),
    "secretmanager.secrets": _GIVING,
    "serviceusage.operations": ("get",),
    "serviceusage.services": ("enable", "get", "list"),
    "storage.anywhereCaches": ("list",),
    "storage.buckets": (*_WHOLE, *_GIVING),
    "storage.objects": ("delete", "list"),
}
ASKED = frozenset(f"{kind}.{verb}" for kind, verbs in _ASKED.items() for verb in verbs)
"""As in infra/deployer.py; tests/infra/test_policy_pack.py compares them."""

EVERYTHING = re.compile(
    r"iam\.serviceAccounts\.(actAs|getAccessToken|getOpenIdToken|implicitDelegation|setIamPolicy|signBlob|signJwt)"
    r"|iam\.serviceAccountKeys\.(create|upload)"
    r"|iam\.roles\.(update|undelete)"
    r"|iam\.workloadIdentityPool(s|Providers)\.(create|update|undelete|setIamPolicy)"
    r"|resourcemanager\.(folders|organizations)\.setIamPolicy"
    r"|storage\.hmacKeys\.create"
)
"""On a project, each of these is a way to be any account of it, or to add to one's own role
(docs.cloud.google.com/iam/docs/service-account-permissions). No reason lets them pass."""


def role_permissions(resource: Declared, env: str) -> Iterator[Finding]:
    """A custom role has only permissions that the program asks for: none lets its holder be any account, or change roles."""
    if resource.type != CUSTOM_ROLE:
        return
    for index, permission in enumerate(permissions(resource)):
        path = "permissions" if permission is UNKNOWN else f"permissions.{index}"
        if EVERYTHING.fullmatch(str(permission)):
            must = "a permission that does not give all others"
            remedy = "take it out, and give the like on one service account where it is needed"
        else:
            must = "a permission that the program asks for"
            remedy = "take it out, or name it with a reason in infra/policy/additions.py"
        yield from judge(resource, path, permission, _is_narrow, must, remedy)


def permissions(role: Declared) -> list[Any]:
    """What a custom role holds, UNKNOWN among it where that cannot be told."""
    found = role.at("permissions")
    return [UNKNOWN] if found is UNKNOWN else list(found or [])


def _is_narrow(permission: Any) -> bool:
    allowed = permission in ASKED or permission in additions.PERMISSIONS
    return allowed and not EVERYTHING.fullmatch(str(permission))
