"""Rule: a stack is in one project. Which that is: where its accounts are, which other rules ask here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from infra.policy.cloudrun import TEMPLATES
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Finding, Undecided, Violation

ACCOUNT = "gcp:serviceaccount/account:Account"
POOL = "gcp:iam/workloadIdentityPool:WorkloadIdentityPool"
PROVIDER = "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"
IDENTITY = "gcp:projects/serviceIdentity:ServiceIdentity"
_AT_HOME = frozenset(
    {
        *TEMPLATES,
        ACCOUNT,
        POOL,
        PROVIDER,
        IDENTITY,
        "gcp:cloudrunv2/serviceIamMember:ServiceIamMember",
        "gcp:projects/iAMCustomRole:IAMCustomRole",
        "gcp:projects/iAMMember:IAMMember",
    }
)
"""Not secrets and keys, which somebody else may guard."""


def one_project(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """What Cloud Run runs, its accounts and their roles, and the pools that open accounts are in one project."""
    placed = [(each, each.at("project")) for each in resources if each.type in _AT_HOME]
    counted = Counter(project for _, project in placed if isinstance(project, str))
    home = counted.most_common(1)[0][0] if counted else None
    for resource, project in placed:
        if project is UNKNOWN:
            yield Undecided(resource, "project")
        # Left out, it is the provider's own; at the end Google has said which.
        elif project not in (None, home):
            yield Violation(resource, "project", project, f"{home}, as of the others", "keep to one project")


def domains(resources: Sequence[Declared]) -> set[Any]:
    """How the addresses of the project's own accounts end, by the accounts that the stack declares; with UNKNOWN where it is."""
    return {_domain(account) for account in resources if account.type == ACCOUNT}


def addresses(resources: Sequence[Declared]) -> set[Any]:
    """The addresses of the accounts that the stack declares; with UNKNOWN where one is."""
    return {_address(account) for account in resources if account.type == ACCOUNT}


def _address(account: Declared) -> Any:
    """A preview of a new account does not know its address, but what that is made of."""
    email, id, domain = account.at("email"), account.at("accountId"), _domain(account)
    if isinstance(email, str):
        return email.lower()
    return f"{id}@{domain}" if isinstance(id, str) and isinstance(domain, str) else UNKNOWN


def _domain(account: Declared) -> Any:
    """Of a project `example.com:docs` the accounts end in docs.example.com.iam.gserviceaccount.com."""
    email, project = account.at("email"), account.at("project")
    if isinstance(email, str):
        return email.rpartition("@")[2].lower()
    if not isinstance(project, str):
        return UNKNOWN
    organisation, _, name = project.rpartition(":")
    return ".".join(part for part in (name, organisation, "iam.gserviceaccount.com") if part)
