"""The only roles this program gives, each on the smallest thing that has it, each to one account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_gcp import cloudrunv2, projects, secretmanager, storage

from infra.stack import Stack

if TYPE_CHECKING:
    from infra.components.bucket import Bucket

TRACE_ROLE = "roles/cloudtrace.agent"
"""Holds cloudtrace.traces.patch and telemetry.traces.write, so it opens both doors to Cloud Trace
(docs.cloud.google.com/trace/docs/iam). It can be given on a project only."""

OBJECT_ROLE = "roles/storage.objectUser"
"""Objects only: no say over the bucket, its policy or its deletion. Why not objectCreator: docs/decisions/0012."""

SECRET_ROLE = "roles/secretmanager.secretAccessor"
"""Reads versions of one secret, and nothing else of it (docs.cloud.google.com/secret-manager/docs/access-control)."""

INVOKER_ROLE = "roles/run.invoker"

GEMINI_ROLE = "roles/aiplatform.user"
"""Holds aiplatform.endpoints.predict, all that a call to a model needs; a custom role could hold that alone
(docs.cloud.google.com/vertex-ai/docs/general/access-control). On the project: Google's models are no resources of ours."""


def trace_writer(
    stack: Stack, name: str, member: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> projects.IAMMember:
    """Lets a service send its spans."""
    resource = stack.named(f"{name}-writes-traces")
    return projects.IAMMember(resource, project=stack.project, role=TRACE_ROLE, member=member, opts=opts)


def gemini_user(
    stack: Stack, name: str, member: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> projects.IAMMember:
    """Lets a service ask Gemini models."""
    resource = stack.named(f"{name}-asks-gemini")
    return projects.IAMMember(resource, project=stack.project, role=GEMINI_ROLE, member=member, opts=opts)


def object_user(
    stack: Stack,
    name: str,
    bucket: str,
    target: Bucket,
    member: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> storage.BucketIAMMember:
    """Lets a service store objects in a bucket and read them."""
    resource = stack.named(f"{name}-uses-{bucket}")
    return storage.BucketIAMMember(resource, bucket=target.name, role=OBJECT_ROLE, member=member, opts=opts)


def secret_reader(
    stack: Stack, name: str, secret: tuple[str, str], member: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> secretmanager.SecretIamMember:
    """Lets a service read one secret, given as (project, id)."""
    project, id = secret
    # A dot is in no secret's id: a secret of another project never has the name of one of ours.
    shown = id if project == stack.project else f"{project}.{id}"
    return secretmanager.SecretIamMember(
        stack.named(f"{name}-reads-{shown}"),
        project=project,
        secret_id=id,
        role=SECRET_ROLE,
        member=member,
        opts=opts,
    )


def invoker(
    stack: Stack,
    resource: str,
    callee: cloudrunv2.Service,
    member: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> cloudrunv2.ServiceIamMember:
    """Lets a member call a service; `allUsers` makes it public."""
    return cloudrunv2.ServiceIamMember(
        stack.named(resource),
        name=callee.name,
        location=stack.region,
        project=stack.project,
        role=INVOKER_ROLE,
        member=member,
        opts=opts,
    )
