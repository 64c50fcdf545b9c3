"""Stack files that cannot be read: a sentence with the file and the remedy, never a stack trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import stackfile
from ops.errors import OperatorError

UNREADABLE = {
    "key that is no text": (b"config:\n  3: 4\n", r"has the key 3, which is no text; write a key as NAMESPACE:KEY"),
    "key that YAML reads as true": (b"config:\n  on: 4\n", r"has the key True, which is no text"),
    "another encoding": ("config: {gcp:project: caf\xe9}".encode("latin-1"), r"is not UTF-8 text .*; save it as UTF-8"),
    "broken YAML": (b"config:\n  a: [\n", r"is not valid YAML .*line 3.*; mend the file"),
    "a date that is none": (b"config:\n  a: 2024-13-01\n", r"is not valid YAML \(month must be in 1..12\); mend"),
    "a tag whose value is none": (b"config:\n  a: !!bool maybe\n", r"is not valid YAML"),
    "an alias of itself": (b"config: &a\n  a: *a\n", r"is not valid YAML"),
    "no config": (b"encryptionsalt: v1:abc\n", r"has no `config:` mapping; compare"),
    "no mapping": (b"- config\n", r"has no `config:` mapping; compare"),
    "empty": (b"", r"has no `config:` mapping; compare"),
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "stacks").mkdir()
    return tmp_path / "stacks" / "Pulumi.dev.yaml"


@pytest.mark.parametrize(("content", "sentence"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_one_sentence_with_the_file(file: Path, content: bytes, sentence: str) -> None:
    """`doctor` and `verify` print what comes behind the last "; " as the remedy."""
    file.write_bytes(content)
    with pytest.raises(OperatorError, match=rf"^stacks/Pulumi\.dev\.yaml.*{sentence}"):
        stackfile.load(file.parents[1], "dev")


def test_a_directory_in_the_place_of_the_file_is_said(file: Path) -> None:
    file.mkdir()
    with pytest.raises(OperatorError, match=r"^stacks/Pulumi\.dev\.yaml cannot be read \(Is a directory\); "):
        stackfile.load(file.parents[1], "dev")


def test_a_date_is_text_as_pulumi_hands_it_to_the_program(file: Path) -> None:
    """Else the refusal of a wrong value, which shows it as JSON, would itself fail."""
    file.write_bytes(b"config:\n  blueprint:labels: {since: 2024-01-31, all: [2024-01-31, 1, null, true]}\n")
    labels = stackfile.load(file.parents[1], "dev")["blueprint:labels"]
    assert labels == {"since": "2024-01-31", "all": ["2024-01-31", 1, None, True]}
