"""Text from spans and logs made fit to be shown: no terminal escapes, no look-alike line breaks, no credentials."""

import re
import unicodedata

_LONGEST = 2000
_SECRETS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}"), r"\1 [redacted]"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "[redacted]"),
    (re.compile(r"://[^/\s:@]+:[^/\s@]+@"), "://[redacted]@"),
    (
        re.compile(
            r"(?i)\b([\w-]*(?:token|secret|password|passwd|api[_-]?key|signature|credential|cookie))(\"?\s*[=:]\s*\"?)(?!\[redacted)[^\s&\",;]+"
        ),
        r"\1\2[redacted]",
    ),
)


def safe(text: str, ascii_only: bool = False) -> str:
    """Control, format and separator characters as visible escapes; what looks like a credential is struck out.

    Only the first 2000 characters are kept: more fits on no line.
    """
    text = text[:_LONGEST]
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    text = "".join(_visible(char) for char in text)
    return text.encode("ascii", "backslashreplace").decode() if ascii_only else text


def _visible(char: str) -> str:
    if unicodedata.category(char)[0] == "C" or unicodedata.category(char) in ("Zl", "Zp"):
        return char.encode("unicode_escape").decode()
    return char
