"""Optional arguments of resources: what says nothing is left out, so that no preview shows it as a difference."""

from __future__ import annotations

from typing import Any


def stated(**arguments: Any) -> dict[str, Any]:
    """The arguments that hold something."""
    return {name: value for name, value in arguments.items() if value}
