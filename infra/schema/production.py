"""Rules that hold in production only: a share of traces that somebody meant, and somebody who is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.stack import Stack

_UNREASONED = 0.1


def ratios(stack: Stack) -> Iterator[Problem]:
    """A ratio above a tenth is usually left over from development; the policy pack asks for the same reason."""
    tracing = stack.tracing
    if not stack.is_production or tracing.exporter == "none" or tracing.ratio_reason is not None:
        return
    if tracing.sample_ratio > _UNREASONED:
        yield Problem(
            "blueprint:tracing.sample_ratio",
            tracing.sample_ratio,
            f"at most {_UNREASONED:g} in {stack.env}, or with a reason",
            "lower it, or say why in blueprint:tracing.ratio_reason",
        )


def listeners(stack: Stack) -> Iterator[Problem]:
    """An alert without a channel is seen by whoever happens to look at the console."""
    notify = stack.notify
    if stack.is_production and not (notify.emails or notify.slack or notify.pagerduty or notify.webhooks):
        yield Problem(
            "blueprint:notify.emails",
            [],
            f"at least one address in {stack.env}, as there is no other channel (nobody would be told of an alert)",
            f"name whoever is on call in {stack.file}, or declare notify.slack, notify.pagerduty or notify.webhooks",
        )
