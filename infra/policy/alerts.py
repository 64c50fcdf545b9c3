"""Rules: an alert says what to do, and somebody hears it. Advice only: a stack without a team yet can still be deployed."""

from __future__ import annotations

from collections.abc import Iterator

from infra.policy.declared import Declared
from infra.policy.finding import Finding, expect, is_text
from infra.schema.tiers import is_production

POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"


def alert_documentation(resource: Declared, env: str) -> Iterator[Finding]:
    """An alert policy comes with a text that says what is wrong and what to do."""
    if resource.type == POLICY:
        yield from expect(
            resource, "documentation.content", is_text, "a text", "write what to look at and do"
        )


def alert_channel(resource: Declared, env: str) -> Iterator[Finding]:
    """In production, an alert policy has at least one notification channel."""
    if resource.type == POLICY and is_production(env):
        yield from expect(
            resource,
            "notificationChannels",
            bool,
            "at least one channel",
            "put who is on call under blueprint:notify",
        )
