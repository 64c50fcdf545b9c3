"""The container registry of a stack, in its region, with images scanned and old ones cleaned up."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_gcp import artifactregistry

from infra.stack import Stack


class Registry(pulumi.ComponentResource):
    """A Docker repository `services-<stack>` in Artifact Registry.

    Tags may move: a digest is what is deployed, and no cleanup policy could delete an image with an immutable tag.
    """

    def __init__(self, stack: Stack, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("blueprint:index:Registry", stack.named("services"), {}, opts)
        self.repository = artifactregistry.Repository(
            stack.named("services"),
            repository_id=stack.named("services"),
            format="DOCKER",
            location=stack.region,
            project=stack.project,
            labels=stack.all_labels(),
            kms_key_name=stack.encryption_key or None,
            cleanup_policies=cleanup_policies(),
            cleanup_policy_dry_run=False,
            # On, as long as the project has the scanner's API on: components/apis.py.
            vulnerability_scanning_config={"enablement_config": "INHERITED"},
            # Neither its key nor its format can change, and its successor has the same id; in production its images stay.
            opts=pulumi.ResourceOptions(
                parent=self, delete_before_replace=True, protect=stack.is_production or None
            ),
        )
        self.address = (
            f"{stack.region}-docker.pkg.dev/{stack.project.replace(':', '/')}/{stack.named('services')}"
        )
        self.register_outputs({"address": self.address})


def cleanup_policies() -> list[Any]:
    """Images older than 90 days go, except the 20 latest of each: a revision that serves must keep its image."""
    return [
        {
            "id": "delete-old",
            "action": "DELETE",
            "condition": {"older_than": f"{90 * 86400}s", "tag_state": "ANY"},
        },
        {"id": "keep-latest", "action": "KEEP", "most_recent_versions": {"keep_count": 20}},
    ]
