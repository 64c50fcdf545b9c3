"""A small production stack that keeps every rule, for tests to break one thing at a time; recorded programs as rules see them."""

from __future__ import annotations

import copy
from typing import Any

from recorded import Recorded
from stack_files import DIGEST

from infra.policy.declared import UNKNOWN, Declared
from infra.policy.rules import RULES

LABELS = {"environment": "prod", "managed-by": "pulumi"}
MARK = "template.containers.0.envs.0.value"
PROJECT = "acme-docs"
RATIO = "template.containers.0.envs.1.value"
BY_NAME = {rule.name: rule for rule in RULES}
REMOVED = object()


def _service(name: str, public: bool, *envs: tuple[str, str], region: str = "europe-west1") -> Declared:
    variables = [("SERVICE_PUBLIC", str(public).lower()), ("OTEL_TRACES_SAMPLER_ARG", "0.1"), *envs]
    container = {
        "image": DIGEST,
        "envs": [{"name": key, "value": value} for key, value in variables],
        "resources": {"cpuIdle": True, "limits": {"cpu": "1"}},
        "startupProbe": {"httpGet": {"path": "/healthz"}},
        "livenessProbe": {"httpGet": {"path": "/healthz"}},
    }
    properties = {
        "name": f"{name}-prod",
        "project": PROJECT,
        "location": region,
        "deletionProtection": True,
        "labels": {**LABELS, "service": name},
        "template": {
            "serviceAccount": f"{name}-prod@acme-docs.iam.gserviceaccount.com",
            "scaling": {"maxInstanceCount": 20.0},
            "containers": [container],
        },
    }
    return Declared("gcp:cloudrunv2/service:Service", f"{name}-prod", properties)


def _member(kind: str, resource: str, who: str, role: str, **properties: Any) -> Declared:
    return Declared(kind, resource, {"member": who, "role": role, **properties})


def _account(service: str) -> str:
    return f"serviceAccount:{service}-prod@acme-docs.iam.gserviceaccount.com"


def _workload(kind: str, name: str, path: tuple[str, ...]) -> Declared:
    """A job or worker pool, which say the same at different places."""
    inner: Any = {
        "serviceAccount": f"{name}-prod@acme-docs.iam.gserviceaccount.com",
        "containers": [{"image": DIGEST}],
    }
    for step in reversed(path):
        inner = {step: inner}
    return Declared(
        kind,
        f"{name}-prod",
        {
            "deletionProtection": True,
            "labels": LABELS,
            "location": "europe-west1",
            "project": PROJECT,
            **inner,
        },
    )


def _custom(name: str, *permissions: str) -> Declared:
    return Declared(
        "gcp:projects/iAMCustomRole:IAMCustomRole",
        name,
        {"roleId": f"{name}_prod", "permissions": list(permissions), "project": PROJECT},
    )


def _made(name: str) -> Declared:
    """A service account, as it is once Google has made it."""
    email = f"{name}-prod@{PROJECT}.iam.gserviceaccount.com"
    properties = {"accountId": f"{name}-prod", "project": PROJECT, "email": email}
    return Declared("gcp:serviceaccount/account:Account", f"{name}-prod", properties)


POOL = "projects/1/locations/global/workloadIdentityPools/github-prod"
OPENED = f"principalSet://iam.googleapis.com/{POOL}"
CONDITION = (
    'assertion.repository == "acme/docs" && assertion.repository_id == "1" && assertion.repository_owner_id == "2" && '
    "assertion.event_name in ['push', 'workflow_dispatch'] && "
    'assertion.environment == "prod" && assertion.ref == "refs/heads/main"'
)
PULL = (
    """assertion.repository == "acme/docs" && (assertion.event_name == 'pull_request' || """
    """(assertion.event_name in ['push', 'workflow_dispatch'] && assertion.ref == "refs/heads/main"))"""
)
AGENT = "service-1@serverless-robot-prod.iam.gserviceaccount.com"
_KEY = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
_ENCRYPTS = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
_ONLY = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['roles/run.invoker', 'roles/storage.objectUser'])"
_USES = "gcp:serviceaccount/iAMMember:IAMMember"
_INVOKER = "gcp:cloudrunv2/serviceIamMember:ServiceIamMember"
_PROJECT = "gcp:projects/iAMMember:IAMMember"
GOOD = {
    "gateway": _service("gateway", True),
    "archive": _service("archive", False, ("GEMINI_MODEL", "gemini-2.5-flash")),
    "strangers": _member(_INVOKER, "gateway-public", "allUsers", "roles/run.invoker", name="gateway-prod", location="europe-west1", project=PROJECT),
    "calls": _member(_INVOKER, "gateway-calls-archive", _account("gateway"), "roles/run.invoker", name="archive-prod", location="europe-west1", project=PROJECT),
    "traces": _member(_PROJECT, "archive-writes-traces", _account("archive"), "roles/cloudtrace.agent"),
    "gemini": _member(_PROJECT, "archive-asks-gemini", _account("archive"), "roles/aiplatform.user"),
    "deploys": _member(_PROJECT, "deploys", _account("deployer"), "projects/acme-docs/roles/deployer_prod"),
    "role": _custom("deployer", "run.services.create", "iam.serviceAccounts.get"),
    "gives": _member(_PROJECT, "gives", _account("deployer"), "projects/acme-docs/roles/giving_prod", condition={"expression": _ONLY}),
    "giving": _custom("giving", "run.services.setIamPolicy", "storage.buckets.setIamPolicy"),
    "opens": _member(_USES, "github-is-deployer", f"{OPENED}/attribute.purpose/deploy", "roles/iam.workloadIdentityUser", serviceAccountId=f"projects/{PROJECT}/serviceAccounts/{_account('deployer')[15:]}"),
    "acts": _member(_USES, "deployer-deploys-archive", _account("deployer"), "roles/iam.serviceAccountUser", serviceAccountId=f"projects/{PROJECT}/serviceAccounts/{_account('archive')[15:]}"),
    "job": _workload("gcp:cloudrunv2/job:Job", "sweep", ("template", "template")),
    "pool": _workload("gcp:cloudrunv2/workerPool:WorkerPool", "pull", ("template",)),
    "made": _made("gateway"),
    "archived": _made("archive"),
    "deployer": _made("deployer"),
    "identities": Declared("gcp:iam/workloadIdentityPool:WorkloadIdentityPool", "github", {"workloadIdentityPoolId": "github-prod", "project": PROJECT, "name": POOL}),
    "provider": Declared("gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider", "github", {"workloadIdentityPoolId": "github-prod", "project": PROJECT, "oidc": {"issuerUri": "https://token.actions.githubusercontent.com"}, "attributeCondition": CONDITION, "attributeMapping": {"google.subject": "assertion.run_id"}}),
    "agent": Declared("gcp:projects/serviceIdentity:ServiceIdentity", "run-agent", {"project": PROJECT, "email": AGENT}),
    "encrypts": _member(_KEY, "run-agent-uses-key", f"serviceAccount:{AGENT}", _ENCRYPTS),
    "stores": _member(_KEY, "storage-agent-uses-key", "serviceAccount:service-1@gs-project-accounts.iam.gserviceaccount.com", _ENCRYPTS),
    "objects": _member("gcp:storage/bucketIAMMember:BucketIAMMember", "archive-uses", _account("archive"), "roles/storage.objectUser"),
    "bucket": Declared(
        "gcp:storage/bucket:Bucket",
        "documents-prod",
        {
            "location": "EUROPE-WEST1",
            "uniformBucketLevelAccess": True,
            "publicAccessPrevention": "enforced",
            "labels": LABELS,
        },
    ),
    "alert": Declared(
        "gcp:monitoring/alertPolicy:AlertPolicy",
        "timeouts-prod",
        {"documentation": {"content": "Look at the traces."}, "notificationChannels": ["c"], "userLabels": LABELS},
    ),
}  # fmt: skip
ADDED = {
    "dataset": Declared("gcp:bigquery/dataset:Dataset", "logs", {"accesses": [{"specialGroup": "projectOwners"}, {"iamMember": _account("archive")}]}),
    "policy": Declared("gcp:storage/bucketIAMPolicy:BucketIAMPolicy", "whole", {"policyData": "{}"}),
    "sibling": _service("gateway", False, region="us-central1"),
}  # fmt: skip
"""What only stands in the stack of a test that changes it: a type that somebody may add, a service more."""


def stack(where: str = "", value: Any = None) -> list[Declared]:
    """The good stack; with `gateway.labels.service` and a value, that one changed (REMOVED takes it away, the next index adds)."""
    resources = copy.deepcopy(GOOD)
    if where:
        name, *steps, last = where.split(".")
        if name in ADDED:
            resources[name] = copy.deepcopy(ADDED[name])
        node: Any = resources[name].properties
        for step in steps:
            node = node[int(step)] if isinstance(node, list) else node.setdefault(step, {})
        key = int(last) if isinstance(node, list) else last
        if value is REMOVED:
            del node[key]
        elif isinstance(node, list) and key == len(node):
            node.append(value)
        else:
            node[key] = value
    return list(resources.values())


def declared(recorded: Recorded) -> list[Declared]:
    """What the program declared, as the rules over a whole stack see it: with what Google computed."""
    return [Declared(each.type, each.name, {**each.outputs, **each.inputs}) for each in recorded.declared()]


def verdicts(rule: str, resources: list[Declared], env: str) -> list[str]:
    """The sentences of one rule."""
    return [str(finding) for finding in BY_NAME[rule].findings(resources, env)]


def hidden(value: Any) -> Any:
    """The same structure with every leaf unknown, as in the first preview of a new project at its worst."""
    if isinstance(value, dict):
        return {key: hidden(entry) for key, entry in value.items()}
    return UNKNOWN
