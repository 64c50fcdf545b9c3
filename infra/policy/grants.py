"""Where things stand in an IAM resource of pulumi_gcp, for the rules that look there. No rule itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from infra.policy.declared import UNKNOWN, Declared

_IAM = re.compile(r":\w*I[Aa][Mm](Member|Binding|Policy)$")
_WIDE = ("gcp:projects/", "gcp:folder/", "gcp:organizations/")
PROJECT_MEMBER = "gcp:projects/iAMMember:IAMMember"
_WORDS = ("member", "entity", "specialGroup", "iamMember")
PUBLIC = ("allUsers", "allAuthenticatedUsers")


def is_grant(resource: Declared) -> bool:
    """Whether it gives roles: a member, a binding (all members of a role) or a policy (all roles)."""
    return bool(_IAM.search(resource.type))


def is_wide(resource: Declared) -> bool:
    """Whether it gives roles on a project, a folder or an organisation."""
    return is_grant(resource) and resource.type.startswith(_WIDE)


def project_members(resources: Sequence[Declared]) -> list[Declared]:
    """The grants of one role on a project to one member among them."""
    return [resource for resource in resources if resource.type == PROJECT_MEMBER]


def account_of(member: Any) -> str:
    """The address of the service account that a member is."""
    return str(member).removeprefix("serviceAccount:").lower()


def members(resource: Declared) -> dict[str, Any]:
    """Who is given something, by the path where it is said: access lists of Cloud Storage and BigQuery have their own words."""
    found = {path: resource.at(path) for path in _WORDS}
    found |= _each(resource, "members", "")
    for word in _WORDS:
        found |= _each(resource, "accesses", f".{word}")
    found |= {"policyData": _in_policy(resource.at("policyData"))}
    return {path: member for path, member in found.items() if member is not None}


def _each(resource: Declared, path: str, within: str) -> dict[str, Any]:
    """The same place in each entry of a list."""
    several = resource.at(path)
    if several is UNKNOWN:
        return {path: UNKNOWN}
    count = len(several) if isinstance(several, list) else 0
    paths = [f"{path}.{index}{within}" for index in range(count)]
    return {each: resource.at(each) for each in paths}


def _in_policy(data: Any) -> Any:
    """The first public member of a whole policy, which is JSON text."""
    if data is None or data is UNKNOWN:
        return data
    return next((member for member in PUBLIC if f'"{member}"' in str(data)), None)
