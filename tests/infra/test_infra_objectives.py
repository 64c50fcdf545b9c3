"""Objectives: their SLOs, and the arithmetic of the alerts on burning budgets, evaluated on series made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import recorded
from promql_series import Series, fires
from stack_files import changed, filled_in, parsed

from infra import stack as stacks
from infra.components.channels import Channels
from infra.components.objectives import Objectives
from infra.objectives.burn import FAST, SLOW, Burn, alerting, bad_share, burns, expression, true_rate
from infra.objectives.objective import Objective, objectives, promising
from infra.objectives.policy import bad_requests, policy, title
from infra.objectives.slo import monitored, slo
from infra.stack import Stack, StackRefused
from localcloud.alerts import AlertPolicies
from localcloud.logs.query import compile_query
from localcloud.logs.store import LogStore

HOURS = 6 * 60


def _stack(**more: Any) -> Stack:
    values = filled_in("dev")
    for path, value in more.items():
        values = changed(values, path.replace("__", "."), value)
    return parsed("dev", values)


STACK = _stack()
AVAILABILITY, LATENCY = objectives(STACK)


def _requests(per_minute: Sequence[float], status: str = "200", service: str = "gateway-dev") -> Series:
    labels = {"monitored_resource": "cloud_run_revision", "project_id": "acme-docs", "service": service}
    return Series("logging_googleapis_com:user_requests_dev", {**labels, "status": status}, per_minute)


def _latencies(fast: Sequence[float], slow: Sequence[float]) -> list[Series]:
    """Fast requests took between 0.5 and 1 s, slow ones between 1 and 2 s."""
    labels = {
        "monitored_resource": "cloud_run_revision",
        "project_id": "acme-docs",
        "service": "gateway-dev",
    }
    both = [a + b for a, b in zip(fast, slow, strict=True)]
    buckets = {"0.5": [0.0] * len(both), "1": fast, "2": both, "+Inf": both}
    return [
        Series(
            "logging_googleapis_com:user_request_latencies_dev_bucket", {**labels, "le": le}, list(minutes)
        )
        for le, minutes in buckets.items()
    ]


def _steady(bad: float, *, of: float = 1000, status: str = "500") -> list[Series]:
    return [_requests([of - bad] * HOURS), _requests([bad] * HOURS, status)]


def test_public_services_promise_something_and_others_if_they_say_so() -> None:
    """A private service's failures show at its caller; one with promises of its own has them."""
    assert promising(STACK) == ["gateway"]
    assert promising(_stack(services__archive__objectives={"availability": 0.9})) == ["archive", "gateway"]


@pytest.mark.parametrize(
    ("burn", "rate", "windows", "severity"),
    [(FAST, 14.4, (60, 5), "CRITICAL"), (SLOW, 6, (360, 30), "WARNING")],
)
def test_rates_and_windows(burn: Burn, rate: float, windows: tuple[int, int], severity: str) -> None:
    """Those of the SRE workbook: 2 % of a budget in an hour wakes somebody, 5 % in six hours waits for the morning."""
    assert (burn.rate, (burn.long_minutes, burn.short_minutes), burn.severity) == (rate, windows, severity)
    spent = burn.rate * burn.long_minutes / (28 * 24 * 60)
    assert round(spent, 2) == {FAST: 0.02, SLOW: 0.05}[burn]


@pytest.mark.parametrize(
    ("bad", "fast", "slow"),
    [
        (0, False, False),
        (5, False, False),
        (29.9, False, False),
        (30.1, False, True),
        (71.9, False, True),
        (72.1, True, True),
        (1000, True, True),
    ],
)
@pytest.mark.parametrize("status", ["500", "503", "504", "429"])
def test_availability_fires_above_the_rate_and_not_below(
    status: str, bad: float, fast: bool, slow: bool
) -> None:
    """0.5 % may fail: 14.4 budgets are 72 of 1000 requests, 6 are 30; a request refused for want of an instance counts."""
    series = _steady(bad, status=status)
    assert fires(expression(STACK, AVAILABILITY, FAST), series) is fast
    assert fires(expression(STACK, AVAILABILITY, SLOW), series) is slow


@pytest.mark.parametrize("status", ["200", "302", "400", "404"])
def test_what_the_caller_did_wrong_spends_no_budget(status: str) -> None:
    """A scanner that meets 404s wakes nobody."""
    assert not fires(expression(STACK, AVAILABILITY, SLOW), _steady(900, status=status))


@pytest.mark.parametrize(
    ("slow_ones", "fast", "slow"),
    [(0, False, False), (299, False, False), (301, False, True), (719, False, True), (721, True, True)],
)
def test_latency_fires_above_the_rate_and_not_below(slow_ones: float, fast: bool, slow: bool) -> None:
    """5 % may be slow: 14.4 budgets are 720 of 1000 requests above 1 s, 6 are 300."""
    series = [_requests([1000.0] * HOURS), *_latencies([1000 - slow_ones] * HOURS, [slow_ones] * HOURS)]
    assert fires(expression(STACK, LATENCY, FAST), series) is fast
    assert fires(expression(STACK, LATENCY, SLOW), series) is slow


@pytest.mark.parametrize(("burn", "long", "short"), [(FAST, 60, 5), (SLOW, 360, 30)])
def test_both_windows_must_burn(burn: Burn, long: int, short: int) -> None:
    """What has ended wakes nobody an hour later, and what has just begun must first have cost something."""
    query = expression(STACK, AVAILABILITY, burn)
    ended = [100.0] * (HOURS - short) + [0.0] * short
    lasting = [0.0] * (HOURS - long) + [100.0] * long
    begun = [0.0] * (HOURS - 1) + [100.0]
    for bad, expected in ((ended, False), (lasting, True), (begun, False)):
        assert fires(query, [_requests([900.0] * HOURS), _requests(bad, "500")]) is expected


@pytest.mark.parametrize("burn", [FAST, SLOW])
@pytest.mark.parametrize(("per_minute", "expected"), [(3.9, False), (4, True)])
def test_low_traffic_wakes_nobody(burn: Burn, per_minute: float, expected: bool) -> None:
    """`min_requests` (20) in five minutes are 4 a minute, in either window; below it even nothing but errors is silent."""
    bad = [_requests([per_minute] * HOURS, "500")]
    assert fires(expression(STACK, AVAILABILITY, burn), bad) is expected
    slow = [
        _requests([per_minute] * HOURS),
        *_latencies([0.0] * HOURS, [per_minute] * HOURS),
    ]
    assert fires(expression(STACK, LATENCY, burn), slow) is expected


def test_the_gate_follows_the_stack() -> None:
    """`alerts.min_requests` is the one knob of all ratios."""
    quiet = _stack(alerts__min_requests=1000)
    bad = _steady(199, of=199)
    assert fires(expression(STACK, AVAILABILITY, FAST), bad)
    assert not fires(expression(quiet, AVAILABILITY, FAST), bad)


@pytest.mark.parametrize("objective", [AVAILABILITY, LATENCY])
@pytest.mark.parametrize("burn", [FAST, SLOW])
def test_nobody_is_woken_without_data_or_by_another_service(objective: Objective, burn: Burn) -> None:
    """A fresh project has no series at all; another service or stack has budgets of its own."""
    query = expression(STACK, objective, burn)
    assert not fires(query, [])
    assert not fires(query, [_requests([0.0] * HOURS, "500"), *_latencies([0.0] * HOURS, [0.0] * HOURS)])
    good = _requests([1000.0] * HOURS)
    assert not fires(query, [good, _requests([1000.0] * HOURS, "500", "archive-dev")])


def test_a_low_goal_can_still_be_missed() -> None:
    """With half of all requests allowed to fail, 14.4 budgets would be seven times all requests: 90 % stands for them."""
    low = Objective("gateway", "availability", 0.5)
    assert bad_share(low, FAST) == bad_share(low, SLOW) == 0.9
    assert fires(expression(STACK, low, FAST), _steady(910))
    assert not fires(expression(STACK, low, FAST), _steady(890))


@pytest.mark.parametrize(
    ("goal", "fast", "slow"),
    [(0.995, 14.4, 6), (0.9375, 14.4, 6), (0.93, 12.857, 6), (0.9, 9, 6), (0.86, 6.429, 6), (0.85, 6, None), (0.5, 1.8, None)],
)  # fmt: skip
def test_the_rate_that_is_told_is_the_rate_that_opens(goal: float, fast: float, slow: float | None) -> None:
    """Below 93.75 % the fast burn is no 14.4 times; up to 85 % both would be one alert, and only one is declared."""
    objective = Objective("gateway", "availability", goal)
    told = {burn: true_rate(objective, burn) for burn in alerting(STACK, objective)}
    assert told == {FAST: fast} | ({SLOW: slow} if slow else {})
    for burn, rate in told.items():
        assert f": {rate:.3g} times as many as it allows." in policy(STACK, objective, burn, [])["documentation"]["content"]  # fmt: skip
        for bad, expected in ((rate * (1 - goal) * 1000 + 1, True), (rate * (1 - goal) * 1000 - 1, False)):
            assert fires(expression(STACK, objective, burn), _steady(bad)) is expected


def test_the_slow_burn_stays_where_the_fast_one_is_switched_off() -> None:
    """Of two alerts that are the same, the one that is left is declared."""
    off = _stack(alerts__off=["burn-fast"])
    assert alerting(off, Objective("gateway", "availability", 0.5)) == [SLOW]


def test_the_expression() -> None:
    """The text that Monitoring evaluates, whole."""
    all_ = 'logging_googleapis_com:user_requests_dev{monitored_resource="cloud_run_revision",project_id="acme-docs",service="gateway-dev"}'
    bad = all_.replace("}", ',status=~"5..|429"}')
    assert expression(STACK, AVAILABILITY, FAST) == (
        f"sum(increase({bad}[60m])) / sum(increase({all_}[60m])) > 0.072\nand\n"
        f"sum(increase({bad}[5m])) / sum(increase({all_}[5m])) > 0.072\nand\n"
        f"sum(increase({all_}[5m])) >= 20"
    )
    assert expression(STACK, LATENCY, SLOW).startswith("histogram_quantile(0.7, sum by (le) (increase(")


def test_slos_stand_on_metrics_that_exist_in_a_new_project() -> None:
    """A filter on a log-based metric without data is refused, and with it the first `pulumi up`."""
    assert monitored(STACK, "gateway")["basic_service"] == {
        "service_type": "CLOUD_RUN",
        "service_labels": {"service_name": "gateway-dev", "location": "europe-southwest1"},
    }
    arguments = slo(STACK, AVAILABILITY)
    assert (arguments["goal"], arguments["rolling_period_days"]) == (0.995, 28)
    assert arguments["basic_sli"] == {"availability": {"enabled": True}}
    assert not {"request_based_sli", "windows_based_sli"} & arguments.keys()


@pytest.mark.parametrize(
    ("ms", "threshold"), [(1000, "1s"), (60_000, "60s"), (1500, "1.500s"), (250, "0.250s"), (1, "0.001s")]
)
def test_a_duration_is_written_as_the_api_writes_it(ms: int, threshold: str) -> None:
    """`1.5s` comes back as `1.500s`, and every preview would show a difference."""
    objective = Objective("gateway", "latency", 0.95, ms)
    assert slo(STACK, objective)["basic_sli"] == {"latency": {"threshold": threshold}}


@pytest.mark.parametrize("key", ["availability", "latency_share"])
def test_a_goal_that_monitoring_refuses_is_refused_before_anything_is_declared(key: str) -> None:
    """0.999 is the highest goal of an SLO."""
    with pytest.raises(StackRefused, match=rf"gateway\.objectives\.{key} is 0\.9995"):
        _stack(services__gateway__objectives={key: 0.9995})
    assert promising(_stack(services__gateway__objectives={key: 0.999})) == ["gateway"]


def _request(status: int, latency: str = "0.1s", service: str = "gateway-dev") -> dict[str, Any]:
    return {
        "logName": "projects/acme-docs/logs/run.googleapis.com%2Frequests",
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
        "httpRequest": {"status": status, "latency": latency},
    }


@pytest.mark.parametrize(
    ("entry", "kinds"),
    [
        (_request(200), set()),
        (_request(404), set()),
        (_request(500), {"availability"}),
        (_request(429), {"availability"}),
        (_request(504, "1.2s"), {"availability", "latency"}),
        (_request(200, "1.000001s"), {"latency"}),
        (_request(200, "1s"), set()),
        (_request(500, service="archive-dev"), set()),
    ],
)
def test_the_link_of_an_alert_finds_the_requests_that_spent_the_budget(
    entry: dict[str, Any], kinds: set[str]
) -> None:
    """And no others: who is woken at night reads these first."""
    found = {each.kind for each in objectives(STACK) if compile_query(bad_requests(STACK, each))(entry)}
    assert found == kinds


def _camel(value: Any) -> Any:
    """Keys as the provider receives them."""
    if isinstance(value, dict):
        return {_camel_key(key): _camel(item) for key, item in value.items()}
    return [_camel(item) for item in value] if isinstance(value, list) else value


def _camel_key(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(part.title() for part in rest)


@pytest.mark.parametrize("objective", [AVAILABILITY, LATENCY])
@pytest.mark.parametrize("burn", [FAST, SLOW])
def test_a_policy_is_accepted_and_says_what_to_do(objective: Objective, burn: Burn) -> None:
    """One condition, as the chart of an alert demands; a metric without data yet is no obstacle."""
    arguments = policy(STACK, objective, burn, ["projects/acme-docs/notificationChannels/1"])
    AlertPolicies(LogStore("acme-docs"), "acme-docs").put("burn", _camel(arguments))
    (condition,) = arguments["conditions"]
    assert condition["condition_prometheus_query_language"]["disable_metric_validation"] is True
    assert arguments["severity"] == burn.severity
    assert arguments["alert_strategy"] == {"auto_close": "1800s"}
    assert arguments["notification_channels"] == ["projects/acme-docs/notificationChannels/1"]
    content = arguments["documentation"]["content"]
    assert f"`infra/runbook.md#{burn.key}`" in content
    assert content.count("https://console.cloud.google.com/") == 3
    assert "%22services%22%3A%5B%22gateway%22%5D" in content, "the traces are those of the one service"


def test_a_notification_has_the_figures() -> None:
    """The promise, the share that broke it, and how long the budget lasts."""
    content = policy(STACK, AVAILABILITY, FAST, [])["documentation"]["content"]
    assert content.startswith(
        "**gateway-dev** promises 99.5 % of requests without 5xx or 429 over 28 days. More than 7.2 % were bad in the "
        "last 60 minutes, and are in the last 5: 14.4 times as many as it allows. At this rate the whole budget is gone "
        "in 1.9 days."
    )
    assert title(STACK, LATENCY, SLOW) == "gateway: latency budget burns slowly · dev"


def test_a_rate_can_be_switched_off() -> None:
    """By the key of its section in the runbook, as with every other alert."""
    off = STACK.alerts.model_copy(update={"off": ("burn-slow",)})
    assert burns(STACK.model_copy(update={"alerts": off})) == [FAST]


def _declared(monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]) -> recorded.Recorded:
    def declare() -> None:
        import pulumi

        this = stacks.read()
        made = Objectives(this, Channels(this))
        pulumi.export("names", made.names)
        pulumi.export("slos", made.slos)

    monkeypatch.setattr(recorded, "declare", declare)
    return recorded.record("dev", values)


def test_what_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service, two SLOs and four policies for each service that promises something; all notify the same people."""
    values = changed(filled_in("dev"), "notify.emails", ["a@example.com"])
    found = _declared(monkeypatch, values)
    assert found.of("GenericService").keys() == {"gateway-objectives-dev"}
    assert {name: each["sloId"] for name, each in found.of("Slo").items()} == {
        "gateway-availability-dev": "availability",
        "gateway-latency-dev": "latency",
    }
    assert {each["service"] for each in found.of("Slo").values()} == {"gateway-dev"}
    policies = found.of("AlertPolicy")
    assert policies.keys() == {
        f"gateway-{kind}-{key}-dev"
        for kind in ("availability", "latency")
        for key in ("burn-fast", "burn-slow")
    }
    assert {each["notificationChannels"][0] for each in policies.values()} == {"id-a@example.com-dev"}
    assert {each["displayName"] for each in policies.values()} == found.exports["names"].keys()
    assert found.exports["slos"]["gateway"].keys() == {"availability", "latency"}


def test_two_alerts_that_are_one_are_declared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A goal of 80 % has one alert; the other objective of the service keeps both."""
    values = changed(filled_in("dev"), "services.gateway.objectives", {"availability": 0.8})
    assert _declared(monkeypatch, values).of("AlertPolicy").keys() == {
        "gateway-availability-burn-fast-dev",
        "gateway-latency-burn-fast-dev",
        "gateway-latency-burn-slow-dev",
    }


def test_a_stack_that_promises_nothing_declares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a public service there is nobody to promise anything to."""
    values = changed(filled_in("dev"), "services.gateway.public", False)
    assert not _declared(monkeypatch, values).of("AlertPolicy")
