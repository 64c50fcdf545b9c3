"""The causes that a verdict may name. The list is closed: the console, `explain --json` and their readers know it."""

from typing import Literal, get_args

Cause = Literal[
    "cold_start",
    "queueing",
    "cross_region_storage",
    "slow_dependency",
    "retries",
    "deadline_spent",
    "own_work",
    "unknown",
]
"""What each stands for is in docs/operations.md."""
CAUSES: tuple[Cause, ...] = get_args(Cause)
