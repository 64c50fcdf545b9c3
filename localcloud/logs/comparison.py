"""One restriction of the Logging query language: a field, an operator and a value, as a test of a log entry.

Types and missing fields follow docs.cloud.google.com/logging/docs/view/logging-query-language: a field that LogEntry
defines has its default when it is unset, a payload or label field that is missing fails every comparison, and a field
that LogEntry does not define is an error. Field names are matched as the JSON form spells them.
"""

import operator
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from localcloud.logs.entries import SEVERITIES
from localcloud.logs.pattern import InvalidPattern, Pattern
from localcloud.logs.store import LogEntry

Predicate = Callable[[LogEntry], bool]
Path = tuple[str, ...]


class QueryError(ValueError):
    """A query that Google would refuse, or that this stand-in cannot evaluate; the message says which and where."""


class Literal(NamedTuple):
    """A value as written: `*` and `NULL_VALUE` mean something else when quoted."""

    text: str
    quoted: bool = True


class _Type(NamedTuple):
    default: Any
    parse: Callable[[Any], Any]
    allowed: str


_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}


def timestamp_ns(text: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time or a date; ValueError for anything else."""
    stamp = Timestamp()
    stamp.FromJsonString(text if "T" in text.upper() else f"{text}T00:00:00Z")
    return stamp.ToNanoseconds()


def duration_ns(text: str) -> float:
    """Nanoseconds of a duration like `1.5s`; ValueError for anything else."""
    match = re.fullmatch(r"(-?[\d.]+)(ns|us|ms|s|m|h|d)", text)
    if match is None:
        raise ValueError(text)
    return float(match[1]) * _NANOSECONDS[match[2]]


def _severity(value: str) -> int:
    return int(value) if value.isdigit() else SEVERITIES[value.upper()]


def _boolean(value: object) -> bool:
    return {"true": True, "false": False}[str(value).lower()]


_TEXT = _Type("", lambda value: str(value).casefold(), "text")
_INTEGER = _Type(0, int, "an integer")
_BOOLEAN = _Type(False, _boolean, "true or false")
_TIME = _Type("1970-01-01T00:00:00Z", timestamp_ns, 'a time like "2026-01-31T12:00:00Z"')
_DURATION = _Type("0s", duration_ns, 'a duration like "1.5s"')
_SEVERITY = _Type("DEFAULT", _severity, f"one of {', '.join(SEVERITIES)} or a number")
_NUMBER = _Type(0.0, float, "a number")
_BY_TYPE = {bool: _BOOLEAN, int: _NUMBER, float: _NUMBER}
_DYNAMIC = {("jsonPayload",), ("labels",), ("resource", "labels")}
_FIELDS = {
    tuple(name.split(".")): kind
    for kind, names in {
        _TEXT: "logName textPayload insertId trace spanId resource.type httpRequest.requestMethod httpRequest.requestUrl"
        " httpRequest.userAgent httpRequest.remoteIp httpRequest.serverIp httpRequest.referer httpRequest.protocol"
        " operation.id operation.producer sourceLocation.file sourceLocation.function",
        _INTEGER: "httpRequest.status httpRequest.requestSize httpRequest.responseSize sourceLocation.line",
        _BOOLEAN: "traceSampled httpRequest.cacheHit httpRequest.cacheLookup operation.first operation.last",
        _TIME: "timestamp receiveTimestamp",
        _DURATION: "httpRequest.latency",
        _SEVERITY: "severity",
    }.items()
    for name in names.split()
}
_MESSAGES = {path[:1] for path in _FIELDS if len(path) == 2}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    ":": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def restriction(path: Path, symbol: str, literal: Literal) -> Predicate:
    """The test `path symbol literal`, e.g. `severity >= ERROR`. Raises QueryError."""
    check_field(path)
    if literal == Literal("*", quoted=False):
        if symbol != ":":
            raise QueryError(f"`{'.'.join(path)}{symbol}*`: only `:*` tests that a field exists.")
        return lambda entry: any(True for _ in values(entry, path))
    kind = _FIELDS.get(path)
    if symbol in ("=~", "!~"):
        test = _pattern_test(symbol, literal.text)
    else:
        test = _value_test(path, kind, symbol, literal)
    if kind is not None:
        return lambda entry: any(map(test, list(values(entry, path)) or [kind.default]))
    return lambda entry: any(test(leaf) for found in values(entry, path) for leaf in _leaves(found))


def global_restriction(literal: Literal) -> Predicate:
    """A bare value: a substring, in any letter case, of any field of the entry."""
    wanted = literal.text.casefold()
    return lambda entry: any(wanted in str(leaf).casefold() for leaf in _leaves(entry))


def check_field(path: Path) -> None:
    """Raises QueryError unless LogEntry defines `path` or leaves it to the writer (payload, labels)."""
    dynamic = path[:1] in _DYNAMIC or path[:2] in _DYNAMIC
    if not dynamic and path not in _FIELDS and path not in _MESSAGES:
        raise QueryError(
            f"Field not found: '{'.'.join(path)}'. A LogEntry has no such field (or localcloud not yet)."
        )


def values(node: Any, path: Path) -> Iterator[Any]:
    """What is at `path` below `node`; every element of a list counts."""
    if isinstance(node, list):
        for item in node:
            yield from values(item, path)
    elif not path:
        yield node
    elif isinstance(node, dict) and path[0] in node:
        yield from values(node[path[0]], path[1:])


def compile_pattern(pattern: str) -> Pattern:
    """Raises QueryError."""
    try:
        return Pattern(pattern)
    except InvalidPattern as error:
        raise QueryError(
            f"Regular expression '{pattern}': {error}. RE2 reads it, which has no lookaround and no backreferences."
        ) from None


def _leaves(node: Any) -> Iterator[Any]:
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _leaves(child)
    else:
        yield node


def _pattern_test(symbol: str, pattern: str) -> Callable[[Any], bool]:
    compiled = compile_pattern(pattern)
    return lambda actual: compiled.is_in(str(actual)) == (symbol == "=~")


def _value_test(path: Path, kind: _Type | None, symbol: str, literal: Literal) -> Callable[[Any], bool]:
    """The value is read as the field's type or, in a payload or label, as the type of what is found there."""
    if kind is not None:
        try:
            kind.parse(literal.text)
        except (KeyError, ValueError):
            name = ".".join(path)
            raise QueryError(
                f"'{literal.text}' is no value of '{name}', which takes {kind.allowed}."
            ) from None

    def test(actual: Any) -> bool:
        if actual is None:
            return symbol in ("=", ":") and literal == Literal("NULL_VALUE", quoted=False)
        found = kind or _BY_TYPE.get(type(actual), _TEXT)
        compare = operator.contains if symbol == ":" and found is _TEXT else _ORDER[symbol]
        try:
            return compare(found.parse(actual), found.parse(literal.text))
        except (KeyError, ValueError, TypeError, AttributeError):
            return False  # Not of the field's type: a container may write anything under httpRequest.

    return test
