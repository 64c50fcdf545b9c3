"""Dockerfile: non-root, exec form, hashed requirements, nothing but app/."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0].upper(), line.split(maxsplit=1)[1]) for line in lines]


def _final(instructions: list[tuple[str, str]]) -> list[tuple[str, str]]:
    last = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[last:]


def test_the_command_is_exec_form_so_that_sigterm_reaches_python(instructions: list[tuple[str, str]]) -> None:
    (command,) = [value for name, value in instructions if name == "CMD"]
    assert json.loads(command) == ["python", "-m", "app"]


def test_the_process_is_not_root(instructions: list[tuple[str, str]]) -> None:
    (user,) = [value for name, value in _final(instructions) if name == "USER"]
    assert int(user) > 0


def test_packages_are_installed_by_hash_from_the_app_s_own_lock(instructions: list[tuple[str, str]]) -> None:
    installs = [value for name, value in instructions if name == "RUN" and "pip install" in value]
    assert installs
    assert all("--require-hashes -r requirements/app.txt" in value for value in installs)
    assert "--hash=sha256:" in (ROOT / "requirements" / "app.txt").read_text()


def test_only_app_is_copied(instructions: list[tuple[str, str]]) -> None:
    local = [
        value.split() for name, value in instructions if name in ("COPY", "ADD") and "--from" not in value
    ]
    assert [words[:-1] for words in local] == [["requirements/app.txt"], ["app/"]]


def test_the_build_context_is_an_allow_list() -> None:
    lines = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert lines[0] == "*"
    assert [line for line in lines if line.startswith("!")] == ["!app/", "!requirements/app.txt"]


def test_every_package_the_app_imports_is_asked_for() -> None:
    asked = (ROOT / "requirements" / "app.in").read_text()
    imported = set()
    for path in (ROOT / "app").rglob("*.py"):
        imported |= set(re.findall(r"^\s*(?:from|import) ([a-z_]+)", path.read_text(), re.M))
    known = {"fastapi", "uvicorn", "requests", "opentelemetry", "google", "httpx", "wrapt"}
    transitive = {"pydantic": "fastapi", "starlette": "fastapi", "urllib3": "requests", "httpcore": "httpx"}
    foreign = imported - set(sys.stdlib_module_names) - {"app"}
    assert foreign <= known | set(transitive)
    assert all(name in asked for name in known)
