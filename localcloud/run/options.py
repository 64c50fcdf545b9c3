"""Every time and limit of the local Cloud Run in one place; the defaults are Cloud Run's own unless a comment says otherwise."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunOptions:
    """Times are seconds, sizes bytes."""

    idle_timeout: float = 900.0
    pending_floor: float = 10.0
    pending_factor: float = 3.5
    grace: float = 10.0  # between SIGTERM and SIGKILL
    startup_cap: float = 240.0  # a startup probe's own allowance counts, but never more than this
    probe_poll: float = 0.05  # local: a starting instance is asked this often, whatever periodSeconds says
    liveness_scale: float = 1.0  # local: factor on a liveness probe's period
    memory_poll: float = 0.5
    sample_interval: float = 10.0  # 0.1 sampled requests per second and instance
    default_max_instances: int = 10  # local: Cloud Run computes it from the region's quota
    max_request_bytes: int = 32 * 1024 * 1024  # cloud.google.com/run/quotas, HTTP/1
    scratch: Path | None = (
        None  # where private home directories are made; None: the system's temporary directory
    )
    clock: Callable[[], float] = time.monotonic
