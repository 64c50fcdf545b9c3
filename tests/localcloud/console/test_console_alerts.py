"""Alerts on the page: with the traces, the query and the document that Monitoring's own alerts do not have."""

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from console_server import serving
from handmade import PROJECT, TRACE_ID, request_log

from localcloud.alerts import alert_routes
from localcloud.console import routes
from localcloud.console.incidents import incidents

FILTER = "httpRequest.status=504"
POLICY: dict[str, Any] = {
    "displayName": "Timeouts",
    "severity": "ERROR",
    "conditions": [
        {
            "conditionMatchedLog": {
                "filter": FILTER,
                "labelExtractors": {"service": "EXTRACT(resource.labels.service_name)"},
            }
        }
    ],
    "alertStrategy": {"notificationRateLimit": {"period": "300s"}},
    "documentation": {"content": "${log.extracted_label.service} timed out"},
}
PROMQL: dict[str, Any] = {
    "displayName": "Latency",
    "conditions": [
        {
            "conditionPrometheusQueryLanguage": {
                "query": "up > 1",
                "evaluationInterval": "60s",
                "duration": "0s",
            }
        }
    ],
    "combiner": "OR",
}


async def test_an_alert_leads_to_its_traces_and_its_entries(tmp_path: Path) -> None:
    """Its traces are those of the entries that matched, each once, also while the rate limit holds."""
    async with serving(tmp_path) as console:
        console.alerts.put("1", POLICY)
        for trace_id in (TRACE_ID, TRACE_ID, "b" * 32):
            entry = request_log(5, "gateway", 504, "1s") | {"trace": f"projects/{PROJECT}/traces/{trace_id}"}
            console.logs.write(entry)
        (alert,) = (await console.json("/blueprint/alerts"))["alerts"]
        assert alert["traceIds"] == [TRACE_ID, "b" * 32]
        assert alert["insertId"] == console.logs.entries()[0]["insertId"]
        assert (alert["query"], alert["document"]) == (FILTER, "gateway-local timed out")
        assert alert["policy"]["displayName"] == "Timeouts"


async def test_an_entry_without_a_trace_leads_to_none(tmp_path: Path) -> None:
    """The system log of a crash has no trace."""
    async with serving(tmp_path) as console:
        console.alerts.put("1", POLICY)
        entry = request_log(5, "gateway", 504, "1s")
        del entry["trace"]
        console.logs.write(entry)
        assert (await console.json("/blueprint/alerts"))["alerts"][0]["traceIds"] == []


async def test_the_same_alerts_are_not_sent_again(tmp_path: Path) -> None:
    """Every open page asks every few seconds; documents are long."""
    async with serving(tmp_path) as console:
        console.alerts.put("1", POLICY)
        tag = (await console.get("/blueprint/alerts")).headers["ETag"]
        assert (await console.get("/blueprint/alerts", **{"If-None-Match": tag})).status == 304
        console.logs.write(request_log(5, "gateway", 504, "1s"))
        assert (await console.get("/blueprint/alerts", **{"If-None-Match": tag})).status == 200


async def test_monitorings_own_shape_stays_googles(tmp_path: Path) -> None:
    """What only the page needs is not in `projects.alerts`."""
    async with serving(tmp_path) as console:
        console.alerts.put("1", POLICY)
        console.logs.write(request_log(5, "gateway", 504, "1s"))
        app = web.Application()
        app.add_routes(alert_routes(console.alerts, PROJECT))
        async with TestClient(TestServer(app)) as client:
            response = await client.get(f"/v3/projects/{PROJECT}/alerts")
            (alert,) = (await response.json())["alerts"]
        assert set(alert) == {"name", "state", "openTime", "resource", "log", "policy"}


async def test_policies_say_whether_anything_evaluates_them(tmp_path: Path) -> None:
    """A log match has its query; one by PromQL has none."""
    async with serving(tmp_path) as console:
        console.alerts.put("1", POLICY)
        console.alerts.put("2", PROMQL)
        listed = (await console.json("/blueprint/alerts"))["policies"]
        assert [(policy["displayName"], policy["query"]) for policy in listed] == [
            ("Latency", None),
            ("Timeouts", FILTER),
        ]


async def test_the_number_of_open_alerts_is_one_figure(tmp_path: Path) -> None:
    """Every page asks for it, whatever it shows; an alert that its policy closes counts no more."""
    async with serving(tmp_path) as console:
        now = [1000.0]
        console.alerts.clock = lambda: now[0]
        strategy = {"notificationRateLimit": {"period": "300s"}, "autoClose": "1800s"}
        console.alerts.put("1", POLICY | {"alertStrategy": strategy})
        assert await console.json("/blueprint/alerts/count") == {"open": 0}
        for service in ("gateway", "extract", "gateway"):
            console.logs.write(request_log(5, service, 504, "1s"))
        assert await console.json("/blueprint/alerts/count") == {"open": 2}
        now[0] += 1800
        assert await console.json("/blueprint/alerts/count") == {"open": 0}


async def test_alerts_are_made_again_only_if_something_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand alerts with their documents are megabytes; that one closed by itself is something, too."""
    async with serving(tmp_path) as console:
        now, made = [1000.0], []
        console.alerts.clock = lambda: now[0]
        monkeypatch.setattr(routes, "incidents", lambda policies: made.append(1) or incidents(policies))
        console.alerts.put("1", POLICY | {"alertStrategy": POLICY["alertStrategy"] | {"autoClose": "1800s"}})

        async def asked(tag: str) -> tuple[int, str]:
            response = await console.get("/blueprint/alerts", **{"If-None-Match": tag})
            return response.status, response.headers["ETag"]

        _, tag = await asked("")
        assert (await asked(tag), len(made)) == ((304, tag), 1)
        for change in ("opened", "met again", "closed", "deleted"):
            if change == "closed":
                now[0] += 1800
            elif change == "deleted":
                console.alerts.delete("1")
            else:
                console.logs.write(request_log(5, "gateway", 504, "1s"))
            status, new = await asked(tag)
            assert (status, new != tag) == (200, True), change
            tag = new
