"""A service and a call put into the text of a stack file: every comment and every other character stays."""

from __future__ import annotations

import difflib
from typing import Any

import pytest
import yaml
from newservice_repository import FROZEN

from ops.errors import OperatorError
from ops.newservice.stacktext import with_service

ENTRY = {"source": "services/thumbs", "min_instances": 0}


def put(text: str, called_by: str | None = "gateway", entry: dict[str, Any] | None = None) -> str:
    return with_service("stacks/Pulumi.x.yaml", text, "thumbs", entry or ENTRY, called_by)


def around(services: str) -> str:
    return f"# first\nconfig:\n  gcp:project: acme-docs # mine\n  blueprint:services:\n{services}"


CALLS = {
    "flow": ("calls: [extract] # one", "calls: [extract, thumbs] # one"),
    "flow, empty": ("calls: []", "calls: [thumbs]"),
    "flow, spaced": ("calls: [ extract , archive ]", "calls: [ extract , archive, thumbs ]"),
    "flow, last comma": ("calls: [extract, ]", "calls: [extract, thumbs, ]"),
    "flow, lines": (
        "calls: [\n        extract, # a\n        archive # b\n      ]",
        "calls: [\n        extract, # a\n        archive, thumbs # b\n      ]",
    ),
    "block": ("calls:\n        - extract # a\n", "calls:\n        - extract # a\n        - thumbs\n"),
    "block, not indented": ("calls:\n      - extract\n", "calls:\n      - extract\n      - thumbs\n"),
    "none": ("public: true # b", "public: true # b\n      calls: [thumbs]"),
    "none, nested last": ("env:\n        A: b", "env:\n        A: b\n      calls: [thumbs]"),
}


@pytest.mark.parametrize(("before", "after"), CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("last", [True, False])
def test_a_call_is_added_in_the_style_of_the_list(before: str, after: str, last: bool) -> None:
    """Flow or block; where there is none, a new key; in the last service too, behind which the new one comes."""
    more = "" if last else "    # about extract\n    extract:\n      public: false\n"
    tail = "  blueprint:buckets: {} # none\n"
    text = around(f"    gateway:\n      {before.rstrip()}\n{more}{tail}")
    new = "    thumbs:\n      source: services/thumbs\n      min_instances: 0\n"
    assert put(text) == around(f"    gateway:\n      {after.rstrip()}\n{more}{new}{tail}")


@pytest.mark.parametrize("env", ["local", "dev", "staging", "prod"])
def test_the_shipped_files_change_in_these_lines_only(env: str) -> None:
    """Comments, order and spaces are the operator's."""
    before = (FROZEN / f"Pulumi.{env}.yaml").read_text(encoding="utf-8")
    changes = [
        line
        for line in difflib.ndiff(before.splitlines(), put(before).splitlines())
        if line[0] in "+-" and line[2:].strip()
    ]
    assert changes == [
        "-       calls: [extract]",
        "+       calls: [extract, thumbs]",
        "+     thumbs:",
        "+       source: services/thumbs",
        "+       min_instances: 0",
    ]


TEXTS = {
    "end of file": around("    gateway:\n      public: true\n"),
    "no last line end": around("    gateway:\n      public: true"),
    "blank lines and comments behind": around("    gateway:\n      public: true\n\n\n# the end\n"),
    "deeper": around("        gateway:\n            public: true\n"),
    "block scalar": around("    gateway:\n      env:\n        A: |\n          one\n          two\n"),
    "quoted": around('    gateway:\n      env:\n        A: "# no comment" # a comment\n'),
    "crlf": around("    gateway:\n      public: true\n").replace("\n", "\r\n"),
    "other script": around("    gateway:\n      env:\n        A: ünïcode 𝄞\n"),
    "empty value": around("    gateway:\n      public: true\n    extract:\n"),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_result_is_what_was_there_and_the_service(text: str) -> None:
    """However the file is written: nothing that was there is gone, line by line, and line ends stay what they were."""
    after = put(text)
    services = yaml.safe_load(after)["config"]["blueprint:services"]
    assert services["thumbs"] == ENTRY
    assert services["gateway"]["calls"] == ["thumbs"]
    assert [line for line in text.splitlines() if line not in after.splitlines()] == []
    assert ("\r" in after, after.count("\n") == after.count("\r\n")) in [("\r" in text, "\r" in text)]


REFUSED = {
    "flow services": around("    {gateway: {public: true}}\n"),
    "no services": around("    {}\n"),
    "flow service": around("    gateway: {public: true}\n"),
    "calls is text": around("    gateway:\n      calls: extract\n"),
    "alias": around("    gateway: &a\n      public: true\n    extract: *a\n"),
    "other file": "config: []\n",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_followed_is_refused_and_not_guessed(text: str) -> None:
    """A sentence that names the file, and how to write it."""
    with pytest.raises(OperatorError, match=r"^stacks/Pulumi\.x\.yaml: .*one below the other"):
        put(text)
