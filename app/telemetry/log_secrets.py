"""Credentials that would reach a log or a span by accident: in a header or field by name, in an error's text, in a URL.

Of a URL's query, values of secret-like names only: a message may tell `page=3`. In the text of an exception any value
is hidden as well (`redaction.without_query_values`), as HTTP clients put whole URLs there, their users' data included.
Not here: secrets under names of an application's own. The searches are linear, as strangers choose the text.
"""

import re

HIDDEN = "REDACTED"

_HEADERS = frozenset(
    ("authorization", "proxy-authorization", "x-serverless-authorization", "cookie", "set-cookie")
) | {"x-api-key", "x-goog-api-key", "api-key"}
_FIELDS = _HEADERS | {
    *("password", "passwd", "secret", "client_secret", "api_key", "apikey", "private_key"),
    *("token", "access_token", "refresh_token", "id_token"),
}
# Up to the closing quote, be that escaped (JSON within JSON), or, unquoted, as far as the second part says.
_VALUE = r"""(?:(\\["'])[^"'\\\n]+|(")(?:[^"\\\n]+|\\.)+|(')(?:[^'\\\n]+|\\.)+|%s)"""
_SHOWN = rf"\1\2\3\4{HIDDEN}"
_NOTHING = r"(?!(?:none|null|true|false)\b)"
_HEADER = re.compile(
    r"""((?:authorization|cookie)(?:\\?["']?[ \t]*[:=][ \t]*|["'],[ \t]*)(?:b(?=["']))?"""
    r"""|header value:? ?b?(?=\\?["']))""" + _NOTHING + _VALUE % r"""[^\s\\,)}"'][^\n,)}]*""",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"""((?:password|passwd|secret|(?:api|access|private)[-_]?key|token)\\?["']?[ \t]*:?[:=][ \t]*(?:b(?=["']))?)"""
    + _NOTHING
    + _VALUE % r"""[^\s,;&"'<>(){}\[\]\\=][^\s,;&"'<>)}\]\\]*""",
    re.IGNORECASE,
)
_KEY = re.compile(r"(?<=[ise_-])key")  # as `KeyError` is frequent
# What follows must not look like a word of prose.
_SCHEME = re.compile(
    r"\b((?:bearer|basic) (?=[\w.~+/-]*(?-i:[A-Z0-9=]))(?=[\w.~+/=-]{8})"
    r"|bearer (?=[\w.~+/=-]{20})|token (?=[\w.~+/-]*[0-9])(?=[\w.~+/=-]{16}))[\w.~+/=-]+",
    re.IGNORECASE,
)
# An ID token (or any JWT), a Google access token, a Google API key.
_CREDENTIAL = re.compile(
    r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?<![\w.-])ya29\.[\w.-]+|(?<![\w-])AIza[\w-]{30,}"
)
# Or one whose beginning or end was cut off.
_PRIVATE_KEY = re.compile(
    r"(?:-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----|\A(?=(?:(?!-----BEGIN ).)*?-----END [A-Z ]{0,40}PRIVATE KEY-----))"
    r".*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
USERINFO = re.compile(r"(?<=//)[^\s/?#'\"<>]*@")
_QUERY_VALUE = re.compile(
    r"([?&][\w.-]*(?:token|key|secret|password|signature|credential|code)=)[^&#\s'\"<>]+", re.IGNORECASE
)


def without_credentials(text: str) -> str:
    """`text` with each credential replaced."""
    low = text.lower()  # the usual text costs this and the searches for words only, half a microsecond
    if "private key-----" in low:
        text = _PRIVATE_KEY.sub(HIDDEN, text)
    if "authorization" in low or "cookie" in low or "header value" in low:
        text = _HEADER.sub(_SHOWN, text)
    if "bearer " in low or "basic " in low or "token " in low:
        text = _SCHEME.sub(rf"\1{HIDDEN}", text)
    if "eyj" in low or "ya29." in low or "aiza" in low:
        text = _CREDENTIAL.sub(HIDDEN, text)
    named = "token" in low or "secret" in low or "passw" in low or ("key" in low and _KEY.search(low))
    if named and (":" in low or "=" in low):
        text = _NAMED.sub(_SHOWN, text)
    if "?" in low and "=" in low:
        text = _QUERY_VALUE.sub(rf"\1{HIDDEN}", text)
    if "@" in low and "//" in low:
        text = USERINFO.sub(f"{HIDDEN}@", text)
    return text


def is_header(name: object) -> bool:
    """Whether `name` is that of a header whose value is a credential."""
    return _named(name, _HEADERS)


def is_secret(name: object) -> bool:
    """Whether `name` is that of such a header, or of a field whose value is a secret."""
    return _named(name, _FIELDS)


def _named(name: object, names: frozenset[str]) -> bool:
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    return isinstance(name, str) and name.lower() in names
