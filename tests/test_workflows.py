"""The workflows under .github: linted, pinned, and unable to hand credentials to code that nobody reviewed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.deployer import attribute_condition
from infra.schema.ci import CiConfig

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
BIN = Path(sys.executable).parent
PINNED = re.compile(r"\s*(?:- )?uses: (?P<action>[\w.-]+/[\w./-]+)@(?P<commit>[0-9a-f]{40}) # v\d+\.\d+\.\d+")

workflows = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def _load(path: Path) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def _jobs(path: Path) -> dict[str, dict[str, Any]]:
    jobs: dict[str, dict[str, Any]] = _load(path)["jobs"]
    return jobs


def _triggers(path: Path) -> set[str]:
    on = _load(path)[True]  # YAML 1.1 reads `on` as a boolean
    return {on} if isinstance(on, str) else set(on)


def _run(tool: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    if not (BIN / tool).exists():
        pytest.skip(f"{tool} is not installed beside this Python")
    return subprocess.run([BIN / tool, *args], capture_output=True, text=True, check=False, cwd=ROOT)


# ---- linters -------------------------------------------------------------------------------------------------------


def test_zizmor_finds_nothing() -> None:
    """Template injection, credentials left behind, unpinned or over-permitted jobs: all its rules, the pedantic ones too."""
    done = _run("zizmor", "--offline", "--no-progress", "--persona", "pedantic", ".github")
    assert done.returncode == 0, done.stdout


def test_zizmor_would_find_something(tmp_path: Path) -> None:
    """A linter that is content with everything protects nothing."""
    bad = tmp_path / "bad.yml"
    bad.write_text(
        "on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n"
        "      - uses: actions/checkout@v7\n      - run: echo ${{ github.event.pull_request.title }}\n",
        encoding="utf-8",
    )
    done = _run("zizmor", "--offline", "--no-progress", "--color", "never", str(bad))
    assert done.returncode != 0
    assert {"dangerous-triggers", "unpinned-uses", "template-injection"} <= set(
        re.findall(r"^\w+\[([a-z-]+)\]", done.stdout, re.M)
    )


@pytest.mark.parametrize(
    ("schema", "files"),
    [("vendor.github-workflows", WORKFLOWS), ("vendor.dependabot", [GITHUB / "dependabot.yml"])],
    ids=["workflows", "dependabot"],
)
def test_files_follow_their_schema(schema: str, files: list[Path]) -> None:
    """GitHub says nothing about a key that it does not know; it ignores the file."""
    done = _run("check-jsonschema", "--builtin-schema", schema, *files)
    assert done.returncode == 0, done.stdout


# ---- pins ----------------------------------------------------------------------------------------------------------


@workflows
def test_every_action_is_pinned_by_commit_and_says_its_version(path: Path) -> None:
    """A tag can be moved to other code by whoever owns, or took over, the action."""
    foreign = [
        line for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line and "./" not in line
    ]
    assert not [line for line in foreign if not PINNED.fullmatch(line)]


def test_an_action_has_one_version_everywhere() -> None:
    """One commit to review per action."""
    commits: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for match in map(PINNED.match, path.read_text(encoding="utf-8").splitlines()):
            if match:
                commits.setdefault(match["action"], set()).add(match["commit"])
    assert not {action: found for action, found in commits.items() if len(found) > 1}


def test_pulumi_is_the_version_that_the_tests_run() -> None:
    """The Makefile builds the engine that the tests use; the pipeline installs the same."""
    tested = re.search(r"^PULUMI_VERSION := (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert tested
    installed = {
        step["with"]["pulumi-version"]
        for path in WORKFLOWS
        for job in _jobs(path).values()
        for step in job.get("steps", [])
        if str(step.get("uses", "")).startswith("pulumi/actions@")
    }
    assert installed == {tested[1]}


def test_the_audit_asks_about_every_lock() -> None:
    """What runs beside the deployer's token, or beside a developer's, is judged like what runs in the image."""
    asked = set(re.findall(r"-r (\S+)", (GITHUB / "workflows/check.yml").read_text(encoding="utf-8")))
    locks = {f"requirements/{path.name}" for path in (ROOT / "requirements").glob("*.txt")}
    assert asked == locks | {"infra/policy/requirements.txt", '"$lock"'}
    assert "for lock in services/*/requirements/*.txt; do" in (GITHUB / "workflows/check.yml").read_text(
        encoding="utf-8"
    )


# ---- Pulumi --------------------------------------------------------------------------------------------------------

WITH_PULUMI = [
    pytest.param(job, id=f"{path.name}:{name}")
    for path in WORKFLOWS
    for name, job in _jobs(path).items()
    if any("pulumi" in f"{step.get('uses')} {step.get('run')}" for step in job.get("steps", []))
]


def test_two_jobs_use_pulumi() -> None:
    """The tests below look at these."""
    assert [param.id for param in WITH_PULUMI] == ["preview.yml:dev", "up.yml:up"]


def _index(steps: list[dict[str, Any]], pattern: str) -> list[int]:
    """Which steps use or run something like this."""
    return [
        number
        for number, step in enumerate(steps)
        if re.search(pattern, str(step.get("uses", "")) + str(step.get("run", "")))
    ]


@pytest.mark.parametrize("job", WITH_PULUMI)
def test_every_job_logs_in_to_the_state_before_it_asks_pulumi_anything(job: dict[str, Any]) -> None:
    """pulumi/actions logs in only if it has a command to run; without one it installs, whatever else it is given."""
    steps = job["steps"]
    (google,) = _index(steps, r"^google-github-actions/auth@")
    install, *_ = _index(steps, r"^pulumi/actions@")
    (login,) = _index(steps, r"^pulumi login \"\$\{BACKEND:\?")
    use, *_ = _index(steps, r"pulumi (?!login)\w+ |images\.sh|smoke\.sh")
    assert google < install < login < use
    assert re.fullmatch(r"\$\{\{ vars\.\w+_BACKEND_URL \}\}", steps[login]["env"]["BACKEND"])
    assert "cloud-url" not in steps[install]["with"]  # it would be ignored


@pytest.mark.parametrize("job", WITH_PULUMI)
def test_every_preview_and_up_is_judged_by_the_policy_pack(job: dict[str, Any]) -> None:
    """docs/policy.md promises it; the rules over a whole stack run in the preview that an `up` begins with."""
    steps = job["steps"]
    judged = [
        step
        for step in steps
        if step.get("with", {}).get("command") or re.match(r"pulumi (up|preview)\b", step.get("run", ""))
    ]
    assert judged
    for step in judged:
        flags = step.get("run", "")
        assert (
            step.get("with", {}).get("policyPacks") == "infra/policy" or "--policy-pack infra/policy" in flags
        )
        assert "--skip-preview" not in flags


@pytest.mark.parametrize("job", WITH_PULUMI)
def test_packages_are_installed_before_there_are_credentials_and_run_nothing(job: dict[str, Any]) -> None:
    """A source distribution runs its own code as it is built; a wheel is unpacked."""
    steps = job["steps"]
    (install,) = _index(steps, r"^make setup policy$")
    assert steps[install]["env"] == {"PIP_ONLY_BINARY": ":all:"}
    assert install < _index(steps, r"^google-github-actions/auth@")[0]
    assert not _index(steps, r"pip install|uv pip|pipx")


# ---- credentials ---------------------------------------------------------------------------------------------------


@workflows
def test_no_workflow_runs_for_strangers_with_rights(path: Path) -> None:
    """These events run with the repository's own rights, whoever caused them."""
    assert not _triggers(path) & {"pull_request_target", "workflow_run", "issue_comment"}
    assert "secrets." not in path.read_text(encoding="utf-8")


@workflows
def test_rights_are_named_job_by_job(path: Path) -> None:
    """Nothing by default; an identity only where Google is reached, a comment only for the preview."""
    assert _load(path)["permissions"] == {}
    for job in _jobs(path).values():
        more = (
            {"id-token"}
            if path.name in ("up.yml", "preview.yml") or "up.yml" in job.get("uses", "")
            else set()
        )
        more |= {"pull-requests"} if path.name == "preview.yml" else set()
        assert job["permissions"] == {"contents": "read", **dict.fromkeys(more, "write")}


@workflows
def test_no_token_is_left_in_the_checkout(path: Path) -> None:
    """What runs after the checkout could push with it."""
    for job in _jobs(path).values():
        for step in job.get("steps", []):
            if str(step.get("uses", "")).startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_a_pull_request_gets_credentials_for_a_preview_only_and_never_a_fork() -> None:
    """And as an account without roles: no other workflow of a pull request has an identity."""
    of_pull_requests = [path for path in WORKFLOWS if "pull_request" in _triggers(path)]
    assert {path.name for path in of_pull_requests} == {"check.yml", "preview.yml"}
    with_identity = [
        job for path in of_pull_requests for job in _jobs(path).values() if "id-token" in job["permissions"]
    ]
    (preview,) = with_identity
    assert "github.event.pull_request.head.repo.full_name == github.repository" in preview["if"]
    (auth,) = [step for step in preview["steps"] if "google-github-actions/auth@" in step.get("uses", "")]
    assert auth["with"]["service_account"] == "${{ vars.PREVIEWER_ACCOUNT }}"


def test_the_image_is_built_without_any_credential() -> None:
    """A build runs the code of every package."""
    assert _jobs(GITHUB / "workflows/deploy.yml")["image"]["permissions"] == {"contents": "read"}


# ---- the way to prod -----------------------------------------------------------------------------------------------


def test_one_digest_goes_to_dev_staging_and_prod_one_after_the_other() -> None:
    """Nothing reaches prod that did not run in staging, and nothing is deployed that was not checked."""
    jobs = _jobs(GITHUB / "workflows/deploy.yml")
    before = {"dev": {"check", "image"}, "staging": {"image", "dev"}, "prod": {"image", "staging"}}
    for stack, needs in before.items():
        assert set(jobs[stack]["needs"]) == needs
        assert jobs[stack]["with"] == {"stack": stack, "digest": "${{ needs.image.outputs.digest }}"}
        assert jobs[stack]["uses"] == "./.github/workflows/up.yml"
    assert sum("docker build" in path.read_text(encoding="utf-8") for path in WORKFLOWS) == 1


def test_each_stack_is_behind_the_github_environment_of_its_name() -> None:
    """There the approval is asked for, and only there are the names of the stack's identity."""
    (up,) = _jobs(GITHUB / "workflows/up.yml").values()
    assert up["environment"] == "${{ inputs.stack }}"
    assert up["concurrency"]["cancel-in-progress"] is False  # half an `up` leaves a lock


def test_a_run_that_waits_for_an_approval_holds_back_no_other_run() -> None:
    """A group on the whole workflow is held by it: the next push would not even reach dev, and the one after cancel it."""
    assert "concurrency" not in _load(GITHUB / "workflows/deploy.yml")
    assert "concurrency" not in _load(GITHUB / "workflows/up.yml")
    (up,) = _jobs(GITHUB / "workflows/up.yml").values()
    # Beyond dev an approval is asked for: each run has a group of its own.
    group = "up-${{ inputs.stack }}-${{ inputs.stack == 'dev' && 'all' || github.run_id }}"
    assert up["concurrency"] == {"group": group, "cancel-in-progress": False}


def test_a_digest_that_cannot_be_read_fails_the_build() -> None:
    """Within `echo "$(…)"` a failure is hidden, and nothing would be deployed as the digest of something."""
    for path in WORKFLOWS:
        for job in _jobs(path).values():
            for step in job.get("steps", []):
                assert not re.search(r"echo [^\n]*\$\(", step.get("run", "")), f"{path.name}: {step}"


def test_the_image_is_archived_without_asking_docker_s_daemon() -> None:
    """The skopeo of ubuntu-24.04 and its Docker have no version of that API in common."""
    (archive,) = [
        step["run"]
        for step in _jobs(GITHUB / "workflows/deploy.yml")["image"]["steps"]
        if "skopeo" in step.get("run", "")
    ]
    assert "docker-daemon:" not in archive
    saved, copied = re.findall(r"^(docker save|skopeo copy) (.*)$", archive, re.M)
    assert saved == ("docker save", "app:built --output saved.tar")
    assert copied == ("skopeo copy", "docker-archive:saved.tar oci-archive:image.tar")


def test_the_events_that_deploy_are_those_that_the_identity_takes() -> None:
    """A trigger that infra/deployer.py refuses would fail at the login."""
    condition = attribute_condition(CiConfig(repository="acme/docs", branch="main"))
    taken = re.search(r"assertion\.event_name in \[([^]]*)\]", condition)
    assert taken
    assert _triggers(GITHUB / "workflows/deploy.yml") <= set(re.findall(r"'(\w+)'", taken[1]))


def test_a_deployment_ends_with_a_request_and_its_trace() -> None:
    """The pipeline is green when the services answer and are traced, not when Pulumi is content."""
    (up,) = _jobs(GITHUB / "workflows/up.yml").values()
    commands = [step["run"] for step in up["steps"] if "run" in step]
    assert commands[-1] == 'bash .github/smoke.sh "$STACK"'
    assert commands[-2].startswith("pulumi up ")
