"""The alert rules: which a stack has, what each policy says, and each log filter against single entries as Cloud Run writes them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from stack_files import ROOT, changed, filled_in, parsed
from wire import wire

from infra.alerting.policy import policy
from infra.alerting.rule import Rule
from infra.alerting.rules import rules
from infra.objectives.burn import FAST, SLOW
from infra.schema.alert_keys import ALERT_KEYS, known_alerts
from infra.schema.alerts import AlertsConfig
from infra.schema.tracing import TracingConfig
from infra.stack import Stack
from localcloud.alerts import AlertPolicies
from localcloud.logs.query import compile_query
from localcloud.logs.store import LogStore

BUDGETS = {"tracing_usd": 50, "logging_usd": 20}
VALUES = changed(filled_in("dev"), "costs", BUDGETS)
STACK = parsed("dev", VALUES)
RUNBOOK = (ROOT / "infra" / "runbook.md").read_text(encoding="utf-8")
KEYS = [rule.key for rule in rules(STACK)]
LOG_RULES = [rule for rule in rules(STACK) if not rule.query]
METRIC_RULES = [rule for rule in rules(STACK) if rule.query]


def _stack(path: str, value: Any) -> Stack:
    return parsed("dev", changed(VALUES, path, value))


def _keys(stack: Stack) -> set[str]:
    return {rule.key for rule in rules(stack)}


def _entry(log: str, service: str = "gateway-dev", **more: Any) -> dict[str, Any]:
    return {
        "logName": f"projects/acme-docs/logs/run.googleapis.com%2F{log}",
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
        **more,
    }


def _request(status: int, service: str = "gateway-dev", text: str | None = None) -> dict[str, Any]:
    severity = "ERROR" if status >= 500 else "INFO"
    said = {"textPayload": text} if text else {}
    return _entry("requests", service, httpRequest={"status": status}, severity=severity, **said)


def _line(
    severity: str, event: str | None = None, log: str = "stdout", service: str = "gateway-dev"
) -> dict[str, Any]:
    payload = {"message": "x", "logger": "app"} | ({"event": event} if event else {})
    return _entry(log, service, severity=severity, jsonPayload=payload)


def _platform(text: str, severity: str = "WARNING", service: str = "gateway-dev") -> dict[str, Any]:
    return _entry("varlog%2Fsystem", service, severity=severity, textPayload=text)


NO_INSTANCE = "The request was aborted because there was no available instance. See https://cloud.google.com"
ENTRIES = [
    (_request(504), {"timeouts"}),
    (_request(500), set()),
    (_request(503, "archive-dev"), set()),
    (_request(200), set()),
    (_request(429), set()),
    (_request(404), set()),
    (_request(504, "other-dev"), set()),
    (_request(429, text=NO_INSTANCE), {"no-instance"}),
    (_request(500, text=NO_INSTANCE), {"no-instance"}),
    (_request(500, "other-dev", NO_INSTANCE), set()),
    (_request(500, text="The request failed because the instance failed the readiness check."), set()),
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
    (_platform("Container called exit(1)."), {"crash"}),
    (_platform("Container called exit(137)."), {"crash"}),
    (_platform("Container called exit(0)."), set()),
    (_platform("Container called exit(143)."), set()),
    (_platform("Uncaught signal: 6, pid=1, tid=1, fault_addr=0.", "ERROR"), {"crash"}),
    (_platform("Uncaught signal: 11, pid=7, tid=9, fault_addr=15."), {"crash"}),
    (_platform("Container terminated on signal 6."), {"crash"}),
    (_platform("Container terminated on signal 9."), set()),
    (_platform("Container terminated on signal 15"), set()),
    (_platform('LIVENESS HTTP probe failed 3 times consecutively for container "app-1" on path "/healthz".'), {"crash"}),
    (_platform("Container called exit(1).", service="other-dev"), set()),
    (_platform("Memory limit of 512 MiB exceeded with 513 MiB used. Consider increasing the memory limit.", "ERROR"), {"out-of-memory"}),
    (_platform('Default STARTUP TCP probe failed 1 time consecutively for container "app-1" on port 8080.', "ERROR"), {"failed-start"}),
    (_platform('STARTUP HTTP probe failed 60 times consecutively for container "app-1" on path "/healthz".', "ERROR"), {"failed-start"}),
    (_platform('Default STARTUP TCP probe succeeded after 1 attempt for container "app-1" on port 8080.', "INFO"), set()),
    (_platform("Starting new instance. Reason: AUTOSCALING - Instance started due to traffic.", "INFO"), set()),
    (_entry("stdout", severity="INFO", textPayload="Container called exit(1). Memory limit of 1 exceeded"), set()),
    ({**_request(504), "resource": {"type": "cloud_run_job", "labels": {"service_name": "gateway-dev"}}}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "alerts"), ENTRIES)
def test_an_entry_opens_the_alerts_meant_for_it_and_no_other(entry: dict[str, Any], alerts: set[str]) -> None:
    """A shutdown is no crash, a lost span no error log, one failed request no page, another stack's service nobody's business."""
    assert {rule.key for rule in LOG_RULES if compile_query(rule.filter)(entry)} == alerts


def test_every_alert_has_a_key_that_can_be_switched_off() -> None:
    """A stack with budgets and objectives has them all, each once, in the order of the list; each has its runbook."""
    assert (*KEYS, FAST.key, SLOW.key) == ALERT_KEYS
    assert sorted(re.findall(r"^## (.*)$", RUNBOOK, re.MULTILINE)) == sorted(ALERT_KEYS)


@pytest.mark.parametrize(
    ("path", "value", "gone"),
    [
        ("costs", {}, {"span-ingestion", "log-ingestion"}),
        ("costs", {"tracing_usd": 0}, {"log-ingestion"}),
        ("costs", {"logging_usd": 0}, {"span-ingestion"}),
    ],
)
def test_what_has_no_budget_is_not_watched(path: str, value: Any, gone: set[str]) -> None:
    """A budget of nothing is a budget; none is no limit."""
    assert set(KEYS) - _keys(_stack(path, value)) == gone


def test_what_promises_nothing_is_not_slow() -> None:
    """Private services promise something only if they say so; without any promise there is no latency alert."""
    assert "latency" not in _keys(_stack("services.gateway.public", False))
    private = changed(filled_in("dev"), "services.gateway.public", False)
    told = parsed("dev", changed(private, "services.archive.objectives", {"latency_ms": 250}))
    (rule,) = (rule for rule in rules(told) if rule.key == "latency")
    assert 'service="archive-dev"' in rule.query
    assert "gateway-dev" not in rule.query
    assert "> 0.25\n" in rule.query


def test_a_stack_without_buckets_has_no_alert_on_them() -> None:
    """Nothing to ask for."""
    values = changed(changed(filled_in("dev"), "buckets", {}), "services.archive.buckets", [])
    values = changed(values, "services.archive.env", {})
    assert "bucket-region" not in _keys(parsed("dev", values))


@pytest.mark.parametrize(
    ("least", "most", "share", "near"),
    [(0, 4, 0.8, 4), (0, 20, 0.8, 16), (1, 2, 0.5, None), (0, 1, 0.8, None), (16, 20, 0.8, None), (15, 20, 0.8, 16)],
)  # fmt: skip
def test_only_a_limit_that_can_come_nearer_is_watched(
    least: int, most: int, share: float, near: int | None
) -> None:
    """With one instance at most, or as many kept warm, the alert would never close."""
    values = filled_in("dev")
    for name in values["blueprint:services"]:
        values = changed(values, f"services.{name}.max_instances", most)
        values = changed(values, f"services.{name}.min_instances", least)
    found = rules(parsed("dev", changed(values, "alerts.instance_share", share)))
    queries = [rule.query for rule in found if rule.key == "instances"]
    assert [query.count(f">= {near}") for query in queries] == ([3] if near else [])


def test_an_alert_can_be_switched_off() -> None:
    """And only that one is."""
    assert set(KEYS) - _keys(_stack("alerts.off", ["instances"])) == {"instances"}


def test_an_alert_that_does_not_exist_cannot_be_switched_off() -> None:
    """Silently ignored, the alert that was meant would go on."""
    stack = STACK.model_copy(update={"alerts": AlertsConfig(off=("instances", "instnaces"))})
    (problem,) = known_alerts(stack)
    assert str(problem).startswith(
        'blueprint:alerts.off.1 is "instnaces", but must be one of bucket-region, '
    )
    assert str(problem).endswith("; write instances.")


def _watched() -> tuple[LogStore, AlertPolicies]:
    logs = LogStore("acme-docs")
    policies = AlertPolicies(logs, "acme-docs", clock=lambda: 1000.0)
    for rule in rules(STACK):
        policies.put(rule.key, wire(policy(STACK, rule, [])))
    return logs, policies


def test_an_alert_names_the_service_and_is_limited_in_rate() -> None:
    """Two services, two incidents; the second entry of one is silent for five minutes."""
    logs, policies = _watched()
    for entry in (_request(504), _request(504), _request(504, "archive-dev")):
        logs.write(entry)
    opened = [(alert.policy["displayName"], alert.labels["service"]) for alert in policies.alerts]
    assert opened == [("Timeouts (504) · dev", "gateway-dev"), ("Timeouts (504) · dev", "archive-dev")]
    assert "**gateway-dev** answered 504" in policies.alerts[0].document


def test_each_event_of_the_export_is_an_incident_of_its_own() -> None:
    """A service whose spans were refused and one that drops some need different people."""
    logs, policies = _watched()
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
    stack = STACK.model_copy(update={"tracing": TracingConfig(**tracing)})
    assert ({"trace-silent", "trace-missing"} <= _keys(stack)) is watched
    assert {"trace-export", "error-logs"} <= _keys(stack)
    errors = next(rule for rule in rules(stack) if rule.key == "error-logs")
    assert compile_query(errors.filter)(_line("ERROR", "trace_silent")) is not watched


@pytest.mark.parametrize("rule", METRIC_RULES, ids=lambda rule: rule.key)
def test_a_policy_on_metrics_can_be_created_before_there_is_data(rule: Rule) -> None:
    """No rate limit, which is for log matches; no validation of metrics that a new project does not have yet."""
    found = policy(STACK, rule, [])
    assert found["alert_strategy"] == {"auto_close": "1800s"}
    (condition,) = found["conditions"]
    assert condition.keys() == {"display_name", "condition_prometheus_query_language"}
    assert condition["condition_prometheus_query_language"] == {
        "query": rule.query,
        "duration": "600s" if rule.key in ("trace-missing", "span-ingestion", "log-ingestion") else "300s",
        "evaluation_interval": "60s",
        "disable_metric_validation": True,
    }
    documentation = found["documentation"]
    assert "${" not in documentation["subject"] + documentation["content"], (
        "there is no log entry to read from"
    )
    assert documentation["content"].startswith("**dev** ")


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


def test_the_stack_says_how_often_and_how_long() -> None:
    """Rate limit and auto-close are its own."""
    stack = _stack("alerts", {"notification_period_s": 3600, "auto_close_s": 7200})
    strategy = policy(stack, rules(stack)[0], [])["alert_strategy"]
    assert strategy == {"notification_rate_limit": {"period": "3600s"}, "auto_close": "7200s"}


@pytest.mark.parametrize("rule", rules(STACK), ids=KEYS)
def test_a_notification_leads_to_logs_traces_dashboard_and_the_runbook(rule: Rule) -> None:
    """The links carry the query, which localcloud can read as Google can; the section exists."""
    text = policy(STACK, rule, [])["documentation"]["content"]
    console = "https://console.cloud.google.com"
    assert f"({console}/logs/query;query=resource.type%3D%22cloud_run_revision%22" in text
    assert f"({console}/traces/explorer;query=" in text
    assert f"({console}/monitoring/dashboards?pageState=" in text
    assert f"`infra/runbook.md#{rule.key}`" in text
    assert f"\n## {rule.key}\n" in RUNBOOK
    compile_query(rule.filter)


def test_a_notification_of_a_large_stack_is_not_too_long() -> None:
    """Google takes 8192 characters of documentation and filters of 20000; a link names each service."""
    values = filled_in("dev")
    one = {**values["blueprint:services"]["archive"], "public": True, "buckets": [], "env": {}}
    many = {f"a-rather-long-name-{number:03}": one for number in range(60)}
    values = changed(changed(values, "services", many), "costs", BUDGETS)
    stack = parsed("dev", values)
    for rule in rules(stack):
        assert len(policy(stack, rule, [])["documentation"]["content"]) <= 8192, rule.key
        assert len(rule.filter) <= 20_000


def test_the_runbook_is_a_link_where_its_address_is_known() -> None:
    """Set `runbook_url` once, and every alert links to its section."""
    stack = _stack("runbook_url", "https://git.example.com/runbook.md")
    text = policy(stack, rules(stack)[0], [])["documentation"]["content"]
    assert "(https://git.example.com/runbook.md#timeouts)" in text
