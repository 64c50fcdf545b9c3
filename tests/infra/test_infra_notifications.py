"""What alerts link to, and when those of quiet services and of ingestion open and close."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest
from promql_series import Series, fires
from stack_files import ROOT, changed, filled_in, parsed

from infra import links
from infra.alerting.policy import MOST_TEXT, policy
from infra.alerting.rule import Rule
from infra.alerting.rules import rules
from infra.costs.estimate import estimate
from infra.costs.report import report
from infra.dashboard import dashboard
from infra.stack import Stack

DAY = 24 * 60


def _stack(path: str = "costs", value: Any = None) -> Stack:
    values = changed(filled_in("dev"), "costs", {"tracing_usd": 50, "logging_usd": 20})
    return parsed("dev", values if value is None else changed(values, path, value))


STACK = _stack()
RULES = pytest.mark.parametrize("rule", rules(STACK), ids=lambda rule: rule.key)


def _rule(key: str, stack: Stack = STACK) -> Rule:
    return next(rule for rule in rules(stack) if rule.key == key)


def _text(stack: Stack, rule: Rule) -> str:
    content: str = policy(stack, rule, [])["documentation"]["content"]
    return content


def _spans(address: str) -> Any:
    """The filter of Trace Explorer in an address."""
    query = address.split("/traces/explorer;query=")[1].split(";")[0]
    return json.loads(unquote(query))["traceQuery"]["spanFilters"]


@RULES
def test_the_traces_of_a_notification_are_those_of_the_services(rule: Rule) -> None:
    """By `service.name`, which is the logical name; failed ones only, if the alert is about failures."""
    spans = _spans(_text(STACK, rule))
    assert spans["services"] == ["archive", "extract", "gateway"]
    assert spans["status"] == ([] if rule.all_traces else ["ERROR"])


@RULES
def test_the_pages_look_back_far_enough(rule: Rule) -> None:
    """From the click, not from the incident: a day for ingestion, six hours for others; the text says the same."""
    day = rule.key.endswith("-ingestion")
    text = _text(STACK, rule)
    assert text.count(";duration=P1D?" if day else ";duration=PT6H?") == 2
    assert f"of the last {24 if day else 6} hours.\n" in text
    assert "PT1H" not in text


def test_a_stack_of_many_services_shows_all_traces_rather_than_none() -> None:
    """Google takes so many characters and no more; the log query has the services in any case."""
    one = {**filled_in("dev")["blueprint:services"]["archive"], "public": True, "buckets": [], "env": {}}
    many = {f"a-rather-long-name-{number:03}": one for number in range(60)}
    large = _stack("services", many)
    for rule in rules(large):
        text = _text(large, rule)
        assert len(text) <= MOST_TEXT
        assert len(_spans(text)["services"]) in (0, 60)


@pytest.mark.parametrize(("hours", "text"), [(6, "PT6H"), (24, "P1D"), (36, "PT36H"), (48, "P2D")])
def test_a_duration_in_an_address(hours: int, text: str) -> None:
    """ISO 8601, as the console writes it."""
    assert f";duration={text}?project=acme-docs" in links.logs("acme-docs", "x", hours=hours)
    assert f";duration={text}?project=acme-docs" in links.traces("acme-docs", hours=hours)


def test_the_dashboard_leads_to_the_same_traces() -> None:
    """All of the stack's services, and no other stack's."""
    first, second = [part for part in dashboard(STACK, {}, {"gateway": {"latency": "l", "availability": "a"}}).split("(") if "/traces/" in part]  # fmt: skip
    assert _spans(first)["services"] == _spans(second)["services"] == ["archive", "extract", "gateway"]
    assert (_spans(first)["status"], _spans(second)["status"]) == ([], ["ERROR"])


def test_the_charts_have_the_limits_at_which_alerts_open() -> None:
    """A low goal burns at a lower rate, and then each limit says whose it is; two that are one are drawn once."""
    stack = _stack("services.archive.objectives", {"availability": 0.8, "latency_share": 0.95})
    slos = {name: {"latency": "l", "availability": "a"} for name in ("archive", "gateway")}
    widgets = [tile["widget"] for tile in json.loads(dashboard(stack, {}, slos))["mosaicLayout"]["tiles"]]
    limits = {
        each["title"].split(",")[0]: {
            limit["label"]: limit["value"] for limit in each["xyChart"]["thresholds"]
        }
        for each in widgets
        if each.get("title", "").startswith("Burn of")
    }
    assert limits == {
        "Burn of availability": {
            "burns fast (gateway)": 14.4,
            "burns fast (archive)": 4.5,
            "burns slowly": 6,
        },
        "Burn of latency": {"burns fast": 14.4, "burns slowly": 6},
    }


def _requests(status: str, minutes: list[float], service: str = "gateway-dev") -> Series:
    labels = {"monitored_resource": "cloud_run_revision", "project_id": "acme-docs", "service": service}
    return Series("logging_googleapis_com:user_requests_dev", {**labels, "status": status}, minutes)


@pytest.mark.parametrize(
    ("failed", "served", "expected"),
    [(5, 0, True), (4, 0, False), (19, 0, True), (19, 1, False), (5, 5, False), (0, 5, False)],
)
def test_a_quiet_service_that_only_fails_is_noticed(failed: int, served: int, expected: bool) -> None:
    """Below `min_requests` (20 in five minutes) no ratio counts, but five failures and nothing else in half an hour do."""
    query = _rule("error-ratio").query
    series = [_requests("503", [1.0] * failed + [0.0] * (30 - failed)), _requests("200", [0.0] * (30 - served) + [1.0] * served)]  # fmt: skip
    assert fires(query, series) is expected
    others = [_requests("200", [100.0] * 30, "archive-dev")]
    assert fires(query, [*series, *others]) is expected, "another service's success hides nothing"


def test_a_busy_service_is_judged_by_its_ratio() -> None:
    """As before: 6 of 100 are too many, 4 are not."""
    for bad, expected in ((6.0, True), (4.0, False)):
        series = [_requests("500", [bad] * 30), _requests("200", [100 - bad] * 30)]
        assert fires(_rule("error-ratio").query, series) is expected


INGESTED = {
    "span-ingestion": ("cloudtrace_googleapis_com:billing_spans_ingested", 252_500_000 / 30),
    "log-ingestion": ("logging_googleapis_com:billing_bytes_ingested", 90 * 2**30 / 30),
}


@pytest.mark.parametrize("key", INGESTED)
@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([1.1] * DAY, True),
        ([0.9] * DAY, False),
        ([10.0] * (DAY - 60) + [0.5] * 60, False),
        ([0.0] * (DAY - 180) + [10.0] * 180, True),
        ([0.5] * (DAY - 60) + [2.0] * 60, False),
    ],
    ids=["above", "below", "mended an hour ago", "three hours of ten times", "a busy hour"],
)
def test_ingestion_is_an_alert_while_it_lasts(key: str, rates: list[float], expected: bool) -> None:
    """In days' budgets per day: the day must be above the budget, and its last hour still."""
    metric, a_day = INGESTED[key]
    labels = {"monitored_resource": "global", "project_id": "acme-docs", "chargeable": "true"}
    series = [Series(metric, labels, [rate * a_day / DAY for rate in rates])]
    assert fires(_rule(key).query, series) is expected


def test_the_report_says_what_is_not_in_it() -> None:
    """In a line that fits a terminal; probes are billed, whatever the traffic."""
    last = report(estimate(STACK)).splitlines()[-1]
    assert len(last) <= 100
    for missing in ("cold starts", "spare instances", "probes"):
        assert missing in last


def test_the_documentation_promises_no_more_than_there_is() -> None:
    """Which stack comes up in one `up`, what a destroy leaves, and where the dashboard's address is."""
    text = " ".join((ROOT / "docs" / "infrastructure.md").read_text(encoding="utf-8").split())
    assert "Nothing waits for a person" not in text
    assert "never lacks them" not in text
    assert "leaves nothing" not in text
    for said in ("needs Docker and a login", "[deployment.md](deployment.md), step 3", "the list of dashboards", "`links.dashboard`", "ids stay taken"):  # fmt: skip
        assert said in text
