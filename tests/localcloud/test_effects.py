"""What declared roles and log metrics do to the running cloud; services, buckets and alerts are tested where they live."""

from __future__ import annotations

from typing import Any, cast

import pytest

from localcloud.effects import RunningCloud
from localcloud.identity import Identity
from localcloud.kinds import Refused
from localcloud.resources import Resource
from tests.localcloud.recording_cloud import HOME

EMAIL = "deployer@local-project.iam.gserviceaccount.com"
PROJECT = "projects/local-project"
ROLE = f"{PROJECT}/roles/deployer"


def role(*permissions: str) -> Resource:
    inputs = {"roleId": "deployer", "title": "Deployer", "permissions": list(permissions)}
    return Resource("gcp:projects/iAMCustomRole:IAMCustomRole", "deployer", ROLE, inputs, {})


def grant() -> Resource:
    inputs = {"project": "local-project", "role": ROLE, "member": f"serviceAccount:{EMAIL}"}
    return Resource("gcp:projects/iAMMember:IAMMember", "deploys", "it", inputs, {})


@pytest.fixture
def identity() -> Identity:
    return Identity("local-project")


@pytest.fixture
def cloud(identity: Identity) -> RunningCloud:
    nothing = cast(Any, None)
    return RunningCloud(HOME, run=nothing, objects=nothing, identity=identity, alerts=nothing)


async def test_a_custom_role_holds_what_it_says_until_it_is_deleted(
    cloud: RunningCloud, identity: Identity
) -> None:
    """And a change of its permissions holds for whoever has the role already."""
    await cloud.put(role("run.services.get"))
    await cloud.put(grant())
    assert identity.allows(EMAIL, "run.services.get", PROJECT)
    await cloud.put(role("run.services.update"))
    assert not identity.allows(EMAIL, "run.services.get", PROJECT)
    assert identity.allows(EMAIL, "run.services.update", f"{PROJECT}/anything")
    await cloud.drop(role("run.services.update"))
    assert not identity.allows(EMAIL, "run.services.update", PROJECT)


async def test_a_grant_of_a_custom_role_that_is_not_there_yet_gives_nothing(
    cloud: RunningCloud, identity: Identity
) -> None:
    """Google too keeps a binding whose role was deleted, without effect."""
    await cloud.put(grant())
    assert not identity.allows(EMAIL, "run.services.get", PROJECT)
    await cloud.put(role("run.services.get"))
    assert identity.allows(EMAIL, "run.services.get", PROJECT)


async def test_a_log_metric_that_google_would_refuse_is_refused(cloud: RunningCloud) -> None:
    """Else a filter that does not parse would be found in the first real deployment."""
    metric = Resource("gcp:logging/metric:Metric", "m", "m", {"name": "m", "filter": "severity>="}, {})
    with pytest.raises(Refused, match="Log metric 'm'"):
        await cloud.put(metric)
    await cloud.put(Resource(metric.type, "m", "m", {"name": "m", "filter": "severity>=ERROR"}, {}))
