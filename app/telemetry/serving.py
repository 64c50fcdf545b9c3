"""What every request of this process needs to know, as one object. Made by `telemetry.setup`."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource

from app.telemetry.coldstart import ColdStart
from app.telemetry.parts import Parts

if TYPE_CHECKING:
    from app.telemetry.request import Request

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Serving:
    """`public`: strangers can call. `frozen`: CPU is taken away after the last byte. `open`: the requests being served."""

    parts: Parts
    resource: Resource
    public: bool
    frozen: bool
    coldstart: ColdStart
    open: set[Request] = field(default_factory=set)

    def fault(self) -> None:
        """Count and log an exception of our own, which no request is to see."""
        self.parts.counters.dropped["fault"] += 1
        logger.exception("a request is not traced", extra={"event": "trace_export_failed"})
