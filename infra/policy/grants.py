"""Where things stand in an IAM resource of pulumi_gcp, for the rules that look there. No rule itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from infra.policy.declared import UNKNOWN, Declared

_IAM = re.compile(r":\w*I[Aa][Mm](Member|Binding|Policy)$")
_WIDE = ("gcp:projects/", "gcp:folder/", "gcp:organizations/")
PROJECT_MEMBER = "gcp:projects/iAMMember:IAMMember"
_WORDS = ("member", "entity", "specialGroup", "iamMember")
_PUBLIC = ("allusers", "allauthenticatedusers")


def is_public(member: Any) -> bool:
    """Whether it is everybody, or everybody with a Google account."""
    return isinstance(member, str) and member.lower() in _PUBLIC


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
    return {path: member for path, member in found.items() if member is not None}


def _each(resource: Declared, path: str, within: str) -> dict[str, Any]:
    """The same place in each entry of a list."""
    several = resource.at(path)
    if several is UNKNOWN:
        return {path: UNKNOWN}
    count = len(several) if isinstance(several, list) else 0
    paths = [f"{path}.{index}{within}" for index in range(count)]
    return {each: resource.at(each) for each in paths}


def policy_is_public(data: Any) -> bool:
    """Whether a whole policy, which is JSON text, names a stranger, in whatever spelling; one that is no JSON may.

    Every text in it counts, as Go, which Google's provider is written in, takes keys in any case, and the last of two.
    """
    try:
        return any(map(is_public, _texts(json.loads(str(data), object_pairs_hook=list))))
    except ValueError:
        return True


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _texts(entry)
