"""The git repository as the commands need it: what is committed, any text by its blob id, and a merge of three texts.

It changes nothing in git: neither index, nor branches, nor objects.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ops.errors import OperatorError

_BINARY = 255


class MissingBlob(Exception):
    """A text that this clone does not hold."""


@dataclass(frozen=True)
class Merged:
    """The outcome of a merge; `conflicts` is None for a file that is no text."""

    text: bytes
    conflicts: int | None


@dataclass(frozen=True)
class Repository:
    """The working tree at `root`, which may be a directory of a larger repository."""

    root: Path

    def head(self) -> str:
        """The commit that is checked out. Raises `OperatorError` without one."""
        try:
            done = self._git("rev-parse", "--verify", "--quiet", "HEAD")
        except FileNotFoundError:
            raise OperatorError(
                "git is not on PATH, and the template is copied out of it; install git."
            ) from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            if trust := next((line.strip() for line in said if "--add safe.directory" in line), ""):
                raise OperatorError(
                    f"{self.root} belongs to somebody else, so git does not read it; if you trust it, run `{trust}`."
                )
            raise OperatorError(
                f"{self.root} has no commit that the template could be copied from"
                f"{f' ({said[0]})' if said else ''}; run `git init && git add . && git commit -m 'The template'` there."
            )
        return done.stdout.decode().strip()

    def blobs(self, *paths: str) -> dict[str, str]:
        """Committed files at or below `paths`: path -> blob id."""
        listed = self._said("ls-tree", "-r", "-z", "HEAD", "--", *paths).decode()
        entries = (entry.partition("\t") for entry in listed.split("\0") if entry)
        return {path: about.split()[2] for about, _, path in entries}

    def text(self, blob: str) -> bytes:
        """The bytes of a blob. Raises `MissingBlob`."""
        done = self._git("cat-file", "blob", blob)
        if done.returncode:
            raise MissingBlob(blob)
        return done.stdout

    def changes(self, *paths: str) -> list[str]:
        """What is not committed at or below `paths`, new files included, as `git status --short` writes it."""
        return self._said("status", "--porcelain", "--", *paths).decode().splitlines()

    def is_shallow(self) -> bool:
        """Whether the clone lacks older commits."""
        return self._said("rev-parse", "--is-shallow-repository").strip() == b"true"

    def merge(self, ours: bytes, base: bytes, theirs: bytes, label: str) -> Merged:
        """Three texts made one by `git merge-file`: where both changed the same lines, both stand between markers."""
        with tempfile.TemporaryDirectory() as directory:
            files = [Path(directory, name) for name in ("ours", "base", "theirs")]
            for file, text in zip(files, (ours, base, theirs), strict=True):
                file.write_bytes(text)
            labels = [part for each in (label, "as it was copied", "the template") for part in ("-L", each)]
            done = self._git("merge-file", "-p", *labels, *map(str, files))
        if done.returncode >= _BINARY or done.returncode < 0:
            return Merged(ours, None)
        return Merged(done.stdout, done.returncode)

    def _said(self, *arguments: str) -> bytes:
        done = self._git(*arguments)
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise OperatorError(f"`git {arguments[0]}` failed in {self.root}: {said}")
        return done.stdout

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, check=False)
