"""`blueprint:services.<name>.vpc`: Direct VPC egress, so that a service reaches what has no public address."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from infra.schema.model import Model

Tag = Annotated[str, Field(description="a network tag")]


class VpcConfig(Model):
    """A network of the project, or of its host project.

    A host project must give Cloud Run's agent `roles/compute.networkUser` on the subnetwork; the stack has no say there.
    """

    network: str = Field(
        pattern=r"^(projects/[^/\s]+/global/networks/)?[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        title="the network",
        description="a network's name, or projects/HOST/global/networks/NAME",
    )
    subnetwork: str = Field(
        pattern=r"^(projects/[^/\s]+/regions/[^/\s]+/subnetworks/)?[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        title="the subnetwork, in the stack's region, with Private Google Access on",
        description="a subnetwork's name, or projects/HOST/regions/REGION/subnetworks/NAME",
    )
    egress: Literal["private-ranges-only", "all-traffic"] = Field(
        default="private-ranges-only",
        title="which outgoing traffic takes the way through the network",
        description="private-ranges-only or all-traffic",
    )
    private_run_app: bool = Field(
        default=False,
        title="whether the network resolves run.app to Google's private addresses (a private DNS zone), so that calls of internal services need no `all-traffic`",
        description="true or false",
    )
    tags: tuple[Tag, ...] = Field(
        default=(), title="network tags, for firewall rules", description="a list of network tags"
    )
