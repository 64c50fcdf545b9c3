"""The Logging queries of this stack, shared by alert policies and console links. One clause to a line, joined by AND."""

from __future__ import annotations

from collections.abc import Mapping
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
    return _all(_requests(stack), f"httpRequest.status{status}")


def slow(stack: Stack, limits_ms: Mapping[str, int]) -> str:
    """Requests that took longer than their service may, in the request log."""
    services_by_limit: dict[int, list[str]] = {}
    for name, limit in limits_ms.items():
        services_by_limit.setdefault(limit, []).append(stack.named(name))
    limits = (
        f'(resource.labels.service_name={_any(*names)} AND httpRequest.latency>"{limit / 1000}s")'
        for limit, names in services_by_limit.items()
    )
    return _all(_requests(stack), f"({' OR '.join(limits)})")


def no_instance(stack: Stack) -> str:
    """Requests that Cloud Run answered itself, with 429 or 500, because it had no instance for them.

    Source of the words: cloud.google.com/run/docs/troubleshooting#abort-request and #no-instance.
    """
    return _all(_requests(stack), 'textPayload:"no available instance"')


def starts(stack: Stack) -> str:
    """Each start of an instance, with its reason."""
    return _all(_system(stack), 'textPayload:"Starting new instance"')


def crashes(stack: Stack) -> str:
    """Instances that ended although nobody ended them: by themselves, or because they failed their liveness probe.

    Not the end by SIGTERM, which is how instances go, nor SIGKILL, which is what follows ten seconds later and what ends
    an instance beyond its memory. Brackets stand where a backslash would have to be escaped twice.
    """
    return _all(
        _system(stack),
        'textPayload=~"(Container called exit[(][1-9]|[Tt]erminated on signal|Uncaught signal|LIVENESS [A-Za-z]+ probe failed)"',
        'NOT textPayload=~"(exit[(]143[)]|signal:? (9|15)([^0-9]|$))"',
    )


def out_of_memory(stack: Stack) -> str:
    """Instances that were ended because they took more memory than they have."""
    return _all(_system(stack), 'textPayload=~"Memory limit of .* exceeded"')


def failed_starts(stack: Stack) -> str:
    """Instances that never passed their startup probe, Cloud Run's default one included."""
    return _all(_system(stack), 'textPayload=~"STARTUP [A-Za-z]+ probe failed"')


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


def _requests(stack: Stack) -> str:
    """Cloud Run's request log."""
    return _all(services(stack), f'logName="{_log(stack, "requests")}"')


def _system(stack: Stack) -> str:
    """What the platform says of instances."""
    return _all(services(stack), f'logName="{_log(stack, "varlog%2Fsystem")}"')


def _log(stack: Stack, name: str) -> str:
    """Source: docs.cloud.google.com/run/docs/logging, "log names"."""
    return f"projects/{stack.project}/logs/run.googleapis.com%2F{name}"


def _any(*values: str) -> str:
    return "(" + " OR ".join(f'"{value}"' for value in values) + ")"


def _all(*clauses: str) -> str:
    return "\nAND ".join(clauses)
