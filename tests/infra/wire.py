"""Arguments as the provider receives them: Python's names in camel case, at every depth."""

from __future__ import annotations

from typing import Any


def wire(value: Any) -> Any:
    """A copy with every key of every map renamed; the keys of labels are words, and stay what they are."""
    if isinstance(value, dict):
        return {_camel(key): wire(item) for key, item in value.items()}
    return [wire(item) for item in value] if isinstance(value, list) else value


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(part.title() for part in rest)
