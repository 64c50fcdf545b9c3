"""What every span says of its sender: the service, its revision and instance, the project and the region."""

import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from uuid import uuid4

from opentelemetry.sdk.resources import Resource

from app.settings import Settings

# Off Google, and on a slow day there, a start is not held up by more than this per question.
METADATA_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class Place:
    """Where this process runs. `missing` names what the metadata server was asked for in vain."""

    project: str
    region: str
    instance: str
    missing: str = ""


def locate(settings: Settings) -> Place:
    """Project and region from settings, else from the metadata server, which alone knows the instance."""
    host = settings.metadata_host or ("metadata.google.internal" if settings.k_service else "")
    instance = _metadata(host, "instance/id")
    # If it did not answer once it is not asked again.
    project = settings.project or (_metadata(host, "project/project-id") if instance else "")
    region = settings.region or (_metadata(host, "instance/region").rpartition("/")[2] if instance else "")
    found = {"project": project, "region": region, "instance": instance}
    missing = ", ".join(name for name, value in found.items() if not value) if host else ""
    return Place(project, region, instance or str(uuid4()), missing)


def describe(settings: Settings, place: Place) -> Resource:
    """The resource. `gcp.project_id` is required by the Telemetry API and set by no released detector."""
    return Resource.create(
        {
            key: value
            for key, value in {**_service(settings, place), **_cloud(settings, place)}.items()
            if value
        }
    )


def _service(settings: Settings, place: Place) -> dict[str, str]:
    return {
        "service.name": settings.name,
        "service.version": settings.k_revision,
        "service.instance.id": place.instance,
        "deployment.environment.name": settings.environment,
    }


def _cloud(settings: Settings, place: Place) -> dict[str, str]:
    if not place.project:
        return {}
    return {
        "gcp.project_id": place.project,
        "cloud.provider": "gcp",
        "cloud.platform": "gcp_cloud_run" if settings.k_service else "",
        "cloud.account.id": place.project,
        "cloud.region": place.region,
        "faas.name": settings.k_service,
        "faas.version": settings.k_revision,
        "faas.instance": place.instance if settings.k_service else "",
    }


def _metadata(host: str, path: str) -> str:
    if not host:
        return ""
    url = f"http://{host}/computeMetadata/v1/{path}"
    request = urllib.request.Request(url, headers={"Metadata-Flavor": "Google"})
    try:
        with urllib.request.urlopen(request, timeout=METADATA_TIMEOUT_S) as response:
            return str(response.read(256).decode("ascii"))
    except (OSError, ValueError, HTTPException):
        return ""
