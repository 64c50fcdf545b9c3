"""All rules: the table of contents of the pack. `each` runs before a resource is created, `whole` at the end."""

from __future__ import annotations

from infra.policy.accounts import (
    account_members,
    acting_accounts,
    new_accounts,
    own_account,
    unshared_account,
    used_accounts,
)
from infra.policy.alerts import alert_channel, alert_documentation
from infra.policy.buckets import bucket_access, bucket_deletion, bucket_location
from infra.policy.custom import custom_roles, limited_grants
from infra.policy.deletion import deletion_protection
from infra.policy.federation import federated_members, preview_roles, provider_condition
from infra.policy.images import image_digest
from infra.policy.instances import cpu_billing, max_instances, probes
from infra.policy.kinds import judged_types
from infra.policy.labels import labels
from infra.policy.members import grant_members
from infra.policy.permissions import role_permissions
from infra.policy.project import one_project
from infra.policy.public import invoker_check, public_members, public_services
from infra.policy.roles import gemini_role, project_roles, resource_roles
from infra.policy.rule import Rule, each, whole
from infra.policy.tracing import sampling_ratio

RULES: tuple[Rule, ...] = (
    each(judged_types),
    each(own_account),
    whole(unshared_account),
    each(account_members),
    whole(used_accounts),
    whole(acting_accounts),
    each(new_accounts),
    each(provider_condition),
    whole(federated_members),
    whole(preview_roles),
    whole(one_project),
    whole(grant_members),
    each(resource_roles),
    each(project_roles),
    whole(gemini_role),
    each(role_permissions),
    whole(custom_roles),
    whole(limited_grants),
    each(public_members),
    whole(public_services),
    each(invoker_check),
    each(image_digest),
    whole(bucket_location),
    each(bucket_access),
    each(bucket_deletion),
    each(sampling_ratio),
    each(probes),
    each(max_instances),
    each(cpu_billing),
    each(labels),
    each(deletion_protection),
    each(alert_documentation, "advisory"),
    each(alert_channel, "advisory"),
)
