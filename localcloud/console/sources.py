"""What the console reads: the stores of one local cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.alerts import AlertPolicies
from localcloud.identity import Identity
from localcloud.logs.store import LogStore
from localcloud.resources import Resource
from localcloud.storage.store import ObjectStore
from localcloud.trace.store import TraceStore


@dataclass(frozen=True)
class Sources:
    """`about` gives the content of /blueprint.json; `resources` what is deployed at the moment."""

    project: str
    about: Callable[[], Mapping[str, Any]]
    spans: TraceStore
    logs: LogStore
    alerts: AlertPolicies
    objects: ObjectStore
    identity: Identity
    resources: Callable[[], Sequence[Resource]]
