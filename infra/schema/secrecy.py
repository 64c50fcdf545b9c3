"""What looks like a secret: by its name, or by what is written. A guess, but for `is_secret`, which is certain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from infra.schema.app_env import SECRET

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[-.]")
_ASSIGNED = re.compile(r"([A-Za-z0-9_-]+)([\"']?\s*=\s*|[\"']?\s*:\s+|[\"']\s*:\s*)(?=\S)")
_AUTHORITY = re.compile(r"//[^/\s]+@")
_PASSWORD = re.compile(r"//[^/@\s:]*:[^/\s]+@")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_SLACK = re.compile(r"hooks\.slack(-gov)?\.com(:\d+)?/", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether the name is that of a secret, however it is written: `API_KEY`, `api-key`, `apiKey`."""
    return SECRET.search(_WORDS.sub("_", name).upper()) is not None


def is_secret(text: str) -> bool:
    """Whether a secret is in the text beyond doubt: a user with a password in an address, or a private key."""
    return _PASSWORD.search(text) is not None or _PRIVATE_KEY.search(text) is not None


def looks_secret(value: Any) -> bool:
    """Whether a text, or any within a map or a list, has what looks like a secret."""
    if isinstance(value, dict):
        return any(
            is_secret_name(str(key)) or looks_secret(str(key)) or looks_secret(below)
            for key, below in value.items()
        )
    if isinstance(value, list | tuple):
        return any(looks_secret(below) for below in value)
    return isinstance(value, str) and before_secret(value) is not None


def before_secret(text: str) -> str | None:
    """The text up to the first part that looks like a secret; None if it has none."""
    begins = min(_beginnings(text), default=None)
    return None if begins is None else text[:begins]


def _beginnings(text: str) -> Iterator[int]:
    for found in _ASSIGNED.finditer(text):
        if is_secret_name(found[1]):
            yield found.end()
    for pattern in (_AUTHORITY, _PRIVATE_KEY, _SLACK):
        if found_at := pattern.search(text):
            yield found_at.start()
