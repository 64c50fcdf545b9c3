"""`blueprint new-service`: a fork that is the template as git has it, an entry in every stack file, and all of it or nothing."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from newservice_repository import FILES, commit, git, make, run, tree, write

from ops.newservice import commands, creation, stackfiles
from ops.newservice.creation import README

ENVS = ("dev", "local", "prod", "staging")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = make(tmp_path / "repository")
    monkeypatch.setattr(commands, "ROOT", root)
    return root


def services(root: Path, env: str) -> dict[str, Any]:
    document = yaml.safe_load((root / f"stacks/Pulumi.{env}.yaml").read_text(encoding="utf-8"))
    found: dict[str, Any] = document["config"]["blueprint:services"]
    return found


def test_the_fork_is_the_template_and_says_of_each_file_what_it_was_copied_from(root: Path) -> None:
    """So that a later upgrade has a base for its merge, and the template is stored once."""
    status, said = run("new-service", "thumbs")
    assert status == 0, said
    fork = root / "services/thumbs"
    recorded = json.loads((fork / "template.json").read_text(encoding="utf-8"))
    copied = {path.removeprefix("starter/"): text for path, text in FILES.items() if path != "pyproject.toml"}
    assert recorded["files"].keys() == copied.keys()
    assert (recorded["version"], recorded["commit"]) == ("0.1.0", git(root, "rev-parse", "HEAD").strip())
    for path, text in copied.items():
        assert (fork / path).read_text(encoding="utf-8") == text
        assert git(root, "cat-file", "blob", recorded["files"][path]) == text
    assert tree(fork).keys() == {*copied, "template.json", "README.md"}
    assert (fork / "README.md").read_text(encoding="utf-8") == README.format(name="thumbs")


def test_every_stack_gets_an_entry_of_its_own_size(root: Path) -> None:
    """Where the pipeline names the image there is a placeholder, as for the others; elsewhere it is built or the working tree."""
    run("new-service", "thumbs", "--public")
    assert services(root, "local")["thumbs"] == {
        "source": "services/thumbs",
        "public": True,
        "billing": "instance",
        "min_instances": 1,
        "max_instances": 4,
    }
    images = {env: services(root, env)["thumbs"].get("image") for env in ENVS}
    place = "REGION-docker.pkg.dev/PROJECT_ID/services-{}/thumbs@sha256:DIGEST"
    assert images == {
        "dev": None,
        "local": None,
        "prod": place.format("prod"),
        "staging": place.format("staging"),
    }
    assert {services(root, env)["gateway"]["calls"][-1] for env in ENVS} == {"extract"}


def test_its_caller_gets_the_call(root: Path) -> None:
    """A step of the example hands on to the first service that it calls, which stays the one it was."""
    status, said = run("new-service", "thumbs", "--called-by", "gateway")
    assert status == 0
    assert {tuple(services(root, env)["gateway"]["calls"]) for env in ENVS} == {("extract", "thumbs")}
    assert "to mend" not in said


def test_what_the_stacks_would_be_refused_for_is_said_before_anybody_deploys(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is new: a sentence that there was before is the operator's already."""
    refused = {"thumbs": {"old", "new"}}
    monkeypatch.setattr(
        stackfiles, "_refusals", lambda env, text: refused["thumbs"] if "thumbs" in text else {"old"}
    )
    said = run("new-service", "thumbs")[1]
    assert said.partition("to mend")[2].partition("next  ")[0].count("new") == 1
    assert "old" not in said.partition("to mend")[2]


def test_nothing_is_to_mend_without_a_caller(root: Path) -> None:
    """The placeholder of its image is the pipeline's to fill."""
    assert "to mend" not in run("new-service", "thumbs")[1]


def test_a_stack_that_was_only_initialised_is_left_alone(root: Path) -> None:
    """`pulumi stack init` writes a salt and nothing else; `no services at all` is a sentence."""
    initialised = {"stacks/Pulumi.qa.yaml": "encryptionsalt: v1:abc\n"}
    commit(root, initialised)
    status, said = run("new-service", "thumbs")
    assert (status, "stacks dev, local, prod, staging:" in said) == (0, True), said
    assert (root / "stacks/Pulumi.qa.yaml").read_text(encoding="utf-8") == "encryptionsalt: v1:abc\n"
    commit(root, {f"stacks/Pulumi.{env}.yaml": None for env in ENVS})
    assert "nothing to add a service to" in run("new-service", "other")[1]


def test_the_undo_that_is_printed_undoes_it(root: Path) -> None:
    """Byte for byte."""
    before = tree(root)
    _, said = run("new-service", "thumbs", "--called-by", "gateway")
    assert "undo      git checkout -- stacks && rm -r services/thumbs\n" in said
    git(root, "checkout", "--", "stacks")
    shutil.rmtree(root / "services/thumbs")
    assert tree(root) == before


def test_no_undo_is_offered_that_would_take_more_with_it(root: Path) -> None:
    """`git checkout` would take the operator's own, uncommitted changes of a stack file back."""
    file = root / "stacks/Pulumi.dev.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("PROJECT_ID", "acme-docs"), encoding="utf-8")
    _, said = run("new-service", "thumbs")
    assert "git checkout" not in said
    assert "had changes of your own" in said


REFUSED = [
    ("Thumbs", "must be lower-case letters"),
    ("1st", "must be lower-case letters"),
    ("a/b", "must be lower-case letters"),
    ("..", "must be lower-case letters"),
    ("app", "the image of the template"),
    ("local", "the working tree"),
    ("deployer", "CI's own account"),
    ("yes", "YAML reads it"),
    ("null", "YAML reads it"),
    ("archive", "is a service of stack dev, local, prod, staging"),
    ("it-calls-you", "free of the words"),
    ("x", 'is "x-dev", but must be 6 to 30'),
    ("a-name-of-23-characters", '"a-name-of-23-characters-staging", but must be 6 to 30'),
    ("taken", "services/taken exists"),
]


@pytest.mark.parametrize(("name", "sentence"), REFUSED)
def test_a_name_that_google_or_the_stacks_would_not_take_is_refused(
    root: Path, name: str, sentence: str
) -> None:
    """Before anything is written, with the limit of the longest stack's name."""
    (root / "services/taken").mkdir(parents=True)
    before = tree(root)
    status, said = run("new-service", name)
    assert (status, sentence in said) == (1, True), said
    assert tree(root) == before


def test_the_longest_name_fits(root: Path) -> None:
    """`-staging` behind it makes 30."""
    assert run("new-service", "a-name-of-22-character")[0] == 0


def test_an_unknown_caller_is_refused(root: Path) -> None:
    """With the names that there are."""
    before = tree(root)
    status, said = run("new-service", "thumbs", "--called-by", "gatway")
    assert (status, "there are: gateway, extract, archive" in said) == (1, True)
    assert tree(root) == before


@pytest.mark.parametrize("path", ["app/routes.py", "app/new.py", "starter/tests/test_more.py", "Dockerfile"])
def test_an_uncommitted_template_is_refused(root: Path, path: str) -> None:
    """No blob of git would be its origin."""
    write(root, {path: "changed\n"})
    status, said = run("new-service", "thumbs")
    assert status == 1
    assert "not committed" in said
    assert not (root / "services").exists()


@pytest.mark.parametrize("how", ["no repository", "no commit"])
def test_without_a_commit_it_is_refused_with_the_remedy(root: Path, how: str) -> None:
    """A template that was downloaded as an archive has no history."""
    shutil.rmtree(root / ".git")
    if how == "no commit":
        git(root, "init", "--quiet")
    status, said = run("new-service", "thumbs")
    assert (status, "git init && git add . && git commit" in said) == (1, True), said


def test_a_repository_below_another_directory_works(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the whole product is one directory of a larger repository, git names files from there."""
    shutil.rmtree(root / ".git")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    assert run("new-service", "thumbs")[0] == 0
    assert (root / "services/thumbs/app/routes.py").is_file()


UNREADABLE = {
    "key that is no text": (b"config:\n  3: 4\n  blueprint:services: {}\n", "has the key 3, which is no text"),
    "no services": (b"config:\n  blueprint:services:\n", "blueprint:services is no map of one line or more"),
    "empty services": (b"config:\n  blueprint:services: {}\n", "blueprint:services is no map of one line or more"),
    "a list": (b"config:\n  blueprint:services: [a]\n", "blueprint:services is no map of one line or more"),
    "text": (b"config:\n  blueprint:services: a\n", "blueprint:services is no map of one line or more"),
    "another encoding": (b"config:\n  blueprint:services: caf\xe9\n", "is not UTF-8 text"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "sentence"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_stack_file_that_cannot_be_followed_is_a_sentence_and_changes_nothing(
    root: Path, content: bytes, sentence: str
) -> None:
    """With the file's name; the other stacks and the fork are as they were."""
    (root / "stacks/Pulumi.qa.yaml").write_bytes(content)
    before = tree(root)
    status, said = run("new-service", "thumbs")
    assert (status, said.startswith("stacks/Pulumi.qa.yaml"), sentence in said) == (1, True, True), said
    assert tree(root) == before


def test_a_caller_that_yaml_reads_as_a_number_is_no_service(root: Path) -> None:
    """A name is text; nothing is guessed, and there is no stack trace."""
    dev = root / "stacks/Pulumi.dev.yaml"
    dev.write_text(dev.read_text(encoding="utf-8").replace("    archive:", "    3:"), encoding="utf-8")
    before = tree(root)
    status, said = run("new-service", "thumbs", "--called-by", "3")
    assert (status, "has no such service" in said) == (1, True), said
    assert tree(root) == before


def test_what_is_left_to_mend_is_known_before_anything_is_written(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the schema's in between changes nothing."""

    def fail(env: str, text: str) -> set[str]:
        raise TypeError("a bug")

    monkeypatch.setattr(stackfiles, "_refusals", fail)
    before = tree(root)
    run("new-service", "thumbs")
    assert tree(root) == before


def test_what_a_killed_run_left_is_not_taken_into_the_fork(root: Path) -> None:
    """Its half of a fork may be of another commit."""
    write(root, {"services/.thumbs.new/app/half.py": "half"})
    status, said = run("new-service", "thumbs")
    assert status == 0, said
    assert not (root / "services/thumbs/app/half.py").exists()
    assert not (root / "services/.thumbs.new").exists()


def test_a_repository_of_somebody_else_s_is_told_with_git_s_own_remedy(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`git init` would not help, and would make another repository."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    status, said = run("new-service", "thumbs")
    assert (status, f"run `git config --global --add safe.directory {root}`" in said) == (1, True), said


@pytest.mark.parametrize("stops_at", range(5))
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_in_the_middle_leaves_nothing_behind(
    root: Path, monkeypatch: pytest.MonkeyPatch, stops_at: int, error: BaseException
) -> None:
    """At the fork or at any stack file, by the disk or by Ctrl-C."""
    before, replace, calls = tree(root), creation._replace, iter(range(100))

    def failing(path: Path, text: str) -> None:
        if next(calls) == stops_at:
            raise error
        replace(path, text)

    if stops_at == 4:
        monkeypatch.setattr(creation, "README", "{nothing}")  # fails within the fork
    else:
        monkeypatch.setattr(creation, "_replace", failing)
    with pytest.raises((OSError, KeyboardInterrupt, KeyError)):
        commands.new_service("thumbs", None, False)
    assert tree(root) == before
    assert not (root / "services").exists()
