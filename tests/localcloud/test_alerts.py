"""Log-match alerts: what opens one, what is refused, and how often, by a clock that the test moves."""

import copy
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from localcloud.alerts import AlertPolicies, InvalidPolicy, alert_routes
from localcloud.logs.store import LogStore

POLICY: dict[str, Any] = {
    "displayName": "Gateway answers 504",
    "combiner": "OR",
    "severity": "CRITICAL",
    "conditions": [
        {
            "displayName": "504",
            "conditionMatchedLog": {
                "filter": "httpRequest.status=504",
                "labelExtractors": {
                    "service": "EXTRACT(resource.labels.service_name)",
                    "path": r'REGEXP_EXTRACT(httpRequest.requestUrl, "https?://[^/]+(/\\w+)")',
                },
            },
        }
    ],
    "alertStrategy": {"notificationRateLimit": {"period": "300s"}, "autoClose": "1800s"},
    "documentation": {"content": "${log.extracted_label.service} timed out, see ${project}"},
    "notificationChannels": ["projects/p/notificationChannels/1"],
}


class Cloud:
    """A log store with policies on it, and a clock at 1000 s."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.logs = LogStore("p")
        self.policies = AlertPolicies(self.logs, "p", clock=lambda: self.now)

    def request(self, service: str = "gateway", status: int = 504, path: str = "/documents") -> None:
        resource = {"type": "cloud_run_revision", "labels": {"service_name": service}}
        request = {"status": status, "requestUrl": f"https://gw.run.app{path}/7"}
        self.logs.write({"resource": resource, "httpRequest": request})

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        app = web.Application()
        app.add_routes(alert_routes(self.policies, "p"))
        async with TestClient(TestServer(app)) as client:
            response = await client.get(f"/v3/projects/p/{path}")
            return response.status, await response.json()


def changed(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(POLICY) | changes


def matched(**changes: Any) -> dict[str, Any]:
    condition = {"conditionMatchedLog": POLICY["conditions"][0]["conditionMatchedLog"] | changes}
    return changed(conditions=[condition])


async def test_a_matching_entry_opens_an_alert_in_googles_shape() -> None:
    """The alert names its policy, resource and extracted labels; other entries open none."""
    cloud = Cloud()
    name = cloud.policies.put("timeouts", POLICY)
    cloud.request(status=200)
    cloud.request()
    _, answer = await cloud.get("alerts")
    assert answer == {
        "alerts": [
            {
                "name": "projects/p/alerts/00000001",
                "state": "OPEN",
                "openTime": "1970-01-01T00:16:40Z",
                "resource": {"type": "cloud_run_revision", "labels": {"service_name": "gateway"}},
                "log": {"extractedLabels": {"service": "gateway", "path": "/documents"}},
                "policy": {"name": name, "displayName": "Gateway answers 504", "severity": "CRITICAL"},
            }
        ],
        "totalSize": 1,
    }
    alert = cloud.policies.alerts[0]
    assert alert.document == "gateway timed out, see ${project}"
    assert list(alert.channels) == ["projects/p/notificationChannels/1"]


def test_each_combination_of_labels_is_limited_on_its_own() -> None:
    """Within the period a combination opens one alert; another combination is not held back by it."""
    cloud = Cloud()
    cloud.policies.put("timeouts", POLICY)
    cloud.request()
    cloud.request()
    cloud.request(service="extract")
    cloud.now += 299
    cloud.request()
    assert [alert.labels["service"] for alert in cloud.policies.alerts] == ["gateway", "extract"]
    cloud.now += 1
    cloud.request()
    assert len(cloud.policies.alerts) == 3


async def test_an_alert_closes_when_nothing_matched_for_auto_close() -> None:
    """autoClose counts from the last matching entry, not from the first."""
    cloud = Cloud()
    cloud.policies.put("timeouts", POLICY)
    cloud.request()
    cloud.now += 100
    cloud.request()
    cloud.now += 1799
    assert (await cloud.get("alerts"))[1]["alerts"][0]["state"] == "OPEN"
    cloud.now += 1
    alert = (await cloud.get("alerts"))[1]["alerts"][0]
    assert (alert["state"], alert["closeTime"]) == ("CLOSED", "1970-01-01T00:48:20Z")


async def test_only_live_enabled_policies_fire() -> None:
    """A deleted or disabled policy opens nothing, and is listed or not accordingly."""
    cloud = Cloud()
    cloud.policies.put("gone", POLICY)
    cloud.policies.put("off", changed(enabled=False))
    cloud.policies.delete("gone")
    cloud.policies.delete("never")
    cloud.request()
    assert not cloud.policies.alerts
    _, answer = await cloud.get("alertPolicies")
    assert [policy["name"] for policy in answer["alertPolicies"]] == ["projects/p/alertPolicies/off"]


async def test_alerts_come_newest_first_in_pages() -> None:
    """The newest alert is first, and a token leads on to the older ones."""
    cloud = Cloud()
    cloud.policies.put("timeouts", POLICY)
    for service in "abc":
        cloud.request(service=service)
    _, first = await cloud.get("alerts?pageSize=2")
    _, rest = await cloud.get(f"alerts?pageSize=2&pageToken={first['nextPageToken']}")
    services = [a["log"]["extractedLabels"]["service"] for a in first["alerts"] + rest["alerts"]]
    assert services == ["c", "b", "a"]


@pytest.mark.parametrize("query", ["filter=state%3DOPEN", "orderBy=close_time", "pageToken=!", "pageSize=x"])
async def test_an_unsupported_read_is_refused(query: str) -> None:
    """A filter, another order or a bad token is 400, never a list that ignores it."""
    assert (await Cloud().get(f"alerts?{query}"))[0] == 400


def test_what_a_label_extractor_does_not_find_is_empty() -> None:
    """A label without a value is the empty text, and the alert still opens."""
    cloud = Cloud()
    cloud.policies.put("timeouts", POLICY)
    cloud.logs.write({"httpRequest": {"status": 504}})
    assert cloud.policies.alerts[0].labels == {"service": "", "path": ""}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (changed(alertStrategy={}), "notificationRateLimit.period"),
        (changed(alertStrategy=None), "notificationRateLimit.period"),
        (changed(alertStrategy={"notificationRateLimit": {"period": "soon"}}), "'soon' is not a duration"),
        (changed(conditions=POLICY["conditions"] * 2), "2 conditions"),
        (changed(conditions=[]), "0 conditions"),
        (changed(conditions=[{"conditionThreshold": {}}]), "0 of them conditionMatchedLog"),
        (changed(displayName=""), "displayName"),
        (matched(filter="severity=LOUD"), "'Gateway answers 504'.*LOUD"),
        (matched(filter=" "), "the filter is empty"),
        (matched(labelExtractors={"x": "resource.type"}), "neither EXTRACT"),
        (matched(labelExtractors={"x": "EXTRACT(thud)"}), "Field not found"),
        (matched(labelExtractors={"x": 'REGEXP_EXTRACT(trace, "a")'}), "0 groups"),
        (matched(labelExtractors={"x": 'REGEXP_EXTRACT(trace, "(")'}), "Regular expression"),
    ],
)
def test_refuses_what_google_refuses(inputs: dict[str, Any], words: str) -> None:
    """A policy that could never work is refused in one sentence, and nothing of it is kept."""
    cloud = Cloud()
    with pytest.raises(InvalidPolicy, match=words):
        cloud.policies.put("bad", inputs)
    assert not cloud.policies.policies()
