"""The Google APIs that a stack needs, enabled by the stack, so that nobody enables them by hand."""

from __future__ import annotations

import pulumi
from pulumi_gcp import projects

from infra.stack import Stack

ALWAYS = (
    "artifactregistry",
    # Both: with Cloud Trace off, what arrives at the Telemetry API is discarded
    # (docs.cloud.google.com/trace/docs/overview, 2026-04-10).
    "cloudtrace",
    "telemetry",
    "cloudresourcemanager",  # roles on the project
    "containerscanning",  # scans every image pushed to the registry
    "iam",
    "logging",
    "monitoring",
    "run",
    "storage",
)


def names(stack: Stack) -> list[str]:
    """The APIs of this stack: `ALWAYS`, and those of the options that it takes."""
    services = stack.services.values()
    taken = {
        "aiplatform": any(service.uses_gemini for service in services),
        "cloudkms": bool(stack.encryption_key),
        "compute": any(service.vpc for service in services),  # owns the networks of Direct VPC egress
        # Workload identity federation: a token of GitHub's becomes one of Google's, then the deployer's.
        "iamcredentials": stack.ci is not None,
        "secretmanager": any(service.secrets for service in services),
        "sts": stack.ci is not None,
    }
    return [*ALWAYS, *(name for name, needed in taken.items() if needed)]


class Apis(pulumi.ComponentResource):
    """Every API of `names`. Destroying a stack leaves them on: other stacks of the project use them too."""

    def __init__(self, stack: Stack, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("blueprint:index:Apis", stack.named("apis"), {}, opts)
        for name in names(stack):
            projects.Service(
                stack.named(name),
                service=f"{name}.googleapis.com",
                project=stack.project,
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
