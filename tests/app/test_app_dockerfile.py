"""Dockerfile: non-root, exec form, hashed requirements, nothing but app/; and no finding of hadolint."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HADOLINT = Path(sys.executable).with_name("hadolint")
LOCKS = ["requirements/build.txt", "requirements/app.txt"]


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if line.strip() and not line.startswith("#"))
    return [tuple(line.split(maxsplit=1)) for line in re.sub(r"\\\n\s*", "", text).splitlines()]  # type: ignore[misc]


def _final(instructions: list[tuple[str, str]]) -> list[tuple[str, str]]:
    last = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[last:]


def test_the_command_is_exec_form_so_that_sigterm_reaches_python(instructions: list[tuple[str, str]]) -> None:
    (command,) = [value for name, value in instructions if name == "CMD"]
    assert json.loads(command) == ["python", "-m", "app"]


def test_the_process_is_not_root(instructions: list[tuple[str, str]]) -> None:
    """By number: a platform that demands a non-root user cannot look names up."""
    (user,) = [value for name, value in _final(instructions) if name == "USER"]
    assert int(user) > 0


def test_every_package_is_installed_by_hash_from_its_lock_and_leaves_no_cache(
    instructions: list[tuple[str, str]],
) -> None:
    """The installer too: a build downloads nothing that the repository does not know byte by byte."""
    commands = [part for name, value in instructions if name == "RUN" for part in value.split(" && ")]
    installs = [command.split() for command in commands if " install " in command]
    assert [words[words.index("-r") + 1] for words in installs] == LOCKS
    for words in installs:
        assert {"--require-hashes", "--no-deps"} <= set(words)
        assert {"--no-cache", "--no-cache-dir"} & set(words)
    for lock in LOCKS:
        assert "--hash=sha256:" in (ROOT / lock).read_text(encoding="utf-8")


def test_byte_code_is_written_at_build_time_only(instructions: list[tuple[str, str]]) -> None:
    """Packages and app/ are compiled once; an instance neither compiles nor writes."""
    commands = [value for name, value in instructions if name == "RUN"]
    assert any("--compile-bytecode" in value and LOCKS[1] in value for value in commands)
    (compiled,) = [value for name, value in _final(instructions) if "compileall" in value]
    # A checkout may be its owner's alone, and the container is run by somebody else.
    assert compiled == "chmod -R a+rX app && python -m compileall -q app"
    (settings,) = [value for name, value in _final(instructions) if name == "ENV"]
    assert "PYTHONDONTWRITEBYTECODE=1" in settings


def test_the_image_holds_app_and_its_packages_only(instructions: list[tuple[str, str]]) -> None:
    """No installer of ours, no requirements, no tests: what is not there needs no patching."""
    copies = [value for name, value in _final(instructions) if name in ("COPY", "ADD")]
    assert copies == ["--from=packages /venv /venv", "app/ app/"]


def test_both_stages_have_one_base_so_that_the_virtual_environment_finds_its_python(
    instructions: list[tuple[str, str]],
) -> None:
    """/venv/bin/python is a link to the interpreter of the stage that made it."""
    bases = [value.split()[0] for name, value in instructions if name == "FROM"]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert not bases[0].endswith(":latest")


def test_the_build_context_is_an_allow_list() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert [line for line in rules if line.startswith("!")] == ["!app/", *(f"!{lock}" for lock in LOCKS)]


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint is not installed beside this Python")
def test_hadolint_finds_nothing() -> None:
    """Every rule, informational ones included."""
    done = subprocess.run(
        [HADOLINT, "--no-color", "--config", ROOT / ".hadolint.yaml", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint is not installed beside this Python")
def test_hadolint_would_find_something(tmp_path: Path) -> None:
    """A linter that is content with everything protects nothing."""
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python:latest\nRUN cd /srv && pip install fastapi\n", encoding="utf-8")
    done = subprocess.run(
        [HADOLINT, "--no-color", "--config", ROOT / ".hadolint.yaml", bad],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "DL3007" in done.stdout


def test_every_package_the_app_imports_is_asked_for() -> None:
    asked = (ROOT / "requirements" / "app.in").read_text(encoding="utf-8")
    imported = set()
    for path in (ROOT / "app").rglob("*.py"):
        imported |= set(re.findall(r"^\s*(?:from|import) ([a-z_]+)", path.read_text(encoding="utf-8"), re.M))
    known = {"fastapi", "uvicorn", "requests", "opentelemetry", "google", "httpx", "wrapt"}
    transitive = {"pydantic": "fastapi", "starlette": "fastapi", "urllib3": "requests", "httpcore": "httpx"}
    foreign = imported - set(sys.stdlib_module_names) - {"app"}
    assert foreign <= known | set(transitive)
    assert all(name in asked for name in known)
