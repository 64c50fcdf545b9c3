"""Rules on who reaches a service and by which way: ingress, Direct VPC egress, public access, audiences.

Sources: docs.cloud.google.com/run/docs/securing/ingress and …/private-networking, …/configuring/vpc-direct-vpc.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import Problem
from infra.schema.vpc import VpcConfig

if TYPE_CHECKING:
    from infra.stack import Stack

_TAG = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


def ingress(stack: Stack) -> Iterator[Problem]:
    """A call to `run.app` comes from the internet for its callee, and is refused by an internal one, unless it came by the VPC."""
    for name, service in stack.services.items():
        # A callee that does not exist is told elsewhere.
        callees = [callee for callee in service.calls if callee in stack.services]
        shut = [callee for callee in callees if stack.services[callee].ingress != "all"]
        if not shut:
            continue
        key, why = f"blueprint:services.{name}.vpc", f"as {shut[0]} takes no calls from the internet"
        if service.vpc is None:
            must = f"a map of network, subnetwork and egress all-traffic, {why}"
            yield Problem(key, None, must, f"add it, or set blueprint:services.{shut[0]}.ingress to all")
        elif service.vpc.egress != "all-traffic" and not service.vpc.private_run_app:
            remedy = "set it so, or private_run_app where the network resolves run.app to Google's private addresses"
            yield Problem(f"{key}.egress", service.vpc.egress, f"all-traffic, {why}", remedy)


def networks(stack: Stack) -> Iterator[Problem]:
    """Network and subnetwork are of one project, and the subnetwork is in the stack's region."""
    for name, service in stack.services.items():
        if service.vpc:
            yield from _network(f"blueprint:services.{name}.vpc", service.vpc, stack)


def _network(key: str, vpc: VpcConfig, stack: Stack) -> Iterator[Problem]:
    subnetwork = vpc.subnetwork.split("/")
    if len(subnetwork) > 1 and subnetwork[3] != stack.region:
        must = f"a subnetwork in the stack's region {stack.region}"
        yield Problem(f"{key}.subnetwork", vpc.subnetwork, must, "name one there")
    if _project(vpc.network, stack) != _project(vpc.subnetwork, stack):
        must = f"a subnetwork of the network's project {_project(vpc.network, stack)}"
        yield Problem(f"{key}.subnetwork", vpc.subnetwork, must, "give both by full name, or both by name")
    for tag in vpc.tags:
        if not _TAG.fullmatch(tag):
            must = "network tags of 1 to 63 lower-case letters, digits and hyphens"
            yield Problem(f"{key}.tags", tag, must, "rename the tag")


def _project(name: str, stack: Stack) -> str:
    return name.split("/")[1] if "/" in name else stack.project


def strangers(stack: Stack) -> Iterator[Problem]:
    """Only a service for everybody can do without the check who calls."""
    for name, service in stack.services.items():
        if service.invoker_iam_disabled and not service.public:
            yield Problem(
                f"blueprint:services.{name}.invoker_iam_disabled",
                True,
                "false, as the service is not public",
                "remove it, or set public to true if anyone may call it",
            )


def audiences(stack: Stack) -> Iterator[Problem]:
    """A token for one service must not open another, so no two have the same public name."""
    owners: dict[str, str] = {}
    for name, service in stack.services.items():
        for audience in service.custom_audiences:
            if audience in owners:
                must = f"an audience of its own (services.{owners[audience]} has this one)"
                key = f"blueprint:services.{name}.custom_audiences"
                yield Problem(key, audience, must, "keep it in one of them, once")
            owners.setdefault(audience, name)
