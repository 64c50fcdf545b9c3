"""What a document is: its name, type and bytes, and what is derived from them. No I/O but reading the request."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import quote, unquote_to_bytes

from fastapi import Request

from app.problems import Problem

NAME, DIGEST, WORDS = "x-document-name", "x-document-sha256", "x-document-words"
NAME_LIMIT = 255

_ID = re.compile(r"[0-9a-f]{64}")
_CONTENT_TYPE = re.compile(r"[\x20-\x7e]{1,255}")
# ASCII white space to a blank, all else to one letter: two C-speed passes count the words of 20 MB in 40 ms.
_SHAPE = bytes(32 if byte in b" \t\n\r\v\f" else 120 for byte in range(256))


@dataclass(frozen=True)
class Document:
    """A named sequence of bytes. Its id is its SHA-256; `words` is None until counted."""

    name: str
    content_type: str
    data: bytes
    sha256: str
    words: int | None = None

    def counted(self) -> Self:
        """With its words counted."""
        return replace(self, words=count_words(self.data))

    def headers(self) -> dict[str, str]:
        """What the next step is told, so that nothing is computed twice."""
        told = {NAME: quote(self.name, safe=""), DIGEST: self.sha256, "content-type": self.content_type}
        return told if self.words is None else {**told, WORDS: str(self.words)}


def count_words(data: bytes) -> int:
    """Runs of bytes between ASCII white space, as `len(data.split())` counts them but without the list."""
    shape = data.translate(_SHAPE)
    return shape.count(b" x") + shape.startswith(b"x")


def is_id(text: str) -> bool:
    """Whether `text` can be a document's id."""
    return _ID.fullmatch(text) is not None


def name_of(request: Request) -> str:
    """The document's name by header (percent-encoded UTF-8) or query. Raises Problem 400 for none or a bad one."""
    header = request.headers.get(NAME)
    try:
        name = unquote_to_bytes(header).decode() if header else request.query_params.get("name", "")
    except UnicodeDecodeError:
        raise Problem(400, f"{NAME} is not percent-encoded UTF-8.") from None
    if not 0 < len(name) <= NAME_LIMIT:
        raise Problem(
            400, f"The name ({NAME} or ?name=) has {len(name)} characters; 1 to {NAME_LIMIT} are allowed."
        )
    if any(
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character == "\ufffd"
        for character in name
    ):
        raise Problem(400, f"The name ({NAME} or ?name=) contains control characters or is not UTF-8.")
    return name


async def read(request: Request, *, limit: int, believed: bool) -> Document:
    """The request's document. `believed`: an earlier step's digest and count are taken from its headers.

    Raises Problem 400 for a bad name or type, and 413 as soon as the body passes `limit` bytes.
    """
    name = name_of(request)
    content_type = request.headers.get("content-type", "application/octet-stream")
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise Problem(400, "content-type is not 1 to 255 printable ASCII characters.")
    told = request.headers if believed else {}
    digest, words = told.get(DIGEST, ""), told.get(WORDS, "")
    data, sha256 = await _body(request, limit, digest if is_id(digest) else None)
    return Document(
        name, content_type, data, sha256, int(words) if re.fullmatch("[0-9]{1,12}", words) else None
    )


async def _body(request: Request, limit: int, sha256: str | None) -> tuple[bytes, str]:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise _too_large(limit)
    chunks, size, digest = [], 0, hashlib.sha256()
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if sha256 is None:
            digest.update(chunk)  # while the next chunk travels
    return b"".join(chunks), sha256 or digest.hexdigest()


def _too_large(limit: int) -> Problem:
    return Problem(413, f"The document is larger than the {limit} bytes allowed.")


def described(document: Document, stored: str) -> Mapping[str, object]:
    """The answer to storing `document` at `stored`, without the trace id."""
    return {
        "id": document.sha256,
        "sha256": document.sha256,
        "size": len(document.data),
        "words": document.words,
        "name": document.name,
        "content_type": document.content_type,
        "stored": stored,
    }
