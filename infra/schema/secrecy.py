"""What looks like a secret: by its name, or by what is written. A guess, but for `is_secret`, which is certain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from infra.schema.app_env import SECRET

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[-.]")
# What is put in later, by a shell, Cloud Run or Python, is no secret itself.
_REFERENCE = r"(?:\$?\{\w+\}|\$\(\w+\)|%\(\w+\)s)"
_ASSIGNED = re.compile(
    r"([A-Za-z0-9_-]+)([\"']?\s*=\s*|[\"']?\s*:\s+|[\"']\s*:\s*)(?=\S)"
    rf"(?![\"']?((Basic|Bearer)\s+)?{_REFERENCE}([\"',;&)\s]|$))"
)
_PLAIN_KEY = re.compile(r"(^|(^|_)(PRIMARY|FOREIGN|ORDERING)_)KEY$")
_ALSO_ASSIGNED = re.compile(r"(^|_)(PWD|AUTHORIZATION)$")
# An authority ends at a slash, a question mark or a hash; in prose and JSON at what ends a word there. A port may come first.
_END = r"/?#\"'\s<>|"
_PASSWORD = re.compile(rf"//[^{_END},;@:\[]*:(?!{_REFERENCE}@)(?!\d{{1,5}}[,;])[^{_END}]+@")
_TOKEN = re.compile(
    r"//(?=[^/@]*\d)\w{20,}@"
    r"|[?&]([\w-]*-)?sig(nature)?=(?=\S)"
    r"|\bxox[abeoprs]-\w|\bgh[pousr]_\w|\bgithub_pat_\w|\bAIza[\w-]|\beyJ[\w-]+\.eyJ[\w-]"
    r"|\bBearer\s+[\w.~+/-]{16,}",
    re.IGNORECASE,
)
"""In the user's place, as a signed address, or by what the tokens of Slack, GitHub and Google, and JWTs, begin with."""
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


def _is_assigned(name: str) -> bool:
    """Whether what is given to the name within a text looks like a secret: a `key` of a map or a table is none."""
    words = _WORDS.sub("_", name).upper()
    found = is_secret_name(name) and not _PLAIN_KEY.fullmatch(words)
    return found or _ALSO_ASSIGNED.search(words) is not None


def _beginnings(text: str) -> Iterator[int]:
    for found in _ASSIGNED.finditer(text):
        if _is_assigned(found[1]):
            yield found.end()
    for pattern in (_PASSWORD, _TOKEN, _PRIVATE_KEY, _SLACK):
        if found_at := pattern.search(text):
            yield found_at.start()
