"""The alert rules: each filter is run against entries as Cloud Run writes them."""

from __future__ import annotations

from typing import Any

import pytest
from stack_files import changed, filled_in, parsed

from infra.alert_policy import policy
from infra.alert_rules import Rule, rules
from infra.stack import Stack
from localcloud.alerts import AlertPolicies
from localcloud.logs.query import compile_query
from localcloud.logs.store import LogStore

STACK = parsed("dev", filled_in("dev"))
KEYS = [rule.key for rule in rules(STACK)]
LOG_RULES = [rule for rule in rules(STACK) if not rule.query]
METRIC_RULES = [rule for rule in rules(STACK) if rule.query]


def _stack(**tracing: Any) -> Stack:
    return parsed("dev", changed(filled_in("dev"), "tracing", tracing))


def _entry(log: str, service: str = "gateway-dev", **more: Any) -> dict[str, Any]:
    return {
        "logName": f"projects/acme-docs/logs/run.googleapis.com%2F{log}",
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
        **more,
    }


def _request(status: int, service: str = "gateway-dev") -> dict[str, Any]:
    return _entry(
        "requests", service, httpRequest={"status": status}, severity="ERROR" if status >= 500 else "INFO"
    )


def _line(
    severity: str, event: str | None = None, log: str = "stdout", service: str = "gateway-dev"
) -> dict[str, Any]:
    payload = {"message": "x", "logger": "app"} | ({"event": event} if event else {})
    return _entry(log, service, severity=severity, jsonPayload=payload)


ENTRIES = [
    (_request(504), {"timeouts"}),
    (_request(500), {"server-errors"}),
    (_request(502), {"server-errors"}),
    (_request(503, "archive-dev"), {"server-errors"}),
    (_request(200), set()),
    (_request(429), set()),
    (_request(404), set()),
    (_request(504, "other-dev"), set()),
    (_line("ERROR"), {"error-logs"}),
    (_line("CRITICAL", log="stderr"), {"error-logs"}),
    (_entry("stderr", severity="ERROR", textPayload="Traceback …"), {"error-logs"}),
    (_line("WARNING"), set()),
    (_line("ERROR", "document_refused"), {"error-logs"}),
    (_line("ERROR", "trace_export_refused"), {"trace-export"}),
    (_line("WARNING", "trace_export_failed"), {"trace-export"}),
    (_line("ERROR", "trace_export_failed", service="other-dev"), set()),
    (_line("WARNING", "trace_health"), {"trace-export"}),
    (_line("INFO", "trace_health"), set()),
    (_line("ERROR", "trace_silent"), {"trace-silent"}),
    (_line("ERROR", "trace_silent", service="other-dev"), set()),
    (_line("ERROR", log="varlog%2Fsystem"), set()),
    ({**_request(504), "resource": {"type": "cloud_run_job", "labels": {"service_name": "gateway-dev"}}}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "alerts"), ENTRIES)
def test_an_entry_opens_the_alerts_meant_for_it_and_no_other(entry: dict[str, Any], alerts: set[str]) -> None:
    """A 504 is not a server error, a lost span not an error log, another stack's service nobody's business."""
    assert {rule.key for rule in LOG_RULES if compile_query(rule.filter)(entry)} == alerts


def _wire(value: Any) -> Any:
    """Keys as the provider receives them."""
    if isinstance(value, dict):
        return {_camel(key): _wire(item) for key, item in value.items()}
    return [_wire(item) for item in value] if isinstance(value, list) else value


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(part.title() for part in rest)


def test_an_alert_names_the_service_and_is_limited_in_rate() -> None:
    """Two services, two incidents; the second entry of one is silent for five minutes."""
    logs = LogStore("acme-docs")
    policies = AlertPolicies(logs, "acme-docs", clock=lambda: 1000.0)
    for rule in rules(STACK):
        policies.put(rule.key, _wire(policy(STACK, rule, [])))
    for entry in (_request(504), _request(504), _request(504, "archive-dev")):
        logs.write(entry)
    opened = [(alert.policy["displayName"], alert.labels["service"]) for alert in policies.alerts]
    assert opened == [("Timeouts (504) · dev", "gateway-dev"), ("Timeouts (504) · dev", "archive-dev")]
    assert "**gateway-dev** answered 504" in policies.alerts[0].document


def test_each_event_of_the_export_is_an_incident_of_its_own() -> None:
    """A service whose spans were refused and one that drops some need different people."""
    logs = LogStore("acme-docs")
    policies = AlertPolicies(logs, "acme-docs", clock=lambda: 1000.0)
    for rule in rules(STACK):
        policies.put(rule.key, _wire(policy(STACK, rule, [])))
    for event in ("trace_export_refused", "trace_health", "trace_silent"):
        logs.write(_line("ERROR", event))
    assert [(alert.policy["displayName"], alert.labels.get("event")) for alert in policies.alerts] == [
        ("Trace export refused or failed · dev", "trace_export_refused"),
        ("Trace export refused or failed · dev", "trace_health"),
        ("Requests without spans · dev", None),
    ]


@pytest.mark.parametrize(
    ("tracing", "watched"),
    [
        ({"exporter": "gcp_otlp", "sample_ratio": 0.1}, True),
        ({"exporter": "gcp_trace"}, True),
        ({"sample_ratio": 0}, False),
        ({"exporter": "otlp"}, False),
        ({"exporter": "console"}, False),
        ({"exporter": "none"}, False),
    ],
)
def test_silence_is_watched_only_where_it_is_a_fault(tracing: dict[str, Any], watched: bool) -> None:
    """Where no span is expected in Cloud Trace nobody is woken for its absence; a line about it is then an error log."""
    stack = _stack(**tracing)
    keys = {rule.key for rule in rules(stack)}
    assert keys == {"timeouts", "server-errors", "error-logs", "trace-export"} | (
        {"trace-silent", "trace-missing"} if watched else set()
    )
    errors = next(rule for rule in rules(stack) if rule.key == "error-logs")
    assert compile_query(errors.filter)(_line("ERROR", "trace_silent")) is not watched


@pytest.mark.parametrize("rule", METRIC_RULES, ids=lambda rule: rule.key)
def test_a_policy_on_metrics_can_be_created_before_there_is_data(rule: Rule) -> None:
    """No rate limit, which is for log matches; no validation of metrics that a new project does not have yet."""
    found = policy(STACK, rule, ["channel"])
    assert found["alert_strategy"] == {"auto_close": "1800s"}
    assert (found["combiner"], found["notification_channels"]) == ("OR", ["channel"])
    (condition,) = found["conditions"]
    assert condition["condition_prometheus_query_language"] == {
        "query": rule.query,
        "duration": "600s",
        "evaluation_interval": "60s",
        "disable_metric_validation": True,
    }
    documentation = found["documentation"]
    assert "${" not in documentation["subject"] + documentation["content"], (
        "there is no log entry to read from"
    )
    assert documentation["content"].startswith("**dev** has served requests")


@pytest.mark.parametrize("rule", LOG_RULES, ids=lambda rule: rule.key)
def test_a_policy_is_what_google_takes_with_a_log_match(rule: Rule) -> None:
    """Exactly one condition, combiner OR, a rate limit; no filter that Google would find too long."""
    found = policy(STACK, rule, ["channel"])
    assert (len(found["conditions"]), found["combiner"], found["notification_channels"]) == (
        1,
        "OR",
        ["channel"],
    )
    assert found["alert_strategy"] == {"notification_rate_limit": {"period": "300s"}, "auto_close": "1800s"}
    assert len(rule.filter) < 20_000


@pytest.mark.parametrize("rule", rules(STACK), ids=KEYS)
def test_a_notification_leads_to_logs_traces_and_the_runbook(rule: Rule) -> None:
    """The links carry the query; the section exists."""
    from stack_files import ROOT

    text = policy(STACK, rule, [])["documentation"]["content"]
    assert (
        "https://console.cloud.google.com/logs/query;query=resource.type%3D%22cloud_run_revision%22" in text
    )
    assert "https://console.cloud.google.com/traces/explorer;query=" in text
    assert f"`infra/runbook.md#{rule.key}`" in text
    assert f"\n## {rule.key}\n" in (ROOT / "infra" / "runbook.md").read_text(encoding="utf-8")


def test_the_runbook_is_a_link_where_its_address_is_known() -> None:
    """Set `runbook_url` once, and every alert links to its section."""
    stack: Stack = parsed(
        "dev", changed(filled_in("dev"), "runbook_url", "https://git.example.com/runbook.md")
    )
    text = policy(stack, rules(stack)[0], [])["documentation"]["content"]
    assert "(https://git.example.com/runbook.md#timeouts)" in text
