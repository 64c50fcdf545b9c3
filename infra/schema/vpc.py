"""`blueprint:services.<name>.vpc`: Direct VPC egress, so that a service reaches what has no public address."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from infra.schema.model import Model


class VpcConfig(Model):
    """A network of the project, or of its host project."""

    network: str = Field(
        min_length=1,
        title="the network",
        description="a network's name, or projects/HOST/global/networks/NAME",
    )
    subnetwork: str = Field(
        min_length=1,
        title="the subnetwork, in the stack's region",
        description="a subnetwork's name, or projects/HOST/regions/REGION/subnetworks/NAME",
    )
    egress: Literal["private-ranges-only", "all-traffic"] = Field(
        default="private-ranges-only",
        title="which outgoing traffic takes the way through the network",
        description="private-ranges-only or all-traffic",
    )
    tags: tuple[str, ...] = Field(
        default=(), title="network tags, for firewall rules", description="a list of network tags"
    )
