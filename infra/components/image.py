"""The image that `blueprint:build` asks for: the Dockerfile, built where Pulumi runs and pushed to the stack's registry."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_docker_build as docker_build

from infra.components.registry import Registry
from infra.stack import Stack


class Image(pulumi.ComponentResource):
    """One image for every service that names none. `digest_reference` is what they run: never a tag, which can move."""

    def __init__(self, stack: Stack, registry: Registry, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("blueprint:index:Image", stack.named("app"), {}, opts)
        built = docker_build.Image(
            stack.named("app"),
            **arguments(stack, registry.address),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[registry]),
        )
        self.digest_reference: pulumi.Output[str] = built.ref.apply(
            lambda ref: f"{registry.address}/app@{ref.rpartition('@')[2]}"
        )
        self.register_outputs({"digest_reference": self.digest_reference})


def arguments(stack: Stack, address: str) -> dict[str, Any]:
    """Arguments of the build. It needs Docker, and `gcloud auth configure-docker` for the registry's host."""
    return {
        # Relative to infra/, where Pulumi runs the program: the state holds no path of anybody's machine.
        "context": {"location": ".."},
        "dockerfile": {"location": "../Dockerfile"},
        "platforms": ["linux/amd64"],  # what Cloud Run runs
        "tags": [f"{address}/app:{stack.env}"],
        "push": True,
        # A preview neither needs Docker nor waits for it; the digest is unknown until the `up`.
        "build_on_preview": False,
    }
