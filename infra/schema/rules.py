"""Rules between the fields of a stack file, each a plain generator of problems; `RULES` lists them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from infra.environment import SET_HERE
from infra.schema.problem import Problem
from infra.schema.sizes import sizes
from infra.schema.wiring import buckets, calls, locations

if TYPE_CHECKING:
    from infra.stack import Stack

_NAME = re.compile(r"^[a-z]([a-z0-9-]*[a-z0-9])?\Z")
_PLACEHOLDER = re.compile(r"PROJECT_ID|^REGION-|:TAG$|@sha256:DIGEST$")


def names(stack: Stack) -> Iterator[Problem]:
    """Service accounts take 6 to 30 characters and buckets 3 to 63; `<service>-<stack>` and `<project>-<bucket>-<stack>` must fit."""
    for name in stack.services:
        if not _NAME.match(name) or not 6 <= len(stack.named(name)) <= 30:
            yield Problem(
                f"blueprint:services.{name}",
                stack.named(name),
                "6 to 30 lower-case letters, digits and hyphens together with the stack's name (a service account's limit)",
                "rename the service",
            )
    for name in stack.buckets:
        full = stack.bucket_name(name)
        if not _NAME.match(name) or not 3 <= len(full) <= 63 or "google" in full:
            yield Problem(
                f"blueprint:buckets.{name}",
                full,
                "3 to 63 lower-case letters, digits and hyphens without the word google, project and stack included",
                "rename the bucket",
            )


def images(stack: Stack) -> Iterator[Problem]:
    """A real environment names the image it runs; only `local` has the working tree to run."""
    for name, service in stack.services.items():
        key, must = f"blueprint:services.{name}.image", "an image with a tag or digest"
        if stack.is_local:
            continue
        if service.image is None or service.image == "local":
            yield Problem(
                key,
                service.image,
                f"{must} (only stack local runs the working tree)",
                f"build one, push it, and set {key}",
            )
        elif _PLACEHOLDER.search(service.image):
            yield Problem(
                key, service.image, f"{must} of your own, not the placeholder", f"replace it in {stack.file}"
            )
        elif not re.search(r"(:[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64})\Z", service.image) or re.search(
            r"\s", service.image
        ):
            yield Problem(key, service.image, must, f"name the version you pushed in {stack.file}")


def instances(stack: Stack) -> Iterator[Problem]:
    """Fewer instances at least than at most."""
    for name, service in stack.services.items():
        if service.min_instances > service.max_instances:
            yield Problem(
                f"blueprint:services.{name}.min_instances",
                service.min_instances,
                f"at most max_instances, which is {service.max_instances}",
                "lower it, or raise max_instances",
            )


def environments(stack: Stack) -> Iterator[Problem]:
    """A service's own variables have portable names and leave alone those that infra/ or Cloud Run set."""
    for service_name, service in stack.services.items():
        for name in service.env:
            key = f"blueprint:services.{service_name}.env.{name}"
            if name in SET_HERE:
                yield Problem(
                    key,
                    service.env[name],
                    "absent, since infra/ sets this variable",
                    f"remove it; {SET_HERE[name]}",
                )
            elif name == "PORT" or name.startswith("K_"):
                yield Problem(
                    key, service.env[name], "absent, since Cloud Run sets this variable", "remove it"
                )
            elif not re.match(r"^[A-Z_][A-Z0-9_]*$", name):
                group = f"blueprint:services.{service_name}.env"
                yield Problem(group, name, "a map of names in capitals, digits and underscores", "rename it")


def undeletes(stack: Stack) -> Iterator[Problem]:
    """Cloud Storage keeps deleted objects for 7 days at least, or not at all."""
    for name, bucket in stack.buckets.items():
        if 0 < bucket.soft_delete_days < 7:
            yield Problem(
                f"blueprint:buckets.{name}.soft_delete_days",
                bucket.soft_delete_days,
                "0, or 7 to 90",
                f"change it in {stack.file}",
            )


def something(stack: Stack) -> Iterator[Problem]:
    """A stack without services would deploy nothing that answers."""
    if not stack.services:
        yield Problem(
            "blueprint:services", {}, "a map of at least one service", f"declare one in {stack.file}"
        )


RULES: tuple[Callable[[Stack], Iterator[Problem]], ...] = (
    something, names, images, sizes, instances, environments, calls, buckets, locations, undeletes,
)  # fmt: skip
