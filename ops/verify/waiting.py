"""Waits for the evidence of one request: until all is there, or it is certain why it never will be, or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ops.deployment import Deployment
from ops.google import Unavailable
from ops.verify.causes import causes
from ops.verify.evidence import Evidence, Reader, Reading
from ops.verify.patience import LONGEST_PAUSE_S
from ops.verify.probe import Probe

LOCAL_INTERVAL_S, INTERVAL_S = 0.2, 4.0
"""Logging allows 60 reads a minute and project (cloud.google.com/logging/quotas), and each look takes up to three.
What is not answered is asked for less and less often."""


def wait(
    google: Reader,
    deployment: Deployment,
    probe: Probe,
    expected: Sequence[str],
    *,
    traced: bool = True,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Evidence:
    """The last that was read, after at most `timeout` seconds; not `traced`: only logs are waited for."""
    interval = LOCAL_INTERVAL_S if deployment.is_local else INTERVAL_S
    pause, reading, begun, spans = interval, Reading(google, deployment, probe), clock(), -1
    quiet_since = begun
    while True:
        evidence = reading.now(lambda found: is_whole(deployment, probe, found, expected, traced))
        now = clock()
        if len(evidence.trace.spans) != spans:
            spans, quiet_since = len(evidence.trace.spans), now
        whole = is_whole(deployment, probe, evidence, expected, traced)
        quiet = now - quiet_since >= (interval if whole else 5 * interval)
        known = whole or (traced and _is_explained(deployment, probe, evidence, expected))
        if (known and quiet) or now - begun >= timeout:
            return evidence
        unanswered = any(isinstance(doubt, Unavailable) for doubt in evidence.doubts.values())
        pause = min(2 * pause, LONGEST_PAUSE_S) if unanswered else interval
        sleep(min(pause, timeout - (now - begun)))


def without_spans(evidence: Evidence, expected: Sequence[str]) -> list[str]:
    """Of the services expected, those without a server span."""
    return [name for name in expected if not evidence.servers(name)]


def is_whole(
    deployment: Deployment, probe: Probe, evidence: Evidence, expected: Sequence[str], traced: bool = True
) -> bool:
    """Whether every service has a span and a log entry, and every span its parent."""
    logged = evidence.refused("logs") or all(
        evidence.of_service(deployment.services[name].run_name) for name in expected
    )
    spans = not without_spans(evidence, expected) and not evidence.orphans(probe)
    return logged and (spans or not traced)


def _is_explained(deployment: Deployment, probe: Probe, evidence: Evidence, expected: Sequence[str]) -> bool:
    """Whether waiting longer would tell nothing new: what is missing cannot come, or must not be read."""
    if "spans" in evidence.doubts:
        return evidence.refused("spans")
    found = causes(deployment, probe, evidence, without_spans(evidence, expected))
    return bool(found) and all(cause.certain for cause in found)
