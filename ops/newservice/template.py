"""What a fork is copied from, as git has it, and `template.json`, which says for each file which blob that was."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ops.errors import OperatorError
from ops.newservice.repository import Repository

STARTER = "starter"
"""What a fork has that the template needs no second time: its tests, and how pytest finds its `app`."""

PATHS = (
    "app", "Dockerfile", ".dockerignore",
    "requirements/app.in", "requirements/app.txt", "requirements/build.in", "requirements/build.txt",
    STARTER,
)  # fmt: skip
FILE = "template.json"


class Template(BaseModel):
    """Version, commit, and blob id by path in the fork: as in the template, but for `starter/`, which falls away."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    commit: str
    files: dict[str, str]

    @classmethod
    def committed(cls, repository: Repository) -> Template:
        """The template of the commit that is checked out. Raises `OperatorError` if the working tree differs from it."""
        commit = repository.head()
        if changes := repository.changes(*PATHS):
            raise OperatorError(
                f"The template has changes that are not committed ({_shown(changes)}), and a fork is traced back to commits; "
                "commit or stash them first."
            )
        blobs = repository.blobs(*PATHS)
        files = {path.removeprefix(f"{STARTER}/"): blob for path, blob in blobs.items()}
        return cls(version=_version(repository.root), commit=commit, files=dict(sorted(files.items())))

    @classmethod
    def recorded(cls, fork: Path) -> Template:
        """What `template.json` of a fork says. Raises `OperatorError`."""
        try:
            return cls.model_validate_json((fork / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise OperatorError(
                f"services/{fork.name} has no {FILE}, so it is not known what it was copied from; "
                "name a service that `blueprint new-service` made."
            ) from None
        except ValueError:
            raise OperatorError(
                f"services/{fork.name}/{FILE} cannot be read: it must hold version, commit and files, as `blueprint new-service` "
                f"wrote them; restore it from git's history: git log -- services/{fork.name}/{FILE}"
            ) from None

    def written(self) -> bytes:
        """The text of `template.json`."""
        return (self.model_dump_json(indent=1) + "\n").encode()


def _version(root: Path) -> str:
    document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return str(document["project"]["version"])


def _shown(changes: list[str]) -> str:
    """A few of git's lines as one."""
    names = [line[3:] for line in changes]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
