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

    @property
    def is_conflict(self) -> bool:
        """Whether somebody has to decide."""
        return self in (Outcome.conflict, Outcome.no_text)


@dataclass(frozen=True)
class Step:
    """One file whose template has changed. `text` is what to write; None: nothing, or for `deleted` the file goes."""

    path: str
    outcome: Outcome
    text: bytes | None = None


def plan(repository: Repository, name: str, recorded: Template, today: Template) -> list[Step]:
    """A step for each file that the template has changed since it was copied. Raises `OperatorError`."""
    fork = repository.root / "services" / name
    try:
        return list(_steps(repository, fork, recorded, today))
    except MissingBlob as missing:
        if repository.is_shallow():
            remedy = "this clone is shallow; run `git fetch --unshallow`"
        else:
            remedy = f"fetch the commit that it was copied from: git fetch origin {recorded.commit}"
        raise OperatorError(
            f"The text that services/{name} was copied from (blob {missing}) is not in this clone: {remedy}."
        ) from None


def apply(fork: Path, steps: list[Step], today: Template) -> None:
    """Write the steps, and last `template.json`: what was copied is from now on today's template."""
    for step in steps:
        file = fork / step.path
        if step.outcome is Outcome.deleted:
            file.unlink()
        elif step.text is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(step.text)
    (fork / FILE).write_bytes(today.written())


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
