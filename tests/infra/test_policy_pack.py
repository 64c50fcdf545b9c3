"""The policy pack as a whole: complete, documented, and apart from Pulumi."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from typing import Any

from policy_stack import BY_NAME
from stack_files import ROOT

import infra.policy
from infra.policy.declared import UNKNOWN, plain
from infra.policy.rules import RULES


def test_every_rule_is_registered_exactly_once() -> None:
    """A function (resource or resources, env) of a theme that nobody lists would protect nothing."""
    written = [
        function
        for module in pkgutil.iter_modules(infra.policy.__path__, "infra.policy.")
        if not module.name.endswith(("__main__", ".pack"))
        for _, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction)
        if function.__module__ == module.name
        and not function.__name__.startswith("_")
        and list(inspect.signature(function).parameters)[1:] == ["env"]
        and next(iter(inspect.signature(function).parameters)) in ("resource", "resources")
    ]
    listed = [rule.each or rule.whole for rule in RULES]
    assert sorted(map(str, listed)) == sorted(map(str, written))
    assert len(BY_NAME) == len(RULES)


def test_rules_know_nothing_of_pulumi() -> None:
    """Only the pack does: rules run in any environment, and on any description of a resource."""
    for path in sorted((ROOT / "infra" / "policy").glob("*.py")):
        if path.name != "pack.py":
            assert "import pulumi" not in path.read_text(encoding="utf-8"), path
            assert "from pulumi" not in path.read_text(encoding="utf-8"), path


def test_no_file_of_the_pack_hides_a_module_of_python() -> None:
    """Pulumi puts infra/policy first on sys.path."""
    names = {path.stem for path in (ROOT / "infra" / "policy").glob("*.py")} - {"__init__", "__main__"}
    assert not names & set(sys.stdlib_module_names)


def test_the_packs_lock_is_hashed_and_names_no_index() -> None:
    """Its environment is as reproducible as the program's."""
    text = (ROOT / "infra" / "policy" / "requirements.txt").read_text(encoding="utf-8")
    assert "pulumi-policy==" in text
    assert "--hash=sha256:" in text
    assert "://" not in text


def test_the_documents_list_every_rule() -> None:
    """docs/policy.md has each rule with its sentence and its level."""
    text = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    rows = [f"| `{rule.name}` | {rule.description} | {rule.level} |" for rule in RULES]
    assert re.findall(r"^\| `.*$", text, re.M) == rows


def test_what_raises_where_it_is_not_known_becomes_plain() -> None:
    """Pulumi's proxies raise when an unknown value is looked at; rules get a value that says so."""

    class Raising(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            if key == "email":
                raise LookupError
            return super().__getitem__(key)

    proxy = Raising(email="?", list=[Raising(email="?"), 1.0], name="x")
    assert plain(proxy, LookupError) == {"email": UNKNOWN, "list": [{"email": UNKNOWN}, 1.0], "name": "x"}
