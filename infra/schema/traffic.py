"""`blueprint:services.<name>.traffic`: which revisions get which share, for a canary or a rollback by configuration."""

from __future__ import annotations

from pydantic import Field

from infra.schema.model import Model


class TrafficConfig(Model):
    """One share. Without any, the latest revision gets everything."""

    revision: str = Field(
        default="latest",
        pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        title="the revision, as `gcloud run revisions list` names it",
        description="latest, or a revision's name such as gateway-prod-00042-abc",
    )
    percent: int = Field(
        default=0,
        ge=0,
        le=100,
        title="share of requests; 0 for a revision that is reached by its tag only",
        description="a whole number from 0 to 100",
    )
    tag: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9-]{1,44}[a-z0-9]$",
        title="name by which this revision has an address of its own",
        description="3 or more lower-case letters, digits and hyphens, such as canary, or absent",
    )
