"""Rule: a service in production is not destroyed by one command."""

from __future__ import annotations

from collections.abc import Iterator

from infra.policy.cloudrun import SERVICE
from infra.policy.declared import Declared
from infra.policy.finding import Finding, expect, is_true


def deletion_protection(resource: Declared, env: str) -> Iterator[Finding]:
    """In prod, Cloud Run services are protected from deletion, and say so."""
    if resource.type == SERVICE and env == "prod":
        yield from expect(resource, "deletionProtection", is_true, "true", "set it")
