"""Text that strangers wrote, made fit to be shown."""

import time

import pytest

from traces.safetext import all_safe, safe, safe_name, safe_text, safe_value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 1,000 ms é 漢 🙂", "plain text, 1,000 ms é 漢 🙂"),
        ("\x1b[31mred\r\n\tx", "\\x1b[31mred\\r\\n\\tx"),
        ("a\u202eb\u200fc\u2028d\u2029e\ufeff", "a\\u202eb\\u200fc\\u2028d\\u2029e\\ufeff"),
        ("half \ud800", "half \\ud800"),
        ("Authorization: Bearer abcdefghij", "Authorization: Bearer [redacted]"),
        ("basic dXNlcjpwYXNz", "basic [redacted]"),
        ("jwt eyJhbGciOi.eyJzdWIi.c2ln end", "jwt [redacted] end"),
        ("postgres://me:pw@db/x", "postgres://[redacted]@db/x"),
        ("?access_token=abc&x=1", "?access_token=[redacted]&x=1"),
        ('"my-api-key": "abc"', '"my-api-key": "[redacted]"'),
        ("no token was sent", "no token was sent"),
        ("x" * 2001, "x" * 1997 + "..."),
    ],
)
def test_tricks_are_written_out_and_credentials_struck_out(text: str, shown: str) -> None:
    """What a terminal or a browser would act on is visible; all other text stays as it is."""
    assert safe(text) == shown


def test_a_terminal_without_unicode_gets_escapes() -> None:
    """Nothing is lost that cannot be printed there."""
    assert safe("é\u202e", ascii_only=True) == "\\xe9\\u202e"


def test_names_are_short_and_texts_keep_their_lines() -> None:
    """A name stands in a row; a stack trace is read line by line."""
    assert len(safe_name("n" * 10_000)) == 200
    assert safe_text("one\r\ntwo\u2028three\ntoken=x") == "one\ntwo\\u2028three\ntoken=[redacted]"
    assert len(safe_text("x" * 100_000)) == 20_000


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("http.request.header.authorization", "x", "[redacted]"),
        ("Set-Cookie", "x", "[redacted]"),
        ("db.password", "", ""),
        ("gen_ai.usage.input_tokens", "12", "12"),
        ("note", "secret=x", "secret=[redacted]"),
    ],
)
def test_an_attribute_is_judged_by_its_key_too(key: str, value: str, shown: str) -> None:
    """A credential has no look of its own."""
    assert safe_value(key, value) == shown


def test_json_is_made_safe_all_through() -> None:
    """Every text at every depth; numbers and what is absent stay as they are."""
    made = {"a": ["\u202e", {"b": ("\x1b", 1.5, None, True)}]}
    assert all_safe(made) == {"a": ["\\u202e", {"b": ["\\x1b", 1.5, None, True]}]}


@pytest.mark.parametrize(
    "text", ["a-" * 10_000, "token" * 4000, "bearer " * 3000, "eyJ." * 5000, "eyJ-" * 5000, "://" * 6000]
)
def test_no_text_takes_long(text: str) -> None:
    """A stranger writes it, and everybody waits: the time may only grow with its length."""
    begun = time.perf_counter()
    safe_text(text)
    assert time.perf_counter() - begun < 2
