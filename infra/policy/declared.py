"""A declared resource as a rule sees it: plain values, and `UNKNOWN` for what only the deployment will tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final


class Unknown(Enum):
    """An output that has no value in a preview, because what gives it does not exist yet."""

    UNKNOWN = "known after deployment"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True)
class Declared:
    """A resource by its type token, with camelCase properties, as Pulumi's engine has it."""

    type: str
    name: str
    properties: Mapping[str, Any]
    urn: str = ""

    def at(self, path: str) -> Any:
        """The value at `template.containers.0.image`: None where there is none, UNKNOWN where any step is not known."""
        value: Any = self.properties
        for step in path.split("."):
            value = _step(value, step)
            if value is None or value is UNKNOWN:
                return value
        return value


def _step(holder: Any, step: str) -> Any:
    if isinstance(holder, Mapping):
        return holder.get(step)
    if isinstance(holder, list) and step.isdigit() and int(step) < len(holder):
        return holder[int(step)]
    return None


def plain(value: Any, unknown: type[Exception]) -> Any:
    """A copy in plain maps and lists of what raises `unknown` wherever a value that is not known is looked at."""
    if isinstance(value, Mapping):
        return {key: _entry(value, key, unknown) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_entry(value, index, unknown) for index in range(len(value))]
    return value


def _entry(holder: Any, key: Any, unknown: type[Exception]) -> Any:
    try:
        value = holder[key]
    except unknown:
        return UNKNOWN
    return plain(value, unknown)
