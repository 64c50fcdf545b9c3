"""Reads what Google would not answer just now again, and says what it would not answer at all. Decides nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ops.checks import Check
from ops.errors import OperatorError
from ops.google import Unavailable

Read = TypeVar("Read")

LONGEST_PAUSE_S = 16.0


def patiently(
    read: Callable[[], Read],
    timeout: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Read:
    """What `read` returns, after at most `timeout` seconds of `Unavailable`. Raises `OperatorError`: that one, or any other."""
    until, pause = clock() + timeout, 1.0
    while True:
        try:
            return read()
        except Unavailable:
            if clock() + pause > until:
                raise
        sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)


def unread(name: str, error: OperatorError) -> Check:
    """The check of what could not be read."""
    later = isinstance(error, Unavailable)
    return Check(
        name, False, str(error), "verify again in a minute" if later else "verify again with that right"
    )
