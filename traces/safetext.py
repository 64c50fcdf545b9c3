"""Text from spans and logs made fit to be shown: no terminal escapes, no look-alike line breaks, no credentials.

It strikes out what looks like a credential; that none is written is the part of `app/telemetry/redaction.py`.
"""

import re
import unicodedata
from typing import TypeVar

Shown = TypeVar("Shown")

_LONGEST = 2000
_LONGEST_NAME = 200
_LONGEST_TEXT = 20_000
_REDACTED = "[redacted]"
_WORDS = "token|secret|password|passwd|api[_-]?key|signature|credential|cookie"
_SECRETS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}"), rf"\1 {_REDACTED}"),
    (re.compile(r"(?<![\w-])eyJ[\w-]+\.[\w-]+\.[\w-]*"), _REDACTED),
    (re.compile(r"://[^/\s:@]+:[^/\s@]+@"), f"://{_REDACTED}@"),
    (
        re.compile(rf"(?i)({_WORDS})(\"?\s*[=:]\s*\"?)(?!\[redacted)[^\s&\",;]+"),
        rf"\1\2{_REDACTED}",
    ),
)
_SUSPECT = re.compile(rf"(?i)bearer|basic|eyj|://|{_WORDS}")
_SECRET_KEY = re.compile(rf"(?i)(?:authorization|credentials|{_WORDS})$")


def safe(text: str, ascii_only: bool = False, longest: int = _LONGEST) -> str:
    """Control, format and separator characters as visible escapes; what looks like a credential is struck out.

    Only the first `longest` characters are kept: more fits on no line.
    """
    if len(text) > longest:
        text = f"{text[: longest - 3]}..."
    text = _escaped(_struck(text))
    return text.encode("ascii", "backslashreplace").decode() if ascii_only else text


def safe_name(text: str) -> str:
    """A name of a service, a span or a host: one that is longer than 200 characters fills a page."""
    return safe(text, longest=_LONGEST_NAME)


def safe_text(text: str) -> str:
    """A text of many lines, as a stack trace or a document: as `safe`, but its lines stay lines; at most 20,000 characters."""
    lines = _struck(text[:_LONGEST_TEXT].replace("\r\n", "\n")).split("\n")
    return "\n".join(map(_escaped, lines))


def safe_value(key: str, value: str) -> str:
    """An attribute's value; one whose key says that it is a credential is struck out as a whole."""
    return _REDACTED if _SECRET_KEY.search(key) and value else safe_text(value)


def all_safe(value: Shown) -> Shown:
    """JSON of dicts and lists with every text in it made safe; keys are left as they are."""
    made: object = value
    if isinstance(value, str):
        made = safe(value)
    elif isinstance(value, dict):
        made = {key: all_safe(each) for key, each in value.items()}
    elif isinstance(value, list | tuple):
        made = [all_safe(each) for each in value]
    return made  # type: ignore[return-value]


def _struck(text: str) -> str:
    if _SUSPECT.search(text):
        for pattern, replacement in _SECRETS:
            text = pattern.sub(replacement, text)
    return text


def _escaped(text: str) -> str:
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(char: str) -> str:
    if unicodedata.category(char)[0] == "C" or unicodedata.category(char) in ("Zl", "Zp"):
        return char.encode("unicode_escape").decode()
    return char
