"""Rule: roles are given to accounts of one's own project; a person's or another project's has to be named with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from infra.policy import additions
from infra.policy.accounts import ACCOUNT_MEMBER, is_federated
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Finding, Undecided, Violation
from infra.policy.grants import account_of, is_grant, is_public, members
from infra.policy.project import IDENTITY, domains

KEY_MEMBER = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
_ADDRESS = re.compile(r"serviceAccount:[^@\s]+@([^@\s]+)")
_AGENT = re.compile(r"service-[0-9]+@")
_STORAGE = "gs-project-accounts.iam.gserviceaccount.com"
"""Cloud Storage's agent is no service identity that can be declared (infra/components/encryption.py)."""


def grant_members(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """A role is given to service accounts of the stack's own project, and one on a key to Google's agents of it."""
    own, agents = domains(resources), _agents(resources)
    for grant in filter(is_grant, resources):
        known = own | agents if grant.type == KEY_MEMBER else own
        for path, member in members(grant).items():
            if member is not UNKNOWN and (_is_judged_elsewhere(grant, member) or _is_own(member, known)):
                continue
            if member is UNKNOWN or UNKNOWN in known:
                yield Undecided(grant, path)
            else:
                must = "a service account of the project that the stack's accounts are in"
                remedy = "give the role there, or name the member with a reason in infra/policy/additions.py"
                yield Violation(grant, path, member, must, remedy)


def _is_judged_elsewhere(grant: Declared, member: Any) -> bool:
    """By public.py, by federation.py, or by who reviews the additions."""
    federated = grant.type == ACCOUNT_MEMBER and is_federated(member)
    return federated or is_public(member) or str(member) in additions.MEMBERS


def _is_own(member: Any, known: set[Any]) -> bool:
    found = _ADDRESS.fullmatch(str(member))
    return found is not None and (found[1].lower() in known or account_of(member) in known)


def _agents(resources: Sequence[Declared]) -> set[Any]:
    """Addresses of the agents that the stack declares, and of Cloud Storage's of the same project number."""
    found: set[Any] = set()
    for identity in resources:
        if identity.type != IDENTITY:
            continue
        email = identity.at("email")
        found.add(email.lower() if isinstance(email, str) else UNKNOWN)
        if number := _AGENT.match(str(email)):
            found.add(number[0] + _STORAGE)
    return found
