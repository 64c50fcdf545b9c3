"""A Cloud Storage bucket in the stack's region; who may use it is said where a service is declared."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_gcp import storage

from infra.schema.bucket import BucketConfig
from infra.stack import Stack
from infra.stated import stated


class Bucket(pulumi.ComponentResource):
    """The bucket `<project>-<name>-<stack>`."""

    def __init__(self, stack: Stack, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("blueprint:index:Bucket", stack.named(name), {}, opts)
        # The name is fixed, so a bucket that moves must go before its successor can come; in production it may not go at all.
        child = pulumi.ResourceOptions(
            parent=self, delete_before_replace=True, protect=stack.is_production or None
        )
        self.bucket = storage.Bucket(stack.named(name), **arguments(stack, name), opts=child)
        self.name = self.bucket.name
        self.register_outputs({"name": self.name})


def arguments(stack: Stack, name: str) -> dict[str, Any]:
    """Arguments of the bucket. What Google leaves open (access by object lists, public access) is shut explicitly."""
    config = stack.buckets[name]
    return {
        "name": stack.bucket_name(name),
        "project": stack.project,
        # As the API reports it, in capitals: no difference on the next run.
        "location": (config.location or stack.region).upper(),
        "storage_class": "STANDARD",
        "uniform_bucket_level_access": True,
        "public_access_prevention": "enforced",
        "soft_delete_policy": {"retention_duration_seconds": config.soft_delete_days * 86400},
        "lifecycle_rules": lifecycle(config),
        "force_destroy": config.force_destroy,
        "labels": stack.all_labels(bucket=name, **exception(config)),
        **stated(encryption=stated(default_kms_key_name=stack.encryption_key)),
    }


def lifecycle(config: BucketConfig) -> list[Any]:
    """Uploads that were never finished go after a day; objects after their age, if one is set."""
    rules = [{"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 1}}]
    if config.delete_after_days is not None:
        rules.append({"action": {"type": "Delete"}, "condition": {"age": config.delete_after_days}})
    return rules


def exception(config: BucketConfig) -> dict[str, str]:
    """The label by which the policy pack, audits and bills see that a bucket elsewhere is meant."""
    return {"cross-region": "reasoned"} if config.cross_region_reason else {}
