"""Rules between the fields of a stack file, each a plain generator of problems; `RULES` lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from infra.schema.alert_keys import known_alerts
from infra.schema.budgets import budgets
from infra.schema.build_rules import build, sources
from infra.schema.ci_rules import ci
from infra.schema.deletion import destructions, undeletes
from infra.schema.encryption import keys
from infra.schema.environments import accepted, environments, settings
from infra.schema.images import images
from infra.schema.labels import labels
from infra.schema.mounting import mounts
from infra.schema.names import ambiguities, names
from infra.schema.network import audiences, ingress, networks, strangers
from infra.schema.pipeline import deadlines, destinations, documents, exporters, models
from infra.schema.problem import Problem
from infra.schema.production import listeners, ratios
from infra.schema.regions import locations as known_locations
from infra.schema.regions import regions
from infra.schema.sizes import instances, sizes
from infra.schema.splits import splits
from infra.schema.webhooks import webhooks
from infra.schema.wiring import buckets, calls, locations

if TYPE_CHECKING:
    from infra.stack import Stack


def something(stack: Stack) -> Iterator[Problem]:
    """A stack without services would deploy nothing that answers."""
    if not stack.services:
        yield Problem(
            "blueprint:services", {}, "a map of at least one service", f"declare one in {stack.file}"
        )


RULES: tuple[Callable[[Stack], Iterator[Problem]], ...] = (
    something, regions, names, ambiguities, labels,
    images, sizes, instances, environments, accepted, settings, mounts,
    calls, buckets, ingress, networks, strangers, audiences, splits,
    destinations, deadlines, models, documents, exporters,
    known_locations, locations, undeletes, destructions, keys,
    known_alerts, webhooks, ratios, listeners, budgets, build, sources, ci,
)  # fmt: skip
