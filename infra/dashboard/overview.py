"""The first row: what is wrong now, and the ways on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from infra import filters, links
from infra.dashboard.layout import mosaic
from infra.dashboard.normal import normalised
from infra.dashboard.tile import Row, incidents, text

if TYPE_CHECKING:
    from infra.stack import Stack


def rows(stack: Stack, policies: Mapping[str, str], below: Sequence[Row]) -> list[Row]:
    """Incidents of the stack's policies, and links; `below` is the rest of the dashboard."""
    names = [policies[title] for title in sorted(policies)]
    return [(incidents("Incidents", names, 32), text(_links(stack, _digest(below)), 16))]


def _links(stack: Stack, digest: str) -> str:
    runbook = f"- [Runbook]({stack.runbook_url})\n" if stack.runbook_url else ""
    return (
        f"### {stack.env}\n"
        f"- [Traces]({links.traces(stack.project, services=stack.services)}), "
        f"[those with errors]({links.traces(stack.project, failed=True, services=stack.services)})\n"
        f"- [Logs]({links.logs(stack.project, filters.services(stack))})\n"
        f"- [Services]({links.services(stack.project)})\n"
        f"- [Alerts]({links.alerts(stack.project)})\n"
        f"{runbook}\n"
        f"Declared by `infra/dashboard/` (`{digest}`): changes made here are lost with the next deployment."
    )


def _digest(below: Sequence[Row]) -> str:
    """Shown, so that no change only takes away: the provider does not notice those (pulumi_gcp monitoring.Dashboard)."""
    return hashlib.sha256(normalised(mosaic(below)).encode()).hexdigest()[:8]
