"""`blueprint:services.<name>.secrets.<NAME>`: a secret of Secret Manager as a variable, or as a file."""

from __future__ import annotations

from pydantic import Field

from infra.schema.model import Model


class SecretConfig(Model):
    """The secret and its versions are made by whoever holds them; the stack only lets the service read it."""

    secret: str = Field(
        pattern=r"^(projects/[^/\s]+/secrets/)?[A-Za-z0-9_-]{1,255}$",
        title="the secret, of this project unless its full name is given",
        description="a secret's id such as api-key, or projects/PROJECT/secrets/ID",
    )
    version: str = Field(
        default="latest",
        pattern=r"^(latest|[1-9][0-9]*)$",
        title="the version; `latest` is read when an instance starts",
        description='"latest", or a number as text such as "3"',
    )
    file: str | None = Field(
        default=None,
        pattern=r"^/[^/\s]+(/[^/\s]+)+$",
        title="the file it is mounted as; the variable then holds this path",
        description="an absolute path such as /secrets/api/key, or absent",
    )

    def project(self, own: str) -> str:
        """The project that holds it; `own` is the stack's."""
        return self.secret.split("/")[1] if "/" in self.secret else own

    @property
    def id(self) -> str:
        """Its id within its project."""
        return self.secret.rpartition("/")[2]

    def reference(self, own: str) -> str:
        """As Cloud Run takes it, and reports it: its id, or its full name if another project holds it."""
        project = self.project(own)
        return self.id if project == own else f"projects/{project}/secrets/{self.id}"
