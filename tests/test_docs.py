"""The documents tell the truth about the code: tables, links, commands and named files."""

from __future__ import annotations

import re
from pathlib import Path

import docs_tables
import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "infra" / "runbook.md"])


def test_the_tables_are_the_models() -> None:
    """Every setting and every stack key stands in docs/configuration.md, with its meaning and default (run tests/docs_tables.py)."""
    text = docs_tables.DOCUMENT.read_text(encoding="utf-8")
    assert text == docs_tables.written(text)
    assert "`OTEL_TRACES_EXPORTER`" in text
    assert "`buckets.<name>.cross_region_reason`" in text


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """No relative link is broken."""
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_files_named_in_backticks_exist(path: Path) -> None:
    """A path that a document names is there; a moved file takes its mention along."""
    named = re.findall(
        r"`((?:app|infra|localcloud|ops|starter|tests|traces|docs|stacks)/[\w./-]+\.\w+)",
        path.read_text(encoding="utf-8"),
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_make_target_in_the_readme_exists() -> None:
    """The README's commands can be typed."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    used = set(
        re.findall(r"\bmake ([a-z]+)\b(?= |`|$)", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    )
    assert {"demo", "test", "local", "engine", "setup"} <= used
    assert used <= targets


@pytest.mark.parametrize(
    "command", ["demo", "local", "explain", "verify", "doctor", "new-service", "upgrade-service"]
)
def test_every_command_explains_itself(command: str) -> None:
    """--help works for each command."""
    from ops.cli import app

    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output
