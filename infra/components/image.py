"""The images that `blueprint:build` asks for: a Dockerfile each, built where Pulumi runs and pushed to the stack's registry."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_docker_build as docker_build

from infra.components.registry import Registry
from infra.schema.service import image_name
from infra.stack import Stack


class Image(pulumi.ComponentResource):
    """One image for every service of a source that names none. `digest_reference` is what they run: never a tag, which can move."""

    def __init__(
        self,
        stack: Stack,
        registry: Registry,
        opts: pulumi.ResourceOptions | None = None,
        source: str | None = None,
    ) -> None:
        name = image_name(source)
        super().__init__("blueprint:index:Image", stack.named(name), {}, opts)
        built = docker_build.Image(
            stack.named(name),
            **arguments(stack, registry.address, source),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[registry]),
        )
        self.digest_reference: pulumi.Output[str] = built.ref.apply(
            lambda ref: f"{registry.address}/{name}@{ref.rpartition('@')[2]}"
        )
        self.register_outputs({"digest_reference": self.digest_reference})


def sources(stack: Stack) -> list[str | None]:
    """The directories that images are built from, None for the template's own; none at all unless the stack builds."""
    built = {service.source for service in stack.services.values() if stack.build and not service.image}
    return sorted(built, key=image_name)


def arguments(stack: Stack, address: str, source: str | None = None) -> dict[str, Any]:
    """Arguments of the build. It needs Docker, and `gcloud auth configure-docker` for the registry's host."""
    # Relative to infra/, where Pulumi runs the program: the state holds no path of anybody's machine.
    context = f"../{source}" if source else ".."
    return {
        "context": {"location": context},
        "dockerfile": {"location": f"{context}/Dockerfile"},
        "platforms": ["linux/amd64"],  # what Cloud Run runs
        "tags": [f"{address}/{image_name(source)}:{stack.env}"],
        "push": True,
        # A preview neither needs Docker nor waits for it; the digest is unknown until the `up`.
        "build_on_preview": False,
    }
