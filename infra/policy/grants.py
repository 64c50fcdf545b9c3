"""Where things stand in an IAM resource of pulumi_gcp, for the rules that look there. No rule itself."""

from __future__ import annotations

import re
from typing import Any

from infra.policy.declared import UNKNOWN, Declared

_IAM = re.compile(r":\w*I[Aa][Mm](Member|Binding|Policy)$")
_WIDE = ("gcp:projects/", "gcp:folder/", "gcp:organizations/")
PROJECT_MEMBER = "gcp:projects/iAMMember:IAMMember"
PUBLIC = ("allUsers", "allAuthenticatedUsers")


def is_grant(resource: Declared) -> bool:
    """Whether it gives roles: a member, a binding (all members of a role) or a policy (all roles)."""
    return bool(_IAM.search(resource.type))


def is_wide(resource: Declared) -> bool:
    """Whether it gives roles on a project, a folder or an organisation."""
    return is_grant(resource) and resource.type.startswith(_WIDE)


def members(resource: Declared) -> dict[str, Any]:
    """Who is given something, by the path where it is said; access lists of Cloud Storage say it as `entity`."""
    found = {path: resource.at(path) for path in ("member", "members", "entity")}
    several = found.pop("members")
    if isinstance(several, list):
        found |= {f"members.{index}": member for index, member in enumerate(several)}
    elif several is UNKNOWN:
        found["members"] = UNKNOWN
    found |= {"policyData": _in_policy(resource.at("policyData"))}
    return {path: member for path, member in found.items() if member is not None}


def _in_policy(data: Any) -> Any:
    """The first public member of a whole policy, which is JSON text."""
    if data is None or data is UNKNOWN:
        return data
    return next((member for member in PUBLIC if f'"{member}"' in str(data)), None)
