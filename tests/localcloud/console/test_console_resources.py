"""What is deployed, as the page shows it: the settings that matter, the grants, and never a secret."""

import json
from pathlib import Path
from typing import Any

from console_server import serving

from localcloud.resources import Resource

SERVICE: dict[str, Any] = {
    "name": "gateway-local",
    "location": "europe-southwest1",
    "deletionProtection": False,
    "annotations": {"token": "hidden-1"},
    "template": {
        "timeout": "60s",
        "serviceAccount": "gateway-local@p",
        "maxInstanceRequestConcurrency": 80,
        "scaling": {"minInstanceCount": 1, "maxInstanceCount": 4},
        "containers": [
            {
                "image": "local",
                "envs": [{"name": "API_KEY", "value": "hidden-2"}],
                "resources": {"limits": {"cpu": "1", "memory": "512Mi"}},
            }
        ],
    },
}
CHANNEL: dict[str, Any] = {
    "displayName": "on call",
    "type": "webhook_tokenauth",
    "labels": {"url": "https://x/?auth_token=hidden-3"},
    "sensitiveLabels": {"password": "hidden-4"},
}


async def test_settings_are_shown_and_secrets_never(tmp_path: Path) -> None:
    """Of variables the names alone; inputs that nobody named as harmless stay out."""
    async with serving(tmp_path) as console:
        console.deployed = [
            Resource("gcp:cloudrunv2/service:Service", "gateway", "id/1", SERVICE, {"secret": "hidden-5"}),
            Resource("gcp:monitoring/notificationChannel:NotificationChannel", "page", "id/2", CHANNEL, {}),
        ]
        found = await console.json("/blueprint/resources")
        service, channel = found["resources"]
        assert service["inputs"] == {
            "location": "europe-southwest1",
            "deletionProtection": "false",
            "image": "local",
            "cpu": "1",
            "memory": "512Mi",
            "instances": "1 to 4",
            "concurrency": "80",
            "timeout": "60s",
            "serviceAccount": "gateway-local@p",
            "variables": "API_KEY",
        }
        assert channel["inputs"] == {"displayName": "on call"}
        assert "hidden" not in json.dumps(found)


async def test_grants_say_who_may_do_what_on_what(tmp_path: Path) -> None:
    """As Identity holds them: one that was taken back is gone."""
    async with serving(tmp_path) as console:
        member = "serviceAccount:gateway@p"
        console.identity.bind("services/extract", "roles/run.invoker", member)
        console.identity.bind("buckets/b", "roles/storage.objectUser", member)
        console.identity.unbind("buckets/b", "roles/storage.objectUser", member)
        found = await console.json("/blueprint/resources")
        assert found["grants"] == [{"on": "services/extract", "role": "roles/run.invoker", "who": member}]


async def test_about_lists_the_services(tmp_path: Path) -> None:
    """`/blueprint.json` gives what the cloud says about itself."""
    async with serving(tmp_path) as console:
        console.about["services"] = [{"name": "gateway", "url": "http://127.0.0.1:1"}]
        assert (await console.json("/blueprint.json"))["services"] == console.about["services"]
