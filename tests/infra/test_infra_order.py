"""Nothing is created before what it needs, and nothing destroyed before what needs it: proven from what Pulumi waits for.

Derived from the resources that each stack really declares, so that a new kind of resource is held to it as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache

import pytest
from recorded import Declared, Recorded, record
from stack_files import ENVIRONMENTS, changed, filled_in
from stack_options import everything

API = "gcp:projects/service:Service"
SERVICE = "gcp:cloudrunv2/service:Service"
IMAGE = "docker-build:index:Image"
KEY_GRANT = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"

# Which API serves a resource: the longest beginning of its type counts.
SERVED_BY = {
    "docker-build:": "artifactregistry",
    "gcp:artifactregistry/": "artifactregistry",
    "gcp:cloudrunv2/": "run",
    "gcp:iam/": "iam",
    "gcp:kms/": "cloudkms",
    "gcp:logging/": "logging",
    "gcp:monitoring/": "monitoring",
    "gcp:projects/iAMCustomRole": "iam",
    "gcp:projects/iAMMember": "cloudresourcemanager",
    "gcp:projects/serviceIdentity": "",  # Service Usage, which is always on; the API it names is another row
    "gcp:secretmanager/": "secretmanager",
    "gcp:serviceaccount/": "iam",
    "gcp:storage/": "storage",
}

# What others call a resource by; whoever says it comes after the resource.
KNOWN_AS = {
    "gcp:serviceaccount/account:Account": "email",
    "gcp:storage/bucket:Bucket": "name",
    SERVICE: "uri",
    "gcp:logging/metric:Metric": "name",
    "gcp:monitoring/slo:Slo": "name",
    "gcp:monitoring/alertPolicy:AlertPolicy": "name",
    "gcp:monitoring/notificationChannel:NotificationChannel": "name",
    "gcp:monitoring/genericService:GenericService": "name",
    "gcp:projects/iAMCustomRole:IAMCustomRole": "name",
    "gcp:projects/serviceIdentity:ServiceIdentity": "email",
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": "name",
    IMAGE: "ref",
}

STACKS = [*ENVIRONMENTS, "everything", "built"]


@cache
def stack(name: str) -> Recorded:
    """A shipped stack, one with every option, or one that builds its image."""
    if name == "everything":
        return record("dev", everything("dev"))
    if name == "built":
        values = filled_in("dev")
        for service in ("gateway", "extract", "archive"):
            values = changed(values, f"services.{service}.image", ...)
        return record("dev", changed(values, "build", True))
    return record(name, filled_in(name))


def missing(recorded: Recorded, pairs: Iterator[tuple[Declared, Declared]]) -> list[str]:
    """The pairs (needed, needing) of which Pulumi may begin the second before the first is there."""
    return [
        f"{needing} does not wait for {needed}"
        for needed, needing in pairs
        if recorded.urn_of(needed) not in needing.after
    ]


def all_pairs(recorded: Recorded) -> Iterator[tuple[Declared, Declared]]:
    found = recorded.declared()
    return ((first, then) for first in found for then in found if first is not then)


@pytest.mark.parametrize("name", STACKS)
def test_the_api_of_every_resource_is_enabled(name: str) -> None:
    """A fresh project has hardly any; a new kind of resource needs its row in SERVED_BY."""
    declared = stack(name).declared()
    enabled = {each.inputs["service"] for each in declared if each.type == API}
    for each in declared:
        if each.type != API:
            prefix = max((row for row in SERVED_BY if each.type.startswith(row)), key=len, default=None)
            assert prefix is not None, f"SERVED_BY does not say which API serves {each.type}"
            api = SERVED_BY[prefix]
            assert not api or f"{api}.googleapis.com" in enabled, f"{api} is off, and {each} needs it"


@pytest.mark.parametrize("name", STACKS)
def test_everything_waits_for_every_api(name: str) -> None:
    """Enabling one takes a while, and several resources need more than the one that serves them."""
    pairs = ((a, b) for a, b in all_pairs(stack(name)) if a.type == API and b.type != API)
    assert missing(stack(name), pairs) == []


@pytest.mark.parametrize("name", STACKS)
def test_whoever_names_a_resource_waits_for_it(name: str) -> None:
    """An alert for its log metric and channels, a grant for its account, a service for the URLs of its callees."""
    recorded = stack(name)
    texts = {str(each): json.dumps(each.inputs) for each in recorded.declared()}

    def pairs() -> Iterator[tuple[Declared, Declared]]:
        for named, naming in all_pairs(recorded):
            if named.kind == "Bucket" and naming.type.startswith("gcp:monitoring/"):
                continue  # a query may ask for what is not there yet
            key = KNOWN_AS.get(named.type)
            if key and str(named.outputs[key]) in texts[str(naming)]:
                yield named, naming
            if "serviceId" in named.inputs and naming.inputs.get("service") == named.inputs["serviceId"]:
                yield named, naming
            if f'"id-{named.name}"' in texts[str(naming)] and named.type in KNOWN_AS:
                yield named, naming

    assert missing(recorded, pairs()) == []


@pytest.mark.parametrize("name", STACKS)
def test_a_service_starts_with_all_its_roles(name: str) -> None:
    """A first revision that comes before one of them loses spans, calls or its start: secrets are read when it starts."""
    recorded = stack(name)

    def pairs() -> Iterator[tuple[Declared, Declared]]:
        for grant, service in all_pairs(recorded):
            if service.type == SERVICE and "member" in grant.inputs:
                account = service.inputs["template"]["serviceAccount"]
                if grant.inputs["member"] == f"serviceAccount:{account}":
                    yield grant, service

    found = list(pairs())
    assert len(found) >= len(recorded.of("Account")) - 1, "each service has at least the role for its spans"
    assert missing(recorded, iter(found)) == []


@pytest.mark.parametrize("name", STACKS)
def test_a_grant_on_a_service_comes_after_it(name: str) -> None:
    """Invokers, strangers included, are let in once there is something to invoke."""
    recorded = stack(name)
    pairs = (
        (service, grant)
        for service, grant in all_pairs(recorded)
        if service.type == SERVICE
        and grant.kind == "ServiceIamMember"
        and grant.inputs["name"] == service.inputs["name"]
    )
    assert missing(recorded, pairs) == []


@pytest.mark.parametrize("name", ["everything"])
def test_what_is_encrypted_waits_for_the_right_to_the_key(name: str) -> None:
    """Google's agents encrypt; without the grant the bucket, the registry or the revision is refused."""
    recorded = stack(name)
    pairs = [
        (grant, each)
        for grant, each in all_pairs(recorded)
        if grant.type == KEY_GRANT
        and each.type != KEY_GRANT
        and grant.inputs["cryptoKeyId"] in json.dumps(each.inputs)
    ]
    assert pairs, "the stack has a key, and nothing is granted or encrypted"
    assert missing(recorded, iter(pairs)) == []
