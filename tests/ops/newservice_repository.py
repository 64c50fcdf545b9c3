"""A small repository with a template, as the tests of `new-service` and `upgrade-service` need it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from typer import Typer
from typer.testing import CliRunner

from ops.newservice.commands import new_service, upgrade_service

FROZEN = Path(__file__).parents[1] / "infra" / "stacks"
LINES = [f"line {number}" for number in range(12)]
FILES = {
    "pyproject.toml": '[project]\nversion = "0.1.0"\n',
    "app/__init__.py": '"""The service."""\n',
    "app/routes.py": "\n".join(LINES) + "\n",
    "app/old.py": "old\n",
    "Dockerfile": 'FROM scratch\nCMD ["python", "-m", "app"]\n',
    ".dockerignore": "*\n",
    "requirements/app.in": "fastapi\n",
    "requirements/app.txt": "fastapi==1\n",
    "requirements/build.in": "uv\n",
    "requirements/build.txt": "uv==1\n",
    "starter/tests/test_service.py": "def test_nothing() -> None: ...\n",
}
COMMANDS = Typer()
for command in (new_service, upgrade_service):
    COMMANDS.command()(command)


def make(root: Path) -> Path:
    """All of it, committed."""
    root.mkdir()
    write(root, FILES)
    shutil.copytree(FROZEN, root / "stacks")
    git(root, "init", "--quiet")
    commit(root)
    return root


def write(root: Path, files: Mapping[str, str | None]) -> None:
    """Texts by path; None deletes."""
    for path, text in files.items():
        file = root / path
        if text is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")


def commit(root: Path, files: Mapping[str, str | None] | None = None) -> None:
    """These changes, and all others, if there are any."""
    write(root, files or {})
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "as it is")


def git(root: Path, *arguments: str) -> str:
    """What git says, as somebody whose settings are nobody's."""
    identity = {
        f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    env = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(
        ["git", *arguments], cwd=root, env=env, check=True, capture_output=True, text=True
    ).stdout


def tree(root: Path) -> dict[str, bytes]:
    """Every file but git's own, by path."""
    files = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def run(*arguments: str) -> tuple[int, str]:
    """Status and what was said, or the sentence of an OperatorError."""
    result = CliRunner().invoke(COMMANDS, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        return 1, str(result.exception)
    return result.exit_code, result.output
