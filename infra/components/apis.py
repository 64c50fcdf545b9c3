"""The Google APIs that a stack needs, enabled by the stack, so that nobody enables them by hand."""

from __future__ import annotations

import pulumi
from pulumi_gcp import projects

from infra.stack import Stack

NAMES = (
    "artifactregistry",
    # Both: with Cloud Trace off, what arrives at the Telemetry API is discarded
    # (docs.cloud.google.com/trace/docs/overview, 2026-04-10).
    "cloudtrace",
    "telemetry",
    "cloudresourcemanager",  # roles on the project
    "iam",
    "logging",
    "monitoring",
    "run",
    "storage",
)
GEMINI = "aiplatform"


def names(stack: Stack) -> list[str]:
    """The APIs of this stack: `NAMES`, and Gemini's where a service names a model."""
    gemini = [GEMINI] if any(service.uses_gemini for service in stack.services.values()) else []
    return [*NAMES, *gemini]


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
