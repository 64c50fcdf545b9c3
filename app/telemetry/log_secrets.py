"""Credentials that would reach a log by accident: in a header that is logged by name, in an error's text, in a URL.

Not here: an application's own secrets under names of its own. The searches are linear, as strangers choose the text.
"""

import re

HIDDEN = "REDACTED"

_HEADERS = frozenset(
    ("authorization", "proxy-authorization", "x-serverless-authorization", "cookie", "set-cookie")
)
# An Authorization header's token, an ID token (or any JWT), a Google access token.
_CREDENTIAL = re.compile(
    r"\b([Bb]earer )[\w.~+/=-]{20,}|(?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?<![\w.-])ya29\.[\w.-]+"
)
# As the error of a call that failed shows the URL.
_QUERY_VALUE = re.compile(
    r"([?&][\w.-]*(?:token|key|secret|password|signature|credential|code)=)[^&#\s'\"<>]+", re.IGNORECASE
)


def without_credentials(text: str) -> str:
    """`text` with each credential replaced."""
    if "earer " in text or "eyJ" in text or "ya29." in text:  # the usual text costs these searches only
        text = _CREDENTIAL.sub(lambda found: f"{found[1] or ''}{HIDDEN}", text)
    if "?" in text and "=" in text:
        text = _QUERY_VALUE.sub(rf"\1{HIDDEN}", text)
    return text


def is_secret(name: object) -> bool:
    """Whether a field's name is that of a header whose value is a credential."""
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    return isinstance(name, str) and name.lower() in _HEADERS
