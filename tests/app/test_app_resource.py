"""app/telemetry/resource.py: who speaks."""

import time

from app_fakes import Cloud
from conftest import Start

from app.settings import parse
from app.telemetry import resource

ON_CLOUD_RUN = {
    "K_SERVICE": "gateway-dev",
    "K_REVISION": "gateway-dev-00002-abc",
    "OTEL_SERVICE_NAME": "gateway",
    "ENVIRONMENT": "dev",
    "GOOGLE_CLOUD_PROJECT": "p",
    "GOOGLE_CLOUD_REGION": "europe-west1",
}


def test_the_resource_says_service_revision_instance_project_and_region(start: Start) -> None:
    settings = parse({**ON_CLOUD_RUN, "GCE_METADATA_HOST": start_cloud(start).host})
    attributes = resource.describe(settings, resource.locate(settings)).attributes
    assert {key: attributes[key] for key in attributes if not key.startswith("telemetry.")} == {
        "service.name": "gateway",
        "service.version": "gateway-dev-00002-abc",
        "service.instance.id": "instance-7",
        "deployment.environment.name": "dev",
        "gcp.project_id": "p",
        "cloud.provider": "gcp",
        "cloud.platform": "gcp_cloud_run",
        "cloud.account.id": "p",
        "cloud.region": "europe-west1",
        "faas.name": "gateway-dev",
        "faas.version": "gateway-dev-00002-abc",
        "faas.instance": "instance-7",
    }


def start_cloud(start: Start) -> Cloud:
    cloud = Cloud()
    start(cloud)
    return cloud


def test_the_metadata_server_fills_what_settings_leave_out(start: Start) -> None:
    place = resource.locate(parse({"GCE_METADATA_HOST": start_cloud(start).host}))
    assert (place.project, place.region, place.missing) == ("p", "r1", "")


def test_without_a_metadata_server_the_start_goes_on_and_says_what_is_missing() -> None:
    begun = time.monotonic()
    place = resource.locate(parse({"K_SERVICE": "x", "GCE_METADATA_HOST": "127.0.0.1:1"}))
    assert place.missing == "project, region, instance"
    assert len(place.instance) == 36
    assert time.monotonic() - begun < 15


def test_off_google_nobody_is_asked_and_no_cloud_is_claimed() -> None:
    settings = parse({})
    place = resource.locate(settings)
    assert place.missing == ""
    assert not [
        key for key in resource.describe(settings, place).attributes if key.startswith(("cloud.", "faas."))
    ]
