"""docs/deployment.md and docs/state.md, where an operator copies what they say: complete commands in an order that is safe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from infra.schema.ci import CiConfig

ROOT = Path(__file__).parents[1]
DEPLOYMENT = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
STATE = (ROOT / "docs/state.md").read_text(encoding="utf-8")


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.M | re.S)


def test_the_environment_has_its_reviewers_before_an_identity_trusts_its_name() -> None:
    """Until then any branch's workflow could name it, and GitHub would make it without anybody to ask."""
    steps = re.findall(r"^\d\. \*\*(.*?)\*\*", DEPLOYMENT, re.M)
    assert steps == [
        "State.",
        "The GitHub environment",
        "Who deploys.",
        "The first `up`.",
        "State for the pipeline.",
        "GitHub's variables.",
    ]


@pytest.mark.parametrize(
    "command", re.findall(r"pulumi (?:up|preview|stack output) [^\n|)]*", "".join(_blocks(DEPLOYMENT, "sh")))
)
def test_every_command_names_its_stack(command: str) -> None:
    """The one selected last may be another."""
    assert re.search(r"--stack (dev|prod)\b", command)


def test_both_documents_give_the_deployer_the_same_role_on_its_state() -> None:
    """The smaller of the two that the documents once named."""
    roles = {
        role
        for text in (DEPLOYMENT, STATE)
        for role in re.findall(
            r"--member (?:\"\$deployer\"|\S+deployer\S+) --role (roles/storage\.\w+)", text
        )
    }
    assert roles == {"roles/storage.objectUser"}


def test_the_example_of_ci_can_be_copied() -> None:
    """As it stands, it is one that the schema takes, with every bound."""
    (block,) = [block for block in _blocks(DEPLOYMENT, "yaml") if "blueprint:ci" in block]
    ci = CiConfig.model_validate(yaml.safe_load(block)["blueprint:ci"])
    assert None not in ci.model_dump().values()
