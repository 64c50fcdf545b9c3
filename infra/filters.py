"""The Logging queries of this stack, shared by alert policies and console links. One clause to a line, joined by AND."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.stack import Stack

EXPORT_EVENTS = ("trace_export_refused", "trace_export_failed", "trace_health")
"""`event` of the lines in which a service says that spans could not leave, or were dropped."""

SILENT_EVENT = "trace_silent"
"""`event` of the line in which a service says that it has served requests for a while and exported nothing."""


def services(stack: Stack) -> str:
    """Everything that this stack's services log, whoever wrote it."""
    return _all(
        'resource.type="cloud_run_revision"',
        f"resource.labels.service_name={_any(*map(stack.named, sorted(stack.services)))}",
    )


def requests(stack: Stack, status: str) -> str:
    """Cloud Run's request log, which also holds what never reached a container; `status` compares the HTTP status."""
    return _all(services(stack), f'logName="{_log(stack, "requests")}"', f"httpRequest.status{status}")


def errors(stack: Stack) -> str:
    """Error lines of the containers, without those that have an alert of their own."""
    own = (*EXPORT_EVENTS, SILENT_EVENT) if stack.tracing.silence_is_a_fault else EXPORT_EVENTS
    return _all(_output(stack), "severity>=ERROR", f"NOT jsonPayload.event={_any(*own)}")


def exports(stack: Stack) -> str:
    """Lines in which a service says that spans were refused, could not be sent or were dropped.

    `trace_health` is INFO when it only sums up, at the end of an instance that lost nothing.
    """
    return _all(_output(stack), "severity>=WARNING", f"jsonPayload.event={_any(*EXPORT_EVENTS)}")


def silence(stack: Stack) -> str:
    """Lines in which a service says that it exported nothing although it served requests."""
    return _all(_output(stack), f"jsonPayload.event={_any(SILENT_EVENT)}")


def _output(stack: Stack) -> str:
    """Both outputs of the containers."""
    return _all(services(stack), f"logName={_any(_log(stack, 'stdout'), _log(stack, 'stderr'))}")


def _log(stack: Stack, name: str) -> str:
    """Source: docs.cloud.google.com/run/docs/logging, "log names"."""
    return f"projects/{stack.project}/logs/run.googleapis.com%2F{name}"


def _any(*values: str) -> str:
    return "(" + " OR ".join(f'"{value}"' for value in values) + ")"


def _all(*clauses: str) -> str:
    return "\nAND ".join(clauses)
