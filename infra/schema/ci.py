"""`blueprint:ci`: the one GitHub repository whose workflows may deploy this stack, without any key."""

from __future__ import annotations

from pydantic import Field

from infra.schema.model import Model


class CiConfig(Model):
    """Bound to a branch, or to a GitHub environment, which can ask for an approval; or to both."""

    repository: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$",
        title="the repository",
        description="a repository such as acme/docs",
    )
    branch: str | None = Field(
        default=None,
        pattern=r"^[^\s~^:?*\[\\]{1,200}$",
        title="the branch that deploys; needed where there is no `environment`",
        description="a branch such as main, or absent",
    )
    environment: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,99}$",
        title="the GitHub environment that deploys, which can ask for an approval",
        description="a GitHub environment such as prod, or absent",
    )
    previews: bool = Field(
        default=False,
        title="whether pull requests of the repository may read this stack's state, to preview it; not in staging and prod",
        description="true or false",
    )
