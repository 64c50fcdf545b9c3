"""docs/deployment.md, docs/state.md and infra/runbook.md, where an operator copies what they say: complete commands in an order that is safe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from infra.schema.ci import CiConfig

ROOT = Path(__file__).parents[1]
DEPLOYMENT = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
STATE = (ROOT / "docs/state.md").read_text(encoding="utf-8")
RUNBOOK = (ROOT / "infra/runbook.md").read_text(encoding="utf-8")
IMAGES = "bash .github/images.sh"


def _in_order(text: str, steps: list[str]) -> bool:
    """Whether all of them are there, each first met behind the one before it."""
    places = [text.index(step) for step in steps]
    return places == sorted(places)


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


def _engine_runs() -> list[tuple[str, str]]:
    """Each block with an `up` or a preview, and what precedes the first of them in it."""
    found = []
    for block in _blocks(DEPLOYMENT, "sh") + _blocks(STATE, "sh"):
        if run := re.search(r"^.*pulumi (up|preview)\b.*$", block, re.M):
            found.append((run[0].strip(), block[: run.start()]))
    return found


@pytest.mark.parametrize(("run", "before"), _engine_runs(), ids=[run for run, _ in _engine_runs()])
def test_what_runs_is_named_before_every_up_by_hand(run: str, before: str) -> None:
    """A stack file that the pipeline fills in has an old image or none: `up` alone would bring that back, or be refused."""
    first_of_all = (
        run.startswith("pulumi up --stack dev") and "configure-docker" in before
    )  # it builds the first image
    assert IMAGES in before or first_of_all


@pytest.mark.parametrize(
    "line",
    [
        line
        for text in (DEPLOYMENT, RUNBOOK)
        for line in text.splitlines()
        if re.search(r"services\.<name>\.traffic`.*`pulumi up`", line)
    ],
)
def test_a_way_back_by_traffic_names_what_runs_first(line: str) -> None:
    """In the middle of an incident nobody looks it up: the command stands where the way back does."""
    assert line.index(IMAGES) < line.index("`pulumi up`")


def test_the_runbook_says_so_once_for_all_steps() -> None:
    """Those that only look at a preview, too."""
    head = RUNBOOK.partition("\n## ")[0]
    assert "`pulumi preview`" in head
    assert IMAGES in head


def test_the_state_is_read_for_images_before_an_older_one_is_put_in_its_place() -> None:
    """The older one names older images; what is missing in it is imported before `up` creates it anew."""
    (block,) = [block for block in _blocks(STATE, "sh") if "#GENERATION" in block]
    steps = [
        "pulumi cancel",
        IMAGES,
        "present.json",
        "#GENERATION",
        "pulumi refresh",
        "--import-file",
        "pulumi up",
    ]
    assert _in_order(block, steps)


def test_images_are_copied_out_before_their_registry_is_replaced() -> None:
    """And back before the services need them."""
    (block,) = [block for block in _blocks(STATE, "sh") if "blueprint:encryption_key" in block]
    steps = [
        "oci-archive:app.tar ",
        "--target",
        "skopeo copy --preserve-digests oci-archive",
        "--policy-pack",
    ]
    assert _in_order(block, steps)


def test_the_required_checks_have_the_names_that_github_shows() -> None:
    """Those of the jobs: a required check of another name is never reported, and nothing can be merged."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text(encoding="utf-8"))["jobs"]
    (line,) = [line for line in DEPLOYMENT.splitlines() if "Protect `main`" in line]
    assert set(re.findall(r'"([^"]+)"', line)) == {job["name"] for job in jobs.values()}


def test_dependabot_gets_no_preview() -> None:
    """GitHub gives its runs no token for Google, so the job could only fail."""
    preview = yaml.safe_load((ROOT / ".github/workflows/preview.yml").read_text(encoding="utf-8"))
    assert "github.actor != 'dependabot[bot]'" in preview["jobs"]["dev"]["if"]


@pytest.mark.parametrize("text", [DEPLOYMENT, STATE], ids=["deployment", "state"])
def test_a_provider_is_undeleted_within_its_pool(text: str) -> None:
    """gcloud asks for the pool."""
    commands = re.findall(r"`(gcloud iam workload-identity-pools providers undelete [^`]*)`", text)
    assert commands
    assert all("--workload-identity-pool " in command for command in commands)
