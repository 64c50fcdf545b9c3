"""Rules: each Cloud Run service has an account of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from infra.policy.cloudrun import ACCOUNT, SERVICE, services
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Finding, Undecided, Violation, expect

# Both exist in every project, with the role Editor unless an organisation forbids it
# (docs.cloud.google.com/iam/docs/service-account-types#default).
_DEFAULT = re.compile(r"^(\d+-compute@developer|[^@]+@appspot)\.gserviceaccount\.com$")
_REMEDY = "give the service an account of its own"


def own_account(resource: Declared, env: str) -> Iterator[Finding]:
    """A Cloud Run service runs as an account that was made for it, not as one that Google made for the project."""
    if resource.type == SERVICE:
        yield from expect(
            resource, ACCOUNT, _was_made, "a service account that is no default account", _REMEDY
        )


def _was_made(account: Any) -> bool:
    return isinstance(account, str) and "@" in account and not _DEFAULT.match(account)


def unshared_account(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """No two Cloud Run services run as the same account."""
    users: dict[str, str] = {}
    for service in services(resources):
        account = service.at(ACCOUNT)
        if account is UNKNOWN:
            yield Undecided(service, ACCOUNT)
        elif account in users:
            must = f"another account than that of {users[account]}"
            yield Violation(service, ACCOUNT, account, must, _REMEDY)
        elif account is not None:
            users[account] = service.name
