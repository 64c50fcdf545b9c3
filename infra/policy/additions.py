"""What a team's own resources need beyond what the pack lets pass, each with its reason: the one file here for teams to edit.

An entry needs a review, and who reads it needs the reason. What docs/policy.md calls refused for good stays refused.
"""

from __future__ import annotations

TYPES: dict[str, str] = {}
"""Resource and component types, such as `gcp:pubsub/topic:Topic`."""

ROLES: dict[tuple[str, str], str] = {}
"""Roles by the type that gives them, such as (`gcp:pubsub/topicIAMMember:TopicIAMMember`, `roles/pubsub.publisher`).
What CI is to give stands in infra/deployer.py as well."""

PERMISSIONS: dict[str, str] = {}
"""Permissions of custom roles, such as `pubsub.topics.create`."""

MEMBERS: dict[str, str] = {}
"""Members of roles that are no service account of the project, such as `group:support@example.com`."""
