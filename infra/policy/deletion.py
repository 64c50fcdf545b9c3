"""Rule: what runs in production is not destroyed by one command."""

from __future__ import annotations

from collections.abc import Iterator

from infra.policy.cloudrun import TEMPLATES
from infra.policy.declared import Declared
from infra.policy.finding import Finding, expect, is_true
from infra.schema.tiers import is_production


def deletion_protection(resource: Declared, env: str) -> Iterator[Finding]:
    """In production, what Cloud Run runs is protected from deletion, and says so."""
    if resource.type in TEMPLATES and is_production(env):
        yield from expect(resource, "deletionProtection", is_true, "true", "set it")
