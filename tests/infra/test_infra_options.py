"""Each option that a stack can take, and what it becomes in the resources declared."""

from __future__ import annotations

from typing import Any

import pytest
from recorded import record
from stack_files import DIGEST, changed, filled_in, parsed

from infra.components import bucket, registry
from infra.components.bucket import arguments as bucket_arguments
from infra.components.encryption import Encryption, storage_agent
from infra.components.service import arguments
from infra.revision import template
from infra.stack import read

DEV = filled_in("dev")
KEY = "projects/acme-keys/locations/europe-southwest1/keyRings/ring/cryptoKeys/key"
SECRETS = {
    "API_KEY": {"secret": "api-key"},
    "TLS_KEY": {"secret": "projects/shared/secrets/tls", "version": "3", "file": "/secrets/tls/key.pem"},
    "OLD_API_KEY": {"secret": "projects/acme-docs/secrets/api-key", "version": "1"},
}


def _service(changes: dict[str, Any], name: str = "gateway", env: str = "dev") -> dict[str, Any]:
    values = filled_in(env)
    for path, value in changes.items():
        values = changed(values, path, value)
    return arguments(parsed(env, values), name, "account@x", "{}")


def _container(service: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = service["template"]["containers"][0]
    return container


def test_a_service_without_options_has_none_of_their_arguments() -> None:
    """An option that is taken back leaves nothing behind, and where the provider keeps old values the default is said."""
    found = _service({})
    assert found.keys() == {
        *("name", "location", "project", "ingress", "invoker_iam_disabled", "deletion_protection"),
        *("labels", "traffics", "template"),
    }  # fmt: skip
    assert not {"vpc_access", "volumes", "encryption_key"} & found["template"].keys()
    assert "volume_mounts" not in _container(found)
    assert found["ingress"] == "INGRESS_TRAFFIC_ALL"
    assert found["invoker_iam_disabled"] is False
    assert found["traffics"] == [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}]


def test_secrets_become_variables_and_files() -> None:
    """A variable refers to the secret; a file's variable holds its path. No value is in the stack, or in the state."""
    found = _service({"services.gateway.secrets": SECRETS})
    envs = {each["name"]: each for each in _container(found)["envs"]}
    assert envs["API_KEY"]["value_source"] == {"secret_key_ref": {"secret": "api-key", "version": "latest"}}
    assert envs["OLD_API_KEY"]["value_source"] == {"secret_key_ref": {"secret": "api-key", "version": "1"}}
    assert envs["TLS_KEY"] == {"name": "TLS_KEY", "value": "/secrets/tls/key.pem"}
    assert list(envs) == sorted(envs)
    assert found["template"]["volumes"] == [
        {
            "name": "secret-tls-key-file",
            "secret": {
                "secret": "projects/shared/secrets/tls",
                "items": [{"path": "key.pem", "version": "3"}],
            },
        }
    ]
    assert _container(found)["volume_mounts"] == [
        {"name": "secret-tls-key-file", "mount_path": "/secrets/tls"}
    ]


@pytest.mark.parametrize("variable", ["A", "_A_", "A__B", "Z9_"])
def test_a_volumes_name_is_a_label(variable: str) -> None:
    """Lower-case letters, digits and hyphens, with a letter at both ends."""
    found = _service({"services.gateway.secrets": {variable: {"secret": "s", "file": "/secrets/a/b"}}})
    name = found["template"]["volumes"][0]["name"]
    assert name.replace("-", "").isalnum()
    assert name == name.lower()
    assert not name.startswith("-")
    assert not name.endswith("-")


def test_only_the_service_that_names_a_secret_may_read_it() -> None:
    """The role is on the secret, for one account, once however many variables hold it; before the service is made."""
    values = changed(DEV, "services.gateway.secrets", SECRETS)
    recorded = record("dev", values)
    grants = {
        name: (grant["project"], grant["secretId"], grant["role"], grant["member"])
        for name, grant in recorded.of("SecretIamMember").items()
    }
    gateway = "serviceAccount:gateway-dev@acme-docs.iam.gserviceaccount.com"
    assert grants == {
        "gateway-reads-api-key-dev": ("acme-docs", "api-key", "roles/secretmanager.secretAccessor", gateway),
        "gateway-reads-shared.tls-dev": ("shared", "tls", "roles/secretmanager.secretAccessor", gateway),
    }


def test_a_secret_is_readable_before_the_service_is_made() -> None:
    """Cloud Run checks the access at deployment, and fails without it."""
    recorded = record("dev", changed(DEV, "services.gateway.secrets", SECRETS))
    declared = recorded.declared()
    service = next(each for each in declared if each.name == "gateway-dev" and "template" in each.inputs)
    grants = [each for each in declared if each.kind == "SecretIamMember"]
    assert len(grants) == 2
    assert {recorded.urn_of(grant) for grant in grants} <= service.after


@pytest.mark.parametrize(
    ("written", "declared"),
    [
        ("all", "INGRESS_TRAFFIC_ALL"),
        ("internal", "INGRESS_TRAFFIC_INTERNAL_ONLY"),
        ("internal-and-load-balancing", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"),
    ],
)
def test_ingress(written: str, declared: str) -> None:
    """From which networks a service is reached."""
    assert _service({"services.gateway.ingress": written})["ingress"] == declared


@pytest.mark.parametrize(
    "vpc",
    [
        {"network": "default", "subnetwork": "default", "egress": "all-traffic"},
        {"network": "default", "subnetwork": "default", "private_run_app": True},
    ],
)
def test_an_internal_service_is_called_by_way_of_the_network(vpc: dict[str, Any]) -> None:
    """By all traffic, or by an address of run.app that the network resolves to a private one."""
    changes = {"services.extract.ingress": "internal", "services.gateway.vpc": vpc}
    assert _service(changes, "extract")["ingress"] == "INGRESS_TRAFFIC_INTERNAL_ONLY"


def test_direct_vpc_egress() -> None:
    """An interface in the network; no connector to run and to pay for."""
    host = "projects/host"
    vpc = {
        "network": f"{host}/global/networks/shared",
        "subnetwork": f"{host}/regions/europe-southwest1/subnetworks/run",
        "egress": "all-traffic",
        "tags": ["run"],
    }
    assert _service({"services.gateway.vpc": vpc})["template"]["vpc_access"] == {
        "egress": "ALL_TRAFFIC",
        "network_interfaces": [{"network": vpc["network"], "subnetwork": vpc["subnetwork"], "tags": ["run"]}],
    }
    plain = {"network": "default", "subnetwork": "default"}
    assert _service({"services.gateway.vpc": plain})["template"]["vpc_access"] == {
        "egress": "PRIVATE_RANGES_ONLY",
        "network_interfaces": [plain],
    }


def test_a_public_service_without_a_grant_to_everybody() -> None:
    """Where an organisation forbids allUsers, the check is switched off instead: one or the other, never both."""
    recorded = record("dev", changed(DEV, "services.gateway.invoker_iam_disabled", True))
    assert recorded.of("Service")["gateway-dev"]["invokerIamDisabled"] is True
    assert "allUsers" not in {grant["member"] for grant in recorded.of("ServiceIamMember").values()}


def test_custom_audiences() -> None:
    """Beside its own URL."""
    audiences = ["https://api.example.com"]
    assert _service({"services.gateway.custom_audiences": audiences})["custom_audiences"] == audiences


def test_a_canary() -> None:
    """The latest revision gets a tenth, the one before the rest, and a third is reached by its tag alone."""
    split = [
        {"percent": 10, "tag": "canary"},
        {"revision": "gateway-dev-00041-abc", "percent": 90},
        {"revision": "gateway-dev-00040-xyz", "tag": "old"},
    ]
    assert _service({"services.gateway.traffic": split})["traffics"] == [
        {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 10, "tag": "canary"},
        {
            "type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION",
            "revision": "gateway-dev-00041-abc",
            "percent": 90,
        },
        {
            "type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION",
            "revision": "gateway-dev-00040-xyz",
            "percent": 0,
            "tag": "old",
        },
    ]


def test_a_rollback_is_a_line_in_the_stack_file() -> None:
    """All traffic to an older revision; what is deployed meanwhile gets none."""
    back = [{"revision": "gateway-dev-00041-abc", "percent": 100}]
    found = _service({"services.gateway.traffic": back})["traffics"]
    assert [(share["type"], share["percent"]) for share in found] == [
        ("TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", 100)
    ]


def test_labels_of_stack_and_service() -> None:
    """A service's own win over the stack's; those that infra/ sets are always there, on service, revision and bucket."""
    changes = {
        "labels": {"team": "docs", "cost-center": "7"},
        "services.gateway.labels": {"team": "front", "tier": "1"},
    }
    found = _service(changes)
    own = {"environment": "dev", "managed-by": "pulumi"}
    assert found["labels"] == {**own, "service": "gateway", "team": "front", "tier": "1", "cost-center": "7"}
    assert found["template"]["labels"] == found["labels"]
    found_bucket = bucket_arguments(parsed("dev", changed(DEV, "labels", changes["labels"])), "documents")
    assert found_bucket["labels"] == {**own, "bucket": "documents", "team": "docs", "cost-center": "7"}


def test_an_image_that_the_stack_builds() -> None:
    """A service that names an image runs that one all the same."""
    stack = parsed("dev", changed(changed(DEV, "build", True), "services.extract.image", ...))
    built = "europe-southwest1-docker.pkg.dev/acme-docs/services-dev/app@sha256:" + "b" * 64
    images = {
        name: template(stack, name, "a@x", "{}", built)["containers"][0]["image"]
        for name in ("gateway", "extract")
    }
    assert images == {"gateway": DIGEST, "extract": built}


def test_a_key_of_your_own_encrypts_services_and_buckets() -> None:
    """All that the stack keeps at Google: images imported by a revision, and objects."""
    encrypted = record("dev", changed(DEV, "encryption_key", KEY))
    services = [each for each in encrypted.of("Service").values() if "template" in each]
    assert {each["template"]["encryptionKey"] for each in services} == {KEY}
    assert encrypted.of("Bucket")["documents-dev"]["encryption"] == {"defaultKmsKeyName": KEY}


def test_googles_agents_may_use_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three agents, on this key, and no one else. Cloud Storage's has the project's number in common with Cloud Run's."""
    monkeypatch.setattr("recorded.declare", lambda: Encryption(read()))
    recorded = record("dev", changed(DEV, "encryption_key", KEY))
    grants = recorded.of("CryptoKeyIAMMember")
    assert {(each["cryptoKeyId"], each["role"]) for each in grants.values()} == {
        (KEY, "roles/cloudkms.cryptoKeyEncrypterDecrypter")
    }
    assert {name: each["member"] for name, each in grants.items()} == {
        "run-agent-uses-key-dev": "serviceAccount:service-1@run.googleapis.com.test",
        "artifactregistry-agent-uses-key-dev": "serviceAccount:service-1@artifactregistry.googleapis.com.test",
        "storage-agent-uses-key-dev": "serviceAccount:service-1@gs-project-accounts.iam.gserviceaccount.com",
    }


def test_an_address_without_a_project_number_is_no_agents() -> None:
    """Rather a refusal than a grant to nobody."""
    with pytest.raises(ValueError, match="no address such as service-123@"):
        storage_agent("gateway-dev@acme-docs.iam.gserviceaccount.com")


@pytest.mark.parametrize(("env", "protected"), [("dev", False), ("staging", False), ("prod", True)])
@pytest.mark.parametrize(
    ("provider", "kind"), [(bucket.storage, "Bucket"), (registry.artifactregistry, "Repository")]
)
def test_objects_and_images_of_prod_cannot_be_destroyed(
    env: str, protected: bool, provider: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by `pulumi destroy` nor by a change that would replace what holds them, such as that of the key; elsewhere
    `destroy` leaves nothing.
    """
    seen: list[bool] = []
    real = getattr(provider, kind)

    def spy(resource: str, /, *, opts: Any, **inputs: Any) -> Any:
        seen.append(bool(opts.protect))
        return real(resource, **inputs, opts=opts)

    monkeypatch.setattr(provider, kind, spy)
    record(env, filled_in(env))
    assert seen == [protected]
