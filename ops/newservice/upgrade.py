"""What an upgrade does to each file of a fork: three texts in, one step out. Decided in full before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ops.errors import OperatorError
from ops.newservice.repository import MissingBlob, Repository
from ops.newservice.template import FILE, Template


class Outcome(StrEnum):
    """What becomes of one file, in words for people."""

    added = "added: new in the template"
    taken = "taken over: unchanged here"
    merged = "merged: changed in other places here"
    same = "as it is: the same change was made here"
    deleted = "deleted: gone from the template, unchanged here"
    kept = "kept: gone from the template, changed here"
    stays_deleted = "stays deleted: changed in the template, deleted here"
    conflict = "CONFLICT: changed in the same lines"
    no_text = "CONFLICT: no text, so yours was kept"
    linked = "CONFLICT: behind a link out of the service, so it was left alone"

    @property
    def is_conflict(self) -> bool:
        """Whether somebody has to decide."""
        return self is Outcome.conflict or self.is_untaken

    @property
    def is_untaken(self) -> bool:
        """Whether the file is as it was, with nothing of the template's change in it."""
        return self in (Outcome.no_text, Outcome.linked)


@dataclass(frozen=True)
class Step:
    """One file whose template has changed. `text` is what to write; None: nothing, or for `deleted` the file goes."""

    path: str
    outcome: Outcome
    text: bytes | None = None


def plan(repository: Repository, name: str, recorded: Template, today: Template) -> list[Step]:
    """A step for each file that the template has changed since it was copied. Raises `OperatorError`."""
    fork = repository.root / "services" / name
    if _leaves(fork, FILE):
        raise OperatorError(
            f"services/{name}/{FILE} is at {(fork / FILE).resolve()}, and nothing is written outside services/{name}; "
            "replace the link by what it leads to."
        )
    try:
        steps = _steps(repository, fork, recorded, today)
        return [Step(step.path, Outcome.linked) if _writes_outside(fork, step) else step for step in steps]
    except MissingBlob as missing:
        if repository.is_shallow():
            remedy = "this clone is shallow; run `git fetch --unshallow`"
        else:
            remedy = f"fetch the commit that it was copied from: git fetch origin {recorded.commit}"
        raise OperatorError(
            f"The text that services/{name} was copied from (blob {missing}) is not in this clone: {remedy}."
        ) from None


def apply(fork: Path, steps: list[Step], recorded: Template, today: Template) -> None:
    """Write the steps, and last `template.json`: what was copied is from now on today's template, but for what was not taken."""
    for step in steps:
        file = fork / step.path
        if step.outcome is Outcome.deleted:
            file.unlink()
        elif step.text is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(step.text)
    files = dict(today.files)
    for step in steps:
        if step.outcome.is_untaken:
            files.pop(step.path, None)
            files |= {path: blob for path, blob in recorded.files.items() if path == step.path}
    (fork / FILE).write_bytes(today.model_copy(update={"files": dict(sorted(files.items()))}).written())


def _writes_outside(fork: Path, step: Step) -> bool:
    return (step.outcome is Outcome.deleted or step.text is not None) and _leaves(fork, step.path)


def _leaves(fork: Path, path: str) -> bool:
    """Whether a link leads out of the fork on the way to one of its files."""
    services = fork.parent
    try:
        home = services.parent.resolve() / services.name / fork.name
        return not (fork / path).resolve().is_relative_to(home)
    except (OSError, RuntimeError):  # a link to itself
        return True


def _steps(repository: Repository, fork: Path, recorded: Template, today: Template) -> Iterator[Step]:
    for path in sorted(recorded.files.keys() | today.files.keys()):
        base, theirs = recorded.files.get(path), today.files.get(path)
        if base == theirs:
            continue
        file = fork / path
        ours = file.read_bytes() if file.is_file() else None
        if theirs is None:
            yield from _gone(repository, path, ours, str(base))
        elif ours is None:
            text = repository.text(theirs)
            yield Step(path, Outcome.stays_deleted) if base else Step(path, Outcome.added, text)
        else:
            # Both have made a file of this name: they have nothing in common to start from.
            yield _merged(
                repository, path, ours, repository.text(base) if base else b"", repository.text(theirs)
            )


def _gone(repository: Repository, path: str, ours: bytes | None, base: str) -> Iterator[Step]:
    if ours is not None:
        yield Step(path, Outcome.deleted if ours == repository.text(base) else Outcome.kept)


def _merged(repository: Repository, path: str, ours: bytes, base: bytes, theirs: bytes) -> Step:
    if ours == theirs:
        return Step(path, Outcome.same)
    if ours == base:
        return Step(path, Outcome.taken, theirs)
    merged = repository.merge(ours, base, theirs, path)
    if merged.conflicts is None:
        return Step(path, Outcome.no_text)
    return Step(path, Outcome.conflict if merged.conflicts else Outcome.merged, merged.text)
