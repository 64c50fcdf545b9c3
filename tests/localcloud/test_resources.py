"""The seam keeps durable books, tells changes from replacements, and leaves no lie behind when something is refused."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from localcloud.kinds import KINDS, UNKNOWN, kind_of
from localcloud.resources import Refused, Resources
from tests.localcloud.recording_cloud import HOME, RecordingCloud

ACCOUNT, BUCKET, SERVICE = (
    "gcp:serviceaccount/account:Account",
    "gcp:storage/bucket:Bucket",
    "gcp:cloudrunv2/service:Service",
)
REPOSITORY = "gcp:artifactregistry/repository:Repository"
GENERIC_SERVICE = "gcp:monitoring/genericService:GenericService"
BUCKET_MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"
ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
SECRET_MEMBER = "gcp:secretmanager/secretIamMember:SecretIamMember"
AGENT = "gcp:projects/serviceIdentity:ServiceIdentity"
EMAIL = "gw@local-project.iam.gserviceaccount.com"
MEMBER = {"role": "roles/run.invoker", "member": "allUsers"}

# One resource of each kind: its inputs, its id, and outputs that programs and the console rely on.
SAMPLES: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    ACCOUNT: (
        {"accountId": "gw"},
        "projects/local-project/serviceAccounts/gw@local-project.iam.gserviceaccount.com",
        {"member": "serviceAccount:gw@local-project.iam.gserviceaccount.com"},
    ),
    "gcp:projects/service:Service": (
        {"service": "run.googleapis.com"},
        "local-project/run.googleapis.com",
        {},
    ),
    REPOSITORY: (
        {"repositoryId": "images", "location": "us-central1", "format": "DOCKER"},
        "projects/local-project/locations/us-central1/repositories/images",
        {"registryUri": "us-central1-docker.pkg.dev/local-project/images"},
    ),
    BUCKET: (
        {"name": "docs", "location": "us-central1"},
        "docs",
        {
            "url": "gs://docs",
            "location": "US-CENTRAL1",
            "selfLink": "https://www.googleapis.com/storage/v1/b/docs",
        },
    ),
    "gcp:monitoring/notificationChannel:NotificationChannel": (
        {"type": "email"},
        "projects/local-project/notificationChannels/6966238052190541886",
        {"name": "projects/local-project/notificationChannels/6966238052190541886"},
    ),
    "gcp:projects/iAMMember:IAMMember": (
        {"project": "projects/local-project", **MEMBER},
        "local-project/roles/run.invoker/allUsers",
        {},
    ),
    BUCKET_MEMBER: ({"bucket": "b/docs", **MEMBER}, "b/docs/roles/run.invoker/allUsers", {}),
    POLICY: (
        {"displayName": "504s", "combiner": "OR", "conditions": [{"displayName": "504"}]},
        "projects/local-project/alertPolicies/10289061533438073378",
        {"name": "projects/local-project/alertPolicies/10289061533438073378"},
    ),
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": (
        {
            "name": "projects/local-project/locations/us-central1/services/gw",
            "location": "us-central1",
            **MEMBER,
        },
        "projects/local-project/locations/us-central1/services/gw/roles/run.invoker/allUsers",
        {},
    ),
    GENERIC_SERVICE: (
        {
            "serviceId": "gw",
            "basicService": {"serviceType": "CLOUD_RUN", "serviceLabels": {"service_name": "gw"}},
        },
        "projects/local-project/services/gw",
        {"name": "projects/local-project/services/gw"},
    ),
    "gcp:monitoring/slo:Slo": (
        {"service": "gw", "sloId": "fast", "goal": 0.95},
        "projects/local-project/services/gw/serviceLevelObjectives/fast",
        {"name": "projects/local-project/services/gw/serviceLevelObjectives/fast"},
    ),
    "gcp:monitoring/dashboard:Dashboard": (
        {"dashboardJson": "{}"},
        "projects/123456789012/dashboards/7263367448900682431",
        {},
    ),
    "gcp:logging/metric:Metric": ({"name": "requests", "filter": "severity>=ERROR"}, "requests", {}),
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": (
        {"workloadIdentityPoolId": "github"},
        "projects/local-project/locations/global/workloadIdentityPools/github",
        # By number: what a principalSet:// member must say.
        {"name": "projects/123456789012/locations/global/workloadIdentityPools/github", "state": "ACTIVE"},
    ),
    "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": (
        {"workloadIdentityPoolId": "github", "workloadIdentityPoolProviderId": "actions"},
        "projects/local-project/locations/global/workloadIdentityPools/github/providers/actions",
        {"name": "projects/123456789012/locations/global/workloadIdentityPools/github/providers/actions"},
    ),
    ROLE: (
        {"roleId": "deployer", "title": "Deployer", "permissions": ["run.services.update"]},
        "projects/local-project/roles/deployer",
        {"name": "projects/local-project/roles/deployer", "deleted": False},
    ),
    "gcp:serviceaccount/iAMMember:IAMMember": (
        {
            "serviceAccountId": f"projects/local-project/serviceAccounts/{EMAIL}",
            "role": "roles/iam.workloadIdentityUser",
            "member": "principalSet://iam.googleapis.com/pool/attribute.repository/acme/docs",
        },
        f"projects/local-project/serviceAccounts/{EMAIL}/roles/iam.workloadIdentityUser"
        "/principalSet://iam.googleapis.com/pool/attribute.repository/acme/docs",
        {},
    ),
    SECRET_MEMBER: (
        {
            "secretId": "api-key",
            "role": "roles/secretmanager.secretAccessor",
            "member": f"serviceAccount:{EMAIL}",
        },
        f"projects/local-project/secrets/api-key/roles/secretmanager.secretAccessor/serviceAccount:{EMAIL}",
        {},
    ),
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": (
        {
            "repository": "projects/local-project/locations/us-central1/repositories/images",
            "location": "us-central1",
            "role": "roles/artifactregistry.writer",
            "member": f"serviceAccount:{EMAIL}",
        },
        "projects/local-project/locations/us-central1/repositories/images/roles/artifactregistry.writer"
        f"/serviceAccount:{EMAIL}",
        {},
    ),
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": (
        {
            "cryptoKeyId": "projects/keys/locations/us-central1/keyRings/ring/cryptoKeys/key",
            "role": "roles/cloudkms.cryptoKeyEncrypterDecrypter",
            "member": f"serviceAccount:{EMAIL}",
        },
        "projects/keys/locations/us-central1/keyRings/ring/cryptoKeys/key"
        f"/roles/cloudkms.cryptoKeyEncrypterDecrypter/serviceAccount:{EMAIL}",
        {},
    ),
    AGENT: (
        {"service": "artifactregistry.googleapis.com"},
        "projects/local-project/services/artifactregistry.googleapis.com",
        {"email": "service-123456789012@gcp-sa-artifactregistry.iam.gserviceaccount.com"},
    ),
    SERVICE: (
        {"name": "gw", "location": "us-central1", "template": {"timeout": "5s"}, "deletionProtection": False},
        "projects/local-project/locations/us-central1/services/gw",
        {
            "uri": "http://127.0.0.1:8081",
            "urls": ["http://127.0.0.1:8081"],
            "latestReadyRevision": "projects/local-project/locations/us-central1/services/gw/revisions/it-00001",
        },
    ),
}


@pytest.fixture
def cloud() -> RecordingCloud:
    return RecordingCloud()


@pytest.fixture
def resources(tmp_path: Path, cloud: RecordingCloud) -> Resources:
    return Resources(tmp_path, cloud, HOME)


def test_every_kind_has_a_sample() -> None:
    assert SAMPLES.keys() == KINDS.keys()


@pytest.mark.parametrize("type", SAMPLES)
async def test_ids_and_computed_outputs_have_the_providers_shape(resources: Resources, type: str) -> None:
    inputs, id, outputs = SAMPLES[type]
    made = await resources.create(type, "it", inputs)
    assert made.id == id
    expected = {**inputs, "project": "local-project", **outputs}
    assert {key: made.outputs[key] for key in expected} == expected
    assert UNKNOWN not in json.dumps(made.outputs)


@pytest.mark.parametrize("type", SAMPLES)
async def test_a_preview_knows_exactly_what_no_deployment_is_needed_for(
    resources: Resources, type: str
) -> None:
    """Every computed output is unknown before a create; an update makes only those unknown that it changes."""
    inputs = SAMPLES[type][0]
    kind = kind_of(type)
    before = resources.preview(type, "it", inputs)
    assert {key for key, value in before.outputs.items() if value == UNKNOWN} == set(kind.computed)
    made = await resources.create(type, "it", inputs)
    update = resources.preview(type, "it", inputs, made)
    assert {key for key, value in update.outputs.items() if value == UNKNOWN} == set(kind.volatile)
    assert update.outputs.keys() == made.outputs.keys()


@pytest.mark.parametrize(
    ("type", "changed", "changes", "replaces"),
    [
        (BUCKET, {}, [], []),
        (BUCKET, {"location": "US-CENTRAL1"}, [], []),
        (BUCKET, {"project": "local-project"}, [], []),
        (BUCKET, {"location": "europe-west1"}, ["location"], ["location"]),
        (BUCKET, {"name": "other", "labels": {"a": "b"}}, ["labels", "name"], ["name"]),
        (SERVICE, {"template": {"timeout": "9s"}}, ["template"], []),
        (SERVICE, {"name": "other"}, ["name"], ["name"]),
        (ACCOUNT, {"displayName": "Gateway"}, ["displayName"], []),
        (ACCOUNT, {"accountId": "other"}, ["accountId"], ["accountId"]),
        (BUCKET_MEMBER, {"role": "roles/storage.objectViewer"}, ["role"], ["role"]),
        (POLICY, {"combiner": "AND"}, ["combiner"], []),
    ],
)
def test_a_diff_names_the_changes_and_those_that_replace(
    resources: Resources, type: str, changed: dict[str, Any], changes: list[str], replaces: list[str]
) -> None:
    olds = SAMPLES[type][0]
    diff = resources.diff(type, olds, {**olds, **changed})
    assert (diff.changes, diff.replaces) == (changes, replaces)


def test_what_the_wire_adds_is_no_change(resources: Resources) -> None:
    """Protobuf makes every number a float, and the engine adds keys and nulls of its own."""
    olds = {**SAMPLES[BUCKET][0], "lifecycleRules": [{"condition": {"age": 3}}]}
    news = {**olds, "lifecycleRules": [{"condition": {"age": 3.0}}], "__defaults": [], "labels": None}
    assert resources.diff(BUCKET, olds, news).changes == []
    assert resources.check(BUCKET, news) == olds


@pytest.mark.parametrize(
    ("type", "inputs", "sentence"),
    [
        (
            "gcp:pubsub/topic:Topic",
            {},
            r"^gcp:pubsub/topic:Topic is not .* it knows .*gcp:storage/bucket:Bucket",
        ),
        (
            BUCKET,
            {"location": "us-central1"},
            r"^gcp:storage/bucket:Bucket: `name` is missing; .* give it explicitly$",
        ),
        (
            BUCKET,
            {**SAMPLES[BUCKET][0], "project": "other"},
            r"project has value 'other'; .* holds only 'local-project'$",
        ),
        (
            BUCKET_MEMBER,
            {**SAMPLES[BUCKET_MEMBER][0], "role": "roles/owner"},
            r"role has value 'roles/owner', which .* it knows",
        ),
        (
            SECRET_MEMBER,
            {**SAMPLES[SECRET_MEMBER][0], "role": "roles/secretmanager.secretAcessor"},
            r"role has value 'roles/secretmanager.secretAcessor', which .* it knows",
        ),
    ],
)
async def test_inputs_that_cannot_be_made_are_refused_with_a_remedy(
    resources: Resources, cloud: RecordingCloud, type: str, inputs: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        resources.check(type, inputs)
    with pytest.raises(Refused, match=sentence):
        await resources.apply(type, "it", inputs)
    assert (cloud.log, resources.all()) == ([], [])


def test_values_that_are_not_known_yet_pass_the_check(resources: Resources) -> None:
    resources.check(BUCKET_MEMBER, dict.fromkeys(("bucket", "role", "member"), UNKNOWN))


async def test_two_declarations_of_one_bucket_are_refused(resources: Resources) -> None:
    await resources.create(BUCKET, "mine", SAMPLES[BUCKET][0])
    with pytest.raises(
        Refused, match=r"^409: .* 'docs' already exists, declared as 'mine'; give 'yours' another name$"
    ):
        await resources.create(BUCKET, "yours", SAMPLES[BUCKET][0])


@pytest.mark.parametrize("type", [BUCKET_MEMBER, SECRET_MEMBER])
async def test_the_same_role_granted_twice_is_one_grant(resources: Resources, type: str) -> None:
    """Whether Identity enforces it or it is in the books only."""
    for name in ("one", "two"):
        await resources.create(type, name, SAMPLES[type][0])
    assert len(resources.all()) == 1


@pytest.mark.parametrize(
    ("secret", "id"),
    [("api-key", "projects/local-project/secrets/api-key"), ("projects/p/secrets/s", "projects/p/secrets/s")],
)
def test_a_secret_is_named_by_its_id_or_in_full(secret: str, id: str) -> None:
    """One of another project keeps that project."""
    inputs = {**SAMPLES[SECRET_MEMBER][0], "secretId": secret}
    assert kind_of(SECRET_MEMBER).identify(HOME, "it", inputs).startswith(f"{id}/roles/")


@pytest.mark.parametrize(
    ("api", "domain"),
    [
        ("run", "serverless-robot-prod"),
        ("storage", "gs-project-accounts"),
        ("pubsub", "gcp-sa-pubsub"),
    ],
)
async def test_googles_own_agents_have_the_addresses_that_google_gave_them(
    resources: Resources, api: str, domain: str
) -> None:
    """Most follow a rule, the oldest do not."""
    made = await resources.create(AGENT, api, {"service": f"{api}.googleapis.com"})
    assert made.outputs["email"] == f"service-123456789012@{domain}.iam.gserviceaccount.com"


async def test_a_resource_that_another_engine_made_is_adopted_if_an_update_can_do_it(
    resources: Resources, cloud: RecordingCloud
) -> None:
    """The engine's state is empty, the cloud's is not."""
    await resources.create(BUCKET, "docs", {"name": "docs", "location": "us-central1"})
    await resources.create(BUCKET, "docs", {"name": "docs", "location": "us-central1", "labels": {"a": "b"}})
    assert cloud.log == ["put Bucket docs", "put Bucket docs"]


@pytest.mark.parametrize(
    ("type", "changed"),
    [
        (REPOSITORY, {"kmsKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}),
        (GENERIC_SERVICE, {"basicService": {"serviceType": "CLOUD_RUN"}}),
        (BUCKET, {"location": "europe-west1"}),
    ],
)
async def test_a_successor_meets_its_predecessor_as_on_google(
    resources: Resources, cloud: RecordingCloud, type: str, changed: dict[str, Any]
) -> None:
    """Created first, a replacement with the same id is refused and leaves what there is; deleted first, it comes."""
    inputs, id, _ = SAMPLES[type]
    await resources.create(type, "it", inputs)
    with pytest.raises(
        Refused, match=r"409: .* already exists, and no update can change .* delete_before_replace"
    ):
        await resources.create(type, "it", {**inputs, **changed})
    assert [each.inputs for each in resources.all()] == [inputs]
    await resources.delete(type, id)
    await resources.create(type, "it", {**inputs, **changed})
    assert [each.id for each in resources.all()] == [id]


@pytest.mark.parametrize(
    ("type", "changed", "deletes_first"),
    [
        (BUCKET, {"location": "europe-west1"}, True),
        (BUCKET, {"labels": {"a": "b"}}, False),
        (ACCOUNT, {"accountId": "other"}, True),
        (SERVICE, {"location": "europe-west1"}, True),
        (REPOSITORY, {"kmsKeyName": "k"}, False),
        (GENERIC_SERVICE, {"basicService": {}}, False),
        (BUCKET_MEMBER, {"role": "roles/storage.objectViewer"}, False),
    ],
)
def test_the_provider_deletes_first_where_the_program_named_what_it_would_name_itself(
    resources: Resources, type: str, changed: dict[str, Any], deletes_first: bool
) -> None:
    """So does the real one, and for nothing else: an id such as `repositoryId` is no name for it."""
    olds = SAMPLES[type][0]
    assert resources.diff(type, olds, {**olds, **changed}).deletes_first is deletes_first


async def test_a_grant_with_another_condition_comes_before_the_old_one_goes(
    resources: Resources, cloud: RecordingCloud
) -> None:
    """Two bindings on Google, so the role is never lost in between."""
    inputs = {"bucket": "docs", "role": "roles/storage.objectUser", "member": "allUsers"}
    old = await resources.create(BUCKET_MEMBER, "it", inputs)
    new = await resources.create(
        BUCKET_MEMBER, "it", {**inputs, "condition": {"title": "t", "expression": "e"}}
    )
    assert new.id == f"{old.id}/t//e"
    await resources.delete(BUCKET_MEMBER, old.id)
    assert (resources.all(), cloud.log) == ([new], ["put BucketIAMMember it", "put BucketIAMMember it"])
    await resources.delete(BUCKET_MEMBER, new.id)
    assert cloud.log[-1] == "drop BucketIAMMember it"


async def test_apply_creates_updates_replaces_and_otherwise_does_nothing(
    resources: Resources, cloud: RecordingCloud
) -> None:
    inputs = {"name": "docs", "location": "us-central1"}
    first = await resources.apply(BUCKET, "docs", inputs)
    assert await resources.apply(BUCKET, "docs", inputs) == first
    await resources.apply(BUCKET, "docs", {**inputs, "labels": {"a": "b"}})
    await resources.apply(BUCKET, "docs", {**inputs, "location": "europe-west1"})
    assert cloud.log == ["put Bucket docs", "put Bucket docs", "drop Bucket docs", "put Bucket docs"]


async def test_an_update_tells_the_effect_the_former_outputs(
    resources: Resources, cloud: RecordingCloud
) -> None:
    """So that a service keeps its URI."""
    inputs, id, _ = SAMPLES[SERVICE]
    made = await resources.create(SERVICE, "gw", inputs)
    assert cloud.held[id].outputs == {}
    await resources.update(SERVICE, id, {**inputs, "template": {"timeout": "9s"}})
    assert cloud.held[id].outputs == made.outputs


async def test_a_refused_delete_keeps_the_resource(resources: Resources, cloud: RecordingCloud) -> None:
    await resources.create(BUCKET, "docs", SAMPLES[BUCKET][0])
    cloud.refuse["Bucket docs"] = "409: The bucket docs is not empty"
    with pytest.raises(Refused, match="not empty"):
        await resources.delete(BUCKET, "docs")
    with pytest.raises(Refused, match="not empty"):
        await resources.apply(BUCKET, "docs", {"name": "docs", "location": "europe-west1"})
    assert [r.inputs["location"] for r in resources.all()] == ["us-central1"]


async def test_deleting_what_is_gone_is_no_error(resources: Resources, cloud: RecordingCloud) -> None:
    await resources.delete(BUCKET, "docs")
    assert cloud.log == []


@pytest.mark.parametrize(
    ("protection", "refused"),
    [({}, True), ({"deletionProtection": True}, True), ({"deletionProtection": False}, False)],
)
async def test_a_service_is_protected_from_deletion_unless_told_otherwise(
    resources: Resources, protection: dict[str, bool], refused: bool
) -> None:
    """The gcp provider's default, which `pulumi destroy` trips over."""
    inputs = {"name": "gw", "location": "us-central1", "template": {}, **protection}
    made = await resources.create(SERVICE, "gw", inputs)
    if refused:
        with pytest.raises(Refused, match="is protected: set deletionProtection to false"):
            await resources.delete(SERVICE, made.id)
    else:
        await resources.delete(SERVICE, made.id)
    assert bool(resources.all()) is refused


async def test_a_second_run_finds_everything_and_restores_it_dependencies_first(
    resources: Resources, cloud: RecordingCloud, tmp_path: Path
) -> None:
    for type in (SERVICE, BUCKET_MEMBER, BUCKET, ACCOUNT):
        await resources.create(type, "it", SAMPLES[type][0])
    later = RecordingCloud()
    later.uri, later.slow = "http://127.0.0.1:9999", {"Account it"}
    second = Resources(tmp_path, later, HOME)
    assert second.all() == resources.all()
    assert await second.restore() == []
    assert later.log == ["put Bucket it", "put Account it", "put BucketIAMMember it", "put Service it"]
    service = second.named(SERVICE, "it")
    assert service is not None
    assert service.outputs["uri"] == "http://127.0.0.1:9999", "a port that was taken meanwhile is told"
    assert Resources(tmp_path, later, HOME).all() == second.all()


async def test_what_cannot_be_restored_is_forgotten_and_told(
    resources: Resources, cloud: RecordingCloud, tmp_path: Path
) -> None:
    """Otherwise no engine would see a change, and the service would never come back."""
    for type in (SERVICE, BUCKET):
        await resources.create(type, "it", SAMPLES[type][0])
    cloud.refuse["Service it"] = "Revision it-00002 did not start"
    second = Resources(tmp_path, cloud, HOME)
    assert await second.restore() == ["it: Revision it-00002 did not start"]
    assert [r.type for r in Resources(tmp_path, cloud, HOME).all()] == [BUCKET]


async def test_the_books_survive_a_write_that_was_cut_off(
    resources: Resources, cloud: RecordingCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are written beside and moved into place, and only their owner can read them."""
    await resources.create(BUCKET, "docs", SAMPLES[BUCKET][0])

    def cut_off(file: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", cut_off)
    with pytest.raises(OSError, match="No space left"):
        await resources.create(ACCOUNT, "it", SAMPLES[ACCOUNT][0])
    assert [r.name for r in Resources(tmp_path, cloud, HOME).all()] == ["docs"]
    assert (tmp_path / "resources.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"resources": [{"type": "x"}]}'])
def test_books_that_cannot_be_read_are_refused_with_a_remedy(
    tmp_path: Path, cloud: RecordingCloud, text: str
) -> None:
    (tmp_path / "resources.json").write_text(text)
    with pytest.raises(Refused, match=r"resources\.json cannot be read .*: delete it and deploy again"):
        Resources(tmp_path, cloud, HOME)


@pytest.mark.parametrize(
    ("type", "grant"),
    [
        ("gcp:projects/iAMMember:IAMMember", ("projects/local-project", "roles/run.invoker", "allUsers")),
        (
            "gcp:cloudrunv2/serviceIamMember:ServiceIamMember",
            ("services/gw", "roles/run.invoker", "allUsers"),
        ),
        (BUCKET_MEMBER, ("buckets/docs", "roles/run.invoker", "allUsers")),
        (SECRET_MEMBER, None),
        (BUCKET, None),
    ],
)
def test_an_iam_member_says_what_it_grants(type: str, grant: tuple[str, str, str] | None) -> None:
    """In Identity's terms, whether a name or a full path was given."""
    assert kind_of(type).grant(HOME, SAMPLES[type][0]) == grant


def test_kinds_have_the_arguments_of_the_installed_provider() -> None:
    """Each required or fixed input, and each computed output, is one that the class in pulumi_gcp has."""
    for token, kind in KINDS.items():
        module = token.split(":")[1].partition("/")[0]
        made = getattr(importlib.import_module(f"pulumi_gcp.{module}"), token.rpartition(":")[2])
        known = {_camel(key) for key, value in vars(made).items() if isinstance(value, property)}
        assert {*kind.required, *kind.fixed, *kind.computed} <= known, token


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
