"""Any Python value as a log field: what JSON keeps exactly, without credentials, cut to size. Nothing here raises."""

import dataclasses
import datetime
import enum
import json
import math
from collections import deque
from collections.abc import Mapping, Set
from typing import Any

from pydantic import BaseModel

from app.telemetry.log_secrets import HIDDEN, is_header, is_secret, without_credentials
from app.telemetry.redaction import without_query_values

# Bytes of one line. An entry holds 256 KB with what Cloud Run adds (https://cloud.google.com/logging/quotas).
LIMIT = 200_000
KEY_LIMIT = 200
DEPTH = 16
# Cloud Logging keeps numbers as doubles: integers beyond are kept as text, or they would be rounded.
_EXACT = 2**53

encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


def clean(value: object) -> Any:
    """`value` as text, number, boolean, None, dict or list. What has no such form becomes its text."""
    if type(value) is str:
        return clean_text(value)
    if value is None or type(value) is bool or (type(value) is int and -_EXACT <= value <= _EXACT):
        return value
    return _Walk().value(value, 0)


def clean_fields(fields: Mapping[Any, object]) -> dict[str, Any]:
    """Each of `fields` by itself, so that none takes the room of another."""
    return {clean_key(key): HIDDEN if is_secret(key) else clean(value) for key, value in fields.items()}


def clean_text(text: str) -> str:
    """`text` without credentials or lone surrogates, which are no UTF-8, and no longer than can matter."""
    text = without_credentials(text)
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text if len(text) <= LIMIT else _ends(text, LIMIT)  # still too large: `fit` says so


def shown(value: object) -> str:
    """`str(value)`, or its type when that fails."""
    try:
        return str.__str__(str(value))
    except Exception:
        return f"<{type(value).__name__} that cannot be shown>"


def cut(text: str, size: int) -> str:
    """The beginning and the end of `text`, so that its JSON takes at most `size` bytes; empty if not even that fits.

    A traceback's ends are what matters: what was attempted, and what went wrong.
    """
    kept, result = len(text), text
    while (length := len(result) if len(result) > size else len(encode(result))) > size:
        # Escapes take up to 12 bytes per character: shrink in proportion until it fits.
        kept = min(kept * size // length, kept - 1)
        if kept < 2:
            return ""
        result = _ends(text, kept)
    return result


def _ends(text: str, kept: int) -> str:
    return f"{text[: kept // 2]} ...[cut]... {text[-(kept // 2) :]}"


def fit(line: str, names: Set[str], size: int = LIMIT) -> str:
    """`line` in at most `size` bytes, marked `truncated`: the message in half of them, the fields `names` in the rest.

    Fields that are larger than their equal share of it become cut text; small ones stay whole.
    """
    entry: dict[str, Any] = json.loads(line)
    costs = {name: len(encode({name: entry[name]})) for name in names}
    fields = {name: entry.pop(name) for name in names}
    entry |= {"message": cut(entry["message"], size // 2), "truncated": True}
    room = size - len(encode(entry))
    for done, name in enumerate(sorted(costs, key=costs.__getitem__)):
        value, share = fields[name], room // (len(costs) - done)
        if costs[name] > share:
            text = value if isinstance(value, str) else encode(value)
            value = cut(text, share - len(encode(name)) - 3)
            if not value:
                continue
        entry[name] = value
        room -= len(encode({name: value}))
    return encode(entry)


class _Walk:
    """Through one field's values, for at most DEPTH levels and about LIMIT characters, so that none takes for ever."""

    def __init__(self) -> None:
        self._room = LIMIT
        self._path: list[int] = []

    def value(self, value: object, depth: int) -> Any:
        """The clean form."""
        try:
            if value is None or isinstance(value, bool):
                return value
            if isinstance(value, str):
                return self._text(str.__str__(value))
            if isinstance(value, int):
                return value if -_EXACT <= value <= _EXACT else self._text(str(value))
            if isinstance(value, float):
                return value if math.isfinite(value) else str(value)
            return self._structure(value, depth)
        except Exception:
            return self._text(shown(value))

    def _structure(self, value: object, depth: int) -> Any:
        plain = _plain(value)
        if not isinstance(plain, dict | list):
            return self.value(plain, depth)
        if depth == DEPTH or id(value) in self._path:
            return self._text(f"<{type(value).__name__} too deep>")
        self._path.append(id(value))
        try:
            return self._fields(plain, depth) if isinstance(plain, dict) else self._items(plain, depth)
        finally:
            self._path.pop()

    def _fields(self, fields: dict[object, object], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in fields.items():
            if self._room <= 0:
                result["truncated"] = True
                break
            self._room -= 1
            result[clean_key(key)] = HIDDEN if is_secret(key) else self.value(value, depth + 1)
        return result

    def _items(self, items: list[object], depth: int) -> list[Any]:
        if len(items) == 2 and is_header(items[0]):  # a raw header
            return [self.value(items[0], depth + 1), HIDDEN]
        result = []
        for done, item in enumerate(items):
            if self._room <= 0:
                result.append(f"...[{len(items) - done} cut]...")
                break
            self._room -= 1
            result.append(self.value(item, depth + 1))
        return result

    def _text(self, text: str) -> str:
        text = clean_text(text)
        self._room -= len(text)
        return text


def clean_key(key: object) -> str:
    """A key as text of at most KEY_LIMIT characters."""
    if type(key) is str and len(key) < 20 and key.isascii():  # too short for a credential
        return key
    return clean_text(shown(key))[:KEY_LIMIT]


def _plain(value: object) -> object:
    """One level of `value` as dict, list, text or a simpler value."""
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, list | tuple | Set | deque):
        return list(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, BaseException):
        return without_query_values(f"{type(value).__name__}: {value}")
    if isinstance(value, Mapping):
        return dict(value.items())
    # Fields that are kept out of a repr are kept out of a log.
    if isinstance(value, BaseModel):
        return {key: field for key, field in value.__repr_args__() if key}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: getattr(value, field.name, None) for field in dataclasses.fields(value) if field.repr
        }
    return str(value)
