"""What was deployed, from a stack file and the program's outputs: what is read of them, and that no secret comes along."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops.deployment import Bucket, Deployment
from ops.errors import OperatorError

CONFIG: dict[str, Any] = {
    "gcp:project": "acme-docs",
    "blueprint:tracing": {"sample_ratio": 0.25},
    "blueprint:notify": {"slack": [{"token": "xoxb-hunter2"}]},
    "blueprint:services": {
        "gateway": {
            "public": True,
            "calls": ["extract"],
            "env": {"PIPELINE_STEP": "receive", "API_TOKEN": "hunter2", "OTEL_EXPORTER_OTLP_HEADERS": "k=hunter2"},
        },
        "extract": {"calls": ["archive"], "env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}},
        "archive": {"buckets": ["documents"]},
    },
    "blueprint:buckets": {"documents": {"cross_region_reason": "the law says so"}},
}  # fmt: skip
OUTPUTS: dict[str, Any] = {
    "project": "acme-docs",
    "region": "europe-west1",
    "services": {
        name: {"name": f"{name}-dev", "url": f"https://{name}-dev.example", "image": "app"}
        for name in ("gateway", "extract", "archive")
    },
    "buckets": {"documents": "acme-docs-documents-dev"},
    "alerts": {"Timeouts (504) · dev": "projects/acme-docs/alertPolicies/1"},
    "links": {"traces": "https://example.invalid"},
}


def deployment(**config: Any) -> Deployment:
    return Deployment.of("dev", {**CONFIG, **config}, OUTPUTS)


def test_what_the_stack_file_and_the_outputs_say() -> None:
    """Names, addresses, accounts, calls, the ratio, and the exporter's default."""
    found = deployment()
    assert (found.project, found.region, found.exporter, found.sample_ratio) == (
        "acme-docs",
        "europe-west1",
        "gcp_otlp",
        0.25,
    )
    gateway = found.services["gateway"]
    assert (gateway.run_name, gateway.step, gateway.public) == ("gateway-dev", "receive", True)
    assert gateway.account == "gateway-dev@acme-docs.iam.gserviceaccount.com"
    assert found.services["extract"].destination == {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    assert found.buckets == {"documents": Bucket("acme-docs-documents-dev", "the law says so")}
    assert [service.name for service in found.entries()] == ["gateway"]
    assert found.along_calls("gateway") == ["gateway", "extract", "archive"]


def test_its_record_is_the_same_again_and_holds_no_secret() -> None:
    """A local cloud serves it to whoever asks."""
    text = json.dumps(deployment().record())
    assert "hunter2" not in text
    assert Deployment.read(json.loads(text)) == deployment()


def test_config_that_pulumi_has_encrypted_is_as_good_as_absent() -> None:
    """One secret anywhere in a key makes Pulumi encrypt the whole value."""
    found = deployment(**{"blueprint:services": {"secure": "v1:x"}, "blueprint:tracing": {"secure": "v1:x"}})
    assert found.sample_ratio == 1.0
    assert [service.name for service in found.entries()] == ["gateway", "extract", "archive"]


def test_without_a_public_service_those_are_entries_that_nobody_calls() -> None:
    services = {name: {**each, "public": False} for name, each in CONFIG["blueprint:services"].items()}
    found = deployment(**{"blueprint:services": services})
    assert [service.name for service in found.entries()] == ["gateway"]


def test_the_account_of_a_domains_project_has_the_domain_behind_it() -> None:
    found = Deployment.of("dev", CONFIG, {**OUTPUTS, "project": "example.com:docs"})
    assert found.services["archive"].account == "archive-dev@docs.example.com.iam.gserviceaccount.com"


@pytest.mark.parametrize("ratio", ["lots", 2, None])
def test_a_ratio_that_is_none_is_one_sentence(ratio: object) -> None:
    with pytest.raises(
        OperatorError, match=r"Pulumi\.dev\.yaml: blueprint:tracing\.sample_ratio has value .*0 to 1"
    ):
        deployment(**{"blueprint:tracing": {"sample_ratio": ratio}})


@pytest.mark.parametrize("calls", [3, "extract", [{"a": 1}], ["nobody"], None])
def test_calls_that_are_none_lead_nowhere(calls: object) -> None:
    """The schema refuses them at the next `pulumi up`; here there is no stack trace."""
    services = {**CONFIG["blueprint:services"], "gateway": {"public": True, "calls": calls}}
    found = deployment(**{"blueprint:services": services})
    assert found.along_calls("gateway") == ["gateway"]


def test_a_service_that_is_declared_and_not_deployed_is_named() -> None:
    """A verification of the others would be no answer."""
    services = {**CONFIG["blueprint:services"], "thumbs": {}}
    with pytest.raises(OperatorError, match="declares thumbs, which stack 'dev' has not deployed"):
        deployment(**{"blueprint:services": services})


@pytest.mark.parametrize(
    ("calls", "public", "doors"),
    [
        ({"a": ["b"]}, "a", ["a", "c"]),
        ({"c": ["b"]}, "a", ["a", "c"]),
        ({"b": ["c"], "c": ["b"]}, "a", ["a", "b"]),
        ({"a": ["b"], "b": ["c"]}, "a", ["a"]),
        ({"a": ["b"], "b": ["a"]}, "", ["c", "a"]),
    ],
)
def test_every_service_is_reached_from_a_door(
    calls: dict[str, list[str]], public: str, doors: list[str]
) -> None:
    """Also a circle of services that nobody enters; whoever is behind another unreached one is asked through that."""
    services = {name: {"calls": calls.get(name, []), "public": name == public} for name in "abc"}
    outputs = {**OUTPUTS, "services": {name: {"name": name, "url": "https://x.example"} for name in "abc"}}
    found = Deployment.of("dev", {"blueprint:services": services}, outputs)
    assert [service.name for service in found.doors()] == doors


def test_a_stack_that_is_not_deployed_is_one_sentence() -> None:
    with pytest.raises(OperatorError, match="nothing is deployed: run `pulumi up --stack dev` first"):
        Deployment.of("dev", CONFIG, {})
