"""`blueprint:ci`: the one GitHub repository whose workflows may deploy this stack, without any key."""

from __future__ import annotations

from pydantic import Field

from infra.schema.model import Model

_DIGITS = r"^[1-9][0-9]{0,19}$"


class CiConfig(Model):
    """Bound to a branch, or to a GitHub environment, which can ask for an approval; or to both."""

    repository: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$",
        title="the repository",
        description="a repository such as acme/docs",
    )
    repository_id: str | None = Field(
        default=None,
        pattern=_DIGITS,
        title="its number, which stays with it; the name of a renamed or deleted repository is free for others",
        description='digits in quotes, such as "123456789", or absent',
    )
    owner_id: str | None = Field(
        default=None,
        pattern=_DIGITS,
        title="the number of the organisation or user it belongs to",
        description='digits in quotes, such as "123456789", or absent',
    )
    branch: str | None = Field(
        default=None,
        pattern=r"^[^\s~^:?*\[\\]{1,200}$",
        title="the branch that deploys; in `dev` and `dev-…` it, or `environment`, is enough",
        description="a branch such as main, without refs/heads/, or absent",
    )
    environment: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,99}$",
        title="the GitHub environment that deploys, which can ask for an approval; needed, with `branch`, outside `dev` and `dev-…`",
        description="the stack's name, as up.yml uses it, or absent",
    )
    previews: bool = Field(
        default=False,
        title="whether pull requests of the repository may read this stack's state, to preview it; in `dev` and `dev-…` only",
        description="true or false",
    )
