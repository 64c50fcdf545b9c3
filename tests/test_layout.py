"""The rules of the layout that a reader relies on: who imports whom, where the environment is read, what is never committed."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"app", "bench", "infra", "localcloud", "ops", "traces"}
ALLOWED = {
    "app": {"app"},
    "bench": {"app", "bench"},
    "infra": {"infra"},
    "localcloud": {"localcloud", "traces"},
    "ops": OURS - {"app", "bench"},
    "traces": {"traces"},
}


def _modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_packages_import_downwards_only(package: str) -> None:
    """app and infra stand alone (they are what a team forks and deploys); localcloud knows only Google's shapes and what a trace says."""
    wrong = {
        str(p.relative_to(ROOT)): bad
        for p in _modules(package)
        if (bad := (_imports(p) & OURS) - ALLOWED[package])
    }
    assert not wrong


@pytest.mark.parametrize(
    ("package", "attribute", "home"),
    [("app", "environ", "app/settings.py"), ("infra", "Config", "infra/stack.py")],
)
def test_configuration_is_read_in_one_place(package: str, attribute: str, home: str) -> None:
    """os.environ and pulumi.Config each have one reader, so that the typed settings are the whole truth."""
    readers = {
        str(path.relative_to(ROOT))
        for path in _modules(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in {attribute, "getenv"}
        and isinstance(node.value, ast.Name)
        and node.value.id in {"os", "pulumi"}
    }
    assert readers <= {home}


def test_nothing_in_infra_shadows_the_standard_library() -> None:
    """Pulumi puts infra/ first on sys.path: a file named like a standard module would replace it."""
    import sys

    names = {p.stem for p in (ROOT / "infra").iterdir() if p.suffix == ".py" or p.is_dir()} - {
        "__main__",
        "__init__",
        "__pycache__",
    }
    assert not names & set(sys.stdlib_module_names)


def test_every_module_says_what_it_is() -> None:
    """Each source file opens with a docstring: a reader learns in one line what it holds."""
    without = [
        str(path.relative_to(ROOT))
        for package in OURS
        for path in _modules(package)
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not without


def test_lock_files_are_hashed_and_name_no_index() -> None:
    """Installing is reproducible and works behind any mirror."""
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        text = lock.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text, lock.name
        assert "://" not in text, lock.name


def test_state_and_tools_are_not_tracked() -> None:
    """.localcloud, .tools and .venv belong to one machine."""
    for directory in (".localcloud/x", ".tools/bin/pulumi", ".venv/x"):
        assert subprocess.run(["git", "check-ignore", "-q", directory], cwd=ROOT, check=False).returncode in (
            0,
            128,
        )
