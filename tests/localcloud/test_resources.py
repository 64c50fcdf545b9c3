"""The seam keeps durable books, tells changes from replacements, and leaves no lie behind when something is refused."""

from __future__ import annotations

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
BUCKET_MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"
MEMBER = {"role": "roles/run.invoker", "member": "allUsers"}

# One resource of each kind: its inputs, its id, and outputs that programs and the console rely on.
SAMPLES: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    ACCOUNT: (
        {"accountId": "gw"},
        "projects/local-project/serviceAccounts/gw@local-project.iam.gserviceaccount.com",
        {"member": "serviceAccount:gw@local-project.iam.gserviceaccount.com"},
    ),
    "gcp:projects/service:Service": ({"service": "run.googleapis.com"}, "local-project/run.googleapis.com", {}),
    "gcp:artifactregistry/repository:Repository": (
        {"repositoryId": "images", "location": "us-central1", "format": "DOCKER"},
        "projects/local-project/locations/us-central1/repositories/images",
        {"registryUri": "us-central1-docker.pkg.dev/local-project/images"},
    ),
    BUCKET: (
        {"name": "docs", "location": "us-central1"},
        "docs",
        {"url": "gs://docs", "location": "US-CENTRAL1", "selfLink": "https://www.googleapis.com/storage/v1/b/docs"},
    ),
    "gcp:monitoring/notificationChannel:NotificationChannel": (
        {"type": "email"},
        "projects/local-project/notificationChannels/1817893632083170262",
        {"name": "projects/local-project/notificationChannels/1817893632083170262"},
    ),
    "gcp:projects/iAMMember:IAMMember": (
        {"project": "projects/local-project", **MEMBER},
        "local-project/roles/run.invoker/allUsers",
        {},
    ),
    BUCKET_MEMBER: ({"bucket": "b/docs", **MEMBER}, "b/docs/roles/run.invoker/allUsers", {}),
    POLICY: (
        {"displayName": "504s", "combiner": "OR", "conditions": [{"displayName": "504"}]},
        "projects/local-project/alertPolicies/15403044372440837453",
        {"name": "projects/local-project/alertPolicies/15403044372440837453"},
    ),
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": (
        {"name": "projects/local-project/locations/us-central1/services/gw", "location": "us-central1", **MEMBER},
        "projects/local-project/locations/us-central1/services/gw/roles/run.invoker/allUsers",
        {},
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
    assert made.outputs.items() >= {**inputs, "project": "local-project", **outputs}.items() - _changed(inputs, outputs)
    assert UNKNOWN not in json.dumps(made.outputs)


def _changed(inputs: dict[str, Any], outputs: dict[str, Any]) -> set[Any]:
    return set()


@pytest.mark.parametrize("type", SAMPLES)
async def test_a_preview_knows_exactly_what_no_deployment_is_needed_for(resources: Resources, type: str) -> None:
    """Every computed output is unknown before a create; an update makes only those unknown that it changes."""
    inputs = SAMPLES[type][0]
    kind = kind_of(type)
    before = resources.preview(type, "it", inputs)
    assert {key for key, value in before.outputs.items() if value == UNKNOWN} == set(kind.computed)
    made = await resources.create(type, "it", inputs)
    update = resources.preview(type, "it", inputs, made)
    assert {key for key, value in update.outputs.items() if value == UNKNOWN} == set(kind.volatile)
    assert update.outputs.keys() == made.outputs.keys()
