"""app/documents.py: names, ids and words."""

import pytest
from starlette.requests import Request

from app.documents import Document, count_words, is_id, name_of
from app.problems import Problem


def request(header: bytes | None = None, query: bytes = b"") -> Request:
    headers = [] if header is None else [(b"x-document-name", header)]
    return Request({"type": "http", "headers": headers, "query_string": query})


@pytest.mark.parametrize(
    ("header", "query", "name"),
    [
        (b"report.txt", b"", "report.txt"),
        (b"a%20b%C3%A9.txt", b"", "a bé.txt"),
        (None, b"name=a%20b.txt", "a b.txt"),
        (b"header", b"name=query", "header"),
        (b"%E2%98%83" * 255, b"", "☃" * 255),
    ],
)
def test_a_name_comes_by_header_or_query(header: bytes | None, query: bytes, name: str) -> None:
    assert name_of(request(header, query)) == name


@pytest.mark.parametrize(
    ("header", "query"),
    [
        (None, b""),
        (b"", b"name="),
        (b"x" * 256, b""),
        (b"a%00b", b""),
        (b"a%0D%0Ab", b""),
        (b"%FF", b""),
        (None, b"name=%FF"),
        (b"%E2%80%A8", b""),
    ],
)
def test_a_missing_long_or_unprintable_name_is_refused(header: bytes | None, query: bytes) -> None:
    with pytest.raises(Problem) as refused:
        name_of(request(header, query))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "data",
    [b"", b" ", b"one", b" one", b"one two\n", b"\t\r\n\x0b\x0c", b"a\x00b \xff", bytes(range(256)) * 3],
)
def test_words_are_counted_as_split_does(data: bytes) -> None:
    assert count_words(data) == len(data.split())


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("0" * 64, True),
        ("f" * 64, True),
        ("F" * 64, False),
        ("0" * 63, False),
        ("0" * 64 + "\n", False),
        ("../x", False),
    ],
)
def test_an_id_is_64_lower_case_hex_digits(text: str, valid: bool) -> None:
    assert is_id(text) is valid


def test_the_next_step_is_told_what_is_known_already() -> None:
    document = Document("a bé.txt", "text/plain", b"one two", "0" * 64)
    assert document.headers() == {
        "x-document-name": "a%20b%C3%A9.txt",
        "x-document-sha256": "0" * 64,
        "content-type": "text/plain",
    }
    assert document.counted().headers()["x-document-words"] == "2"
