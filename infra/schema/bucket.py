"""`blueprint:buckets.<name>`: a bucket in the stack's region, unless an exception is spelled out with its reason."""

from __future__ import annotations

from pydantic import Field

from infra.schema.model import Model


class BucketConfig(Model):
    """A Cloud Storage bucket. It has no location of its own: it takes the stack's region."""

    location: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z][A-Za-z0-9-]+$",
        title="where the bucket is, if not in the stack's region; needs `cross_region_reason` as well",
        description="a Cloud Storage location such as europe-west1, or absent for the stack's region",
    )
    cross_region_reason: str | None = Field(
        default=None,
        min_length=10,
        title="why every access may cross regions",
        description="a reason in words (10 characters or more), or absent",
    )
    delete_after_days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        title="age at which objects are deleted",
        description="whole days from 1 to 3650, or absent to keep objects for ever",
    )
    soft_delete_days: int = Field(
        default=7,
        ge=0,
        le=90,
        title="how long a deleted object can be restored (its storage is billed meanwhile)",
        description="0 to switch it off, or whole days from 7 to 90",
    )
    force_destroy: bool = Field(
        default=False,
        title="whether destroying or replacing the bucket deletes its objects too; never in a stack called `prod…`",
        description="true or false",
    )
