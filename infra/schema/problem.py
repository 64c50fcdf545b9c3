"""A mistake in a stack file as one sentence: key, value, what is allowed, remedy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

HIDDEN = object()
"""Stands for a value that may be a secret."""

EMPTY = object()
"""Stands for a key that is written down with nothing behind it."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one key. `value` None means that the key is missing; `EMPTY` and `HIDDEN` stand for values."""

    key: str
    value: Any
    must: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.key} is {_shown(self.value)}, but must be {self.must}; {self.remedy}."


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    if value is HIDDEN:
        return "(hidden)"
    if value is EMPTY:
        return "empty"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "…"
