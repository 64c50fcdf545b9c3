"""PromQL selectors of Google's own metrics, and the expression that finds requests without spans, with its arithmetic. Pure text.

Metric names follow docs.cloud.google.com/monitoring/promql/promql-mapping: the first `/` becomes `:`, other signs `_`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.stack import Stack

WINDOW = "15m"
HOLD = "600s"
"""How long the expression must hold. It covers what is late by nature: both metrics become visible minutes after the
fact, and a frozen instance sends its last spans with its next request."""

CHANCE = 1e-4
"""The probability at which it is no longer believed that no trace was sampled."""
FEWEST = 20
"""Fewer requests than this say nothing at any ratio: they may all have been one burst whose spans wait in a frozen instance."""


def enough_requests(ratio: float) -> int:
    """The least n for which n traces of which none was sampled are improbable: (1 - ratio)^n < CHANCE, and at least FEWEST."""
    if ratio >= 1:
        return FEWEST
    return max(FEWEST, math.floor(math.log(CHANCE) / math.log1p(-ratio)) + 1)


def selector(metric: str, resource: str, stack: Stack, *matchers: str) -> str:
    """A metric of the stack's project. Some metrics exist for several types of resource: PromQL refuses them without one."""
    where = (f'monitored_resource="{resource}"', f'project_id="{stack.project}"', *matchers)
    return f"{metric}{{{','.join(where)}}}"


def run(stack: Stack, metric: str, *matchers: str, service: str = "") -> str:
    """A metric of Cloud Run, such as `request_count`: of one service (its logical name), else of all of the stack."""
    names = "|".join(map(stack.named, sorted(stack.services)))
    named = f'service_name="{stack.named(service)}"' if service else f'service_name=~"{names}"'
    where = (f'location="{stack.region}"', named, *matchers)
    return selector(f"run_googleapis_com:{metric}", "cloud_run_revision", stack, *where)


def spans(stack: Stack, metric: str = "spans_ingested") -> str:
    """Spans that the project ingested, without those that Google does not charge.

    The front end's own are free (docs.cloud.google.com/run/docs/trace), and would hide that ours are missing.
    """
    counter = f"cloudtrace_googleapis_com:billing_{metric}"
    return selector(counter, "global", stack, 'chargeable!="false"')


def requests_without_spans(stack: Stack) -> str:
    """True while one service was asked more than `enough_requests` times in WINDOW and the project ingested no span.

    The busiest service alone is counted, since one trace is a request to each service on its way. A metric that has no
    series is zero spans, and no requests.
    """
    requests = run(stack, "request_count")
    return (
        f"max(sum by (service_name) (increase({requests}[{WINDOW}]))) > {enough_requests(stack.tracing.sample_ratio)}\n"
        f"and\n(sum(increase({spans(stack)}[{WINDOW}])) or vector(0)) == 0"
    )
