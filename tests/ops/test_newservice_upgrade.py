"""`blueprint upgrade-service`: what the template has changed since comes into the fork, and nothing of the team's is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from newservice_repository import COMMANDS, LINES, commit, git, make, run, tree, write
from typer.testing import CliRunner

from ops.newservice import commands

FORK = "services/thumbs"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a fork of its template, committed."""
    root = make(tmp_path / "repository")
    monkeypatch.setattr(commands, "ROOT", root)
    assert run("new-service", "thumbs")[0] == 0
    commit(root)
    return root


def routes(**changed: str) -> str:
    """The file with other texts in some lines: `first`, `last`."""
    lines = list(LINES)
    for where, text in changed.items():
        lines[{"first": 0, "last": -1}[where]] = text
    return "\n".join(lines) + "\n"


def text(root: Path, path: str) -> str:
    return (root / FORK / path).read_text(encoding="utf-8")


def test_changes_in_different_places_are_merged(root: Path) -> None:
    """Both are there, and a second upgrade has nothing to do."""
    commit(root, {f"{FORK}/app/routes.py": routes(last="ours"), "app/routes.py": routes(first="theirs")})
    status, said = run("upgrade-service", "thumbs")
    assert (status, "app/routes.py  merged" in said) == (0, True), said
    assert text(root, "app/routes.py") == routes(first="theirs", last="ours")
    commit(root)
    assert "up to date" in run("upgrade-service", "thumbs")[1]


def test_changes_in_the_same_place_are_a_conflict_for_people(root: Path) -> None:
    """Both texts stand between markers, the file is named, and the status says that there is something to do."""
    commit(root, {f"{FORK}/app/routes.py": routes(first="ours"), "app/routes.py": routes(first="theirs")})
    status, said = run("upgrade-service", "thumbs")
    assert (status, "app/routes.py  CONFLICT" in said) == (1, True), said
    conflict = "<<<<<<< app/routes.py\nours\n=======\ntheirs\n>>>>>>> the template\n"
    assert text(root, "app/routes.py") == conflict + routes().partition("\n")[2]
    # What is decided now is not asked again.
    commit(root, {f"{FORK}/app/routes.py": routes(first="both")})
    assert "up to date" in run("upgrade-service", "thumbs")[1]


CASES = {
    "taken over": ({"app/routes.py": "new\n"}, {}, "new\n"),
    "added": ({"app/routes.py": None, "app/more.py": "more\n"}, {}, None),
    "as it is": ({"app/routes.py": "new\n"}, {"app/routes.py": "new\n"}, "new\n"),
    "deleted": ({"app/routes.py": None}, {}, None),
    "kept": ({"app/routes.py": None}, {"app/routes.py": "ours\n"}, "ours\n"),
    "stays deleted": ({"app/routes.py": "new\n"}, {"app/routes.py": None}, None),
}


@pytest.mark.parametrize(("theirs", "ours", "expected"), CASES.values(), ids=CASES)
def test_whole_files(
    root: Path, theirs: dict[str, str | None], ours: dict[str, str | None], expected: str | None,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """Who changed what decides; what the team changed or deleted stays so."""
    commit(root, {**theirs, **{f"{FORK}/{path}": each for path, each in ours.items()}})
    status, said = run("upgrade-service", "thumbs")
    assert (status, f"  {request.node.callspec.id}: " in said) == (0, True), said
    file = root / FORK / "app/routes.py"
    assert (file.read_text(encoding="utf-8") if file.exists() else None) == expected
    commit(root)
    assert "up to date" in run("upgrade-service", "thumbs")[1]


def test_a_new_file_of_the_template_that_the_team_has_made_too_is_a_conflict(root: Path) -> None:
    """Nothing is overwritten."""
    commit(root, {"app/more.py": "theirs\n", f"{FORK}/app/more.py": "ours\n"})
    assert run("upgrade-service", "thumbs")[0] == 1
    assert "ours\n" in text(root, "app/more.py")


@pytest.mark.parametrize("path", ["app/old.py", "app/more.bin"])
def test_what_is_no_text_is_kept_and_asked_again(root: Path, path: str) -> None:
    """git merges lines only. Nothing was taken, so template.json still says so, whatever else is upgraded later."""
    commit(root, {f"{FORK}/{path}": "ours\0", path: "theirs\0", "app/routes.py": "new\n"})
    for _ in range(2):
        status, said = run("upgrade-service", "thumbs")
        assert (status, f"{path}  CONFLICT: no text, so yours was kept" in said) == (1, True), said
        assert "markers" not in said
        assert text(root, path) == "ours\0"
        commit(root)


@pytest.mark.parametrize("decision", ["take", "keep"])
def test_the_decision_about_what_is_no_text_ends_the_question(root: Path, decision: str) -> None:
    """By the command and the entry that are printed."""
    commit(root, {f"{FORK}/app/old.py": "ours\0", "app/old.py": "theirs\0"})
    said = run("upgrade-service", "thumbs")[1]
    take, keep = said.partition("to take the template's, ")[2].splitlines()[0].split("; to keep yours, ")
    if decision == "take":
        subprocess.run(take, shell=True, cwd=root, check=True)
    else:
        (entry,) = [each for each in keep.split('"') if len(each) == 40]
        record = json.loads(text(root, "template.json"))
        record["files"]["app/old.py"] = entry
        write(root, {f"{FORK}/template.json": json.dumps(record)})
    commit(root)
    assert run("upgrade-service", "thumbs")[0] == 0
    assert text(root, "app/old.py") == {"take": "theirs\0", "keep": "ours\0"}[decision]
    commit(root)
    assert "up to date" in run("upgrade-service", "thumbs")[1]


def content(path: Path) -> object:
    """What is there: a directory's files, a file's bytes, or nothing."""
    return tree(path) if path.is_dir() else path.read_bytes() if path.exists() else None


LINKS = {
    "changed": ("app/routes.py", {"app/routes.py": "new\n"}),
    "new in the template": ("app/more.py", {"app/more.py": "new\n"}),
    "deleted": ("app/old.py", {"app/old.py": None}),
    "directory": ("app", {"app/routes.py": "new\n"}),
}


@pytest.mark.parametrize(("link", "theirs"), LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("leads", ["to a file", "nowhere", "to itself"])
def test_nothing_is_written_through_a_link_out_of_the_fork(
    root: Path, tmp_path: Path, link: str, theirs: dict[str, str | None], leads: str
) -> None:
    """Not to what it leads to, and not in its place; it is asked again until somebody decides."""
    outside, inside = tmp_path / "outside", root / FORK / link
    if inside.exists():
        inside.rename(outside)
    elif leads == "to a file":
        outside.write_text("theirs\n", encoding="utf-8")
    if leads == "nowhere" and outside.exists():
        shutil.rmtree(outside) if outside.is_dir() else outside.unlink()
    inside.symlink_to(inside.name if leads == "to itself" else outside)
    commit(root, theirs)
    before = content(outside)
    # What is deleted here, or leads nowhere, is none of the template's business: there is nothing to take it into.
    asked = leads == "to a file" or link == "app/more.py"
    for _ in range(2 if asked else 1):
        status, said = run("upgrade-service", "thumbs")
        assert (status, "CONFLICT: behind a link out of the service" in said) == (int(asked), asked), said
        assert inside.is_symlink()
        assert content(outside) == before
        commit(root)


def test_a_link_to_what_the_template_has_is_as_it_is(root: Path) -> None:
    """Nothing is to be written, so nobody has to decide."""
    (root / FORK / "app/routes.py").unlink()
    (root / FORK / "app/routes.py").symlink_to("../../../app/routes.py")
    commit(root, {"app/routes.py": "new\n"})
    status, said = run("upgrade-service", "thumbs")
    assert (status, "app/routes.py  as it is" in said) == (0, True), said


@pytest.mark.parametrize("link", ["services/thumbs", "services/thumbs/template.json"])
def test_a_fork_that_is_elsewhere_is_refused(root: Path, tmp_path: Path, link: str) -> None:
    """template.json would be written there, and git would not see it."""
    (root / link).rename(tmp_path / "outside")
    (root / link).symlink_to(tmp_path / "outside")
    commit(root, {"app/routes.py": "new\n"})
    status, said = run("upgrade-service", "thumbs")
    assert (status, "nothing is written outside services/thumbs; replace the link" in said) == (1, True), said


def test_a_terminal_that_has_only_ascii_is_written_to(root: Path) -> None:
    """LC_ALL=C without Python's UTF-8 mode: what it lacks is escaped."""
    commit(root, {"app/routes.py": "new\n", "app/caf\xe9.py": "new\n"})
    result = CliRunner(charset="ascii").invoke(COMMANDS, ["upgrade-service", "thumbs"])
    assert (result.exit_code, result.exception) == (0, None)
    assert "app/caf\\xe9.py  added" in result.stdout


@pytest.mark.parametrize(
    ("path", "in_fork"),
    [
        ("Dockerfile", "Dockerfile"),
        ("requirements/app.txt", "requirements/app.txt"),
        ("starter/tests/test_service.py", "tests/test_service.py"),
    ],
)
def test_everything_that_was_copied_takes_part(root: Path, path: str, in_fork: str) -> None:
    """A base image or a package with a known hole is in each fork."""
    commit(root, {path: "mended\n"})
    assert run("upgrade-service", "thumbs")[0] == 0
    assert text(root, in_fork) == "mended\n"


def test_files_of_the_team_s_own_are_left_alone(root: Path) -> None:
    """The README too, which is no copy."""
    own = {f"{FORK}/app/own.py": "own\n", f"{FORK}/README.md": "# Ours\n"}
    commit(root, {**own, "app/routes.py": "new\n"})
    run("upgrade-service", "thumbs")
    assert (text(root, "app/own.py"), text(root, "README.md")) == ("own\n", "# Ours\n")


def test_the_record_says_today_s_blobs(root: Path) -> None:
    """The base of the next merge."""
    commit(root, {"app/routes.py": "new\n"})
    run("upgrade-service", "thumbs")
    recorded = json.loads(text(root, "template.json"))
    assert recorded["files"]["app/routes.py"] == git(root, "rev-parse", "HEAD:app/routes.py").strip()
    assert recorded["commit"] == git(root, "rev-parse", "HEAD").strip()


def test_check_says_how_far_behind_and_changes_nothing(root: Path) -> None:
    """Status 1 for a pipeline that wants to know; 0 when there is nothing."""
    assert run("upgrade-service", "thumbs", "--check")[0] == 0
    commit(root, {"app/routes.py": routes(first="a"), "app/old.py": None, f"{FORK}/app/routes.py": "ours\n"})
    before = tree(root)
    status, said = run("upgrade-service", "thumbs", "--check")
    assert status == 1
    assert "app/routes.py  CONFLICT" in said
    assert "behind in 2 files; nothing was changed" in said
    assert tree(root) == before


def test_a_commit_that_does_not_touch_the_template_is_no_distance(root: Path) -> None:
    """The fork's own commits, for one."""
    commit(root, {f"{FORK}/app/own.py": "own\n"})
    assert run("upgrade-service", "thumbs", "--check")[0] == 0


def test_the_undo_that_is_printed_undoes_it(root: Path) -> None:
    """New files of the template too, which `git checkout` alone would leave."""
    commit(root, {"app/more.py": "more\n", "app/routes.py": "new\n", "app/old.py": None})
    before = tree(root)
    _, said = run("upgrade-service", "thumbs")
    assert tree(root) != before
    (undo,) = [line.removeprefix("undo") for line in said.splitlines() if line.startswith("undo")]
    subprocess.run(undo, shell=True, cwd=root, check=True, capture_output=True)
    assert tree(root) == before


@pytest.mark.parametrize("path", [f"{FORK}/app/routes.py", f"{FORK}/app/new.py", "app/routes.py"])
def test_uncommitted_changes_are_refused(root: Path, path: str) -> None:
    """They could not be told from the upgrade's, nor brought back."""
    commit(root, {"app/old.py": "new\n"})
    write(root, {path: "changed\n"})
    before = tree(root)
    status, said = run("upgrade-service", "thumbs")
    assert (status, "commit or stash them first" in said) == (1, True), said
    assert tree(root) == before


def test_a_shallow_clone_is_told_to_fetch(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text that was copied is in the past."""
    commit(root, {"app/routes.py": routes(first="theirs"), f"{FORK}/app/routes.py": routes(last="ours")})
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth", "1", root.as_uri(), str(clone))
    monkeypatch.setattr(commands, "ROOT", clone)
    before = tree(clone)
    status, said = run("upgrade-service", "thumbs")
    assert (status, "run `git fetch --unshallow`" in said) == (1, True), said
    assert tree(clone) == before
    git(clone, "fetch", "--quiet", "--unshallow")
    assert run("upgrade-service", "thumbs")[0] == 0


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (None, "has no template.json"),
        ("{", "cannot be read"),
        ("{}", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"version": "1", "commit": "2", "files": []}', "cannot be read"),
    ],
)
def test_a_record_that_is_missing_or_broken_is_said(root: Path, record: str | None, sentence: str) -> None:
    """A service that a team made by hand has none."""
    commit(root, {f"{FORK}/template.json": record})
    status, said = run("upgrade-service", "thumbs")
    assert (status, sentence in said) == (1, True), said


def test_a_service_that_is_not_there_is_answered_with_those_that_are(root: Path) -> None:
    """The template's services have no directory."""
    assert "there are: thumbs." in run("upgrade-service", "gateway")[1]
