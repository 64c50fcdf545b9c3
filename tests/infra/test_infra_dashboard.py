"""The dashboard: everything that should be on it, on the grid, in queries that parse, in JSON that stays as it is."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest
import recorded
from promql_series import Series, evaluate, parse
from stack_files import ENVIRONMENTS, changed, filled_in, parsed

from infra import links
from infra import stack as stacks
from infra.components.channels import Channels
from infra.components.dashboard import Dashboard
from infra.components.objectives import Objectives
from infra.dashboard import dashboard
from infra.dashboard.layout import mosaic
from infra.dashboard.normal import normalised
from infra.dashboard.tile import Tile, chart, incidents
from infra.objectives.burn import burns
from infra.objectives.objective import objectives
from infra.objectives.policy import title
from infra.stack import Stack
from localcloud.logs.query import compile_query

REQUESTS = "logging_googleapis_com:user_requests_dev"
SPANS = "cloudtrace_googleapis_com:billing_spans_ingested"
RUN = {"monitored_resource": "cloud_run_revision", "project_id": "acme-docs"}


def _stack(env: str = "dev", **more: Any) -> Stack:
    values = filled_in(env)
    for path, value in more.items():
        values = changed(values, path.replace("__", "."), value)
    return parsed(env, values)


def _json(stack: Stack) -> str:
    """As after a deployment, with names such as Monitoring gives."""
    named = [title(stack, each, burn) for each in objectives(stack) for burn in burns(stack)]
    policies = {
        name: f"projects/acme-docs/alertPolicies/{i}" for i, name in enumerate(["Timeouts (504)", *named])
    }
    slos: dict[str, dict[str, str]] = {}
    for each in objectives(stack):
        name = f"projects/7/services/{stack.named(each.service)}/serviceLevelObjectives/{each.kind}"
        slos.setdefault(each.service, {})[each.kind] = name
    return dashboard(stack, policies, slos)


def _tiles(stack: Stack) -> list[dict[str, Any]]:
    tiles: list[dict[str, Any]] = json.loads(_json(stack))["mosaicLayout"]["tiles"]
    return tiles


def _widgets(stack: Stack) -> dict[str, dict[str, Any]]:
    return {tile["widget"].get("title", ""): tile["widget"] for tile in _tiles(stack)}


def _sources(stack: Stack, kind: str) -> dict[str, list[str]]:
    """PromQL queries, or the filters of the Monitoring language, by title of the chart."""
    found: dict[str, list[str]] = {}
    for name, widget in _widgets(stack).items():
        for data in widget.get("xyChart", {}).get("dataSets", []):
            query = data["timeSeriesQuery"]
            if kind in query:
                found.setdefault(name, []).append(query[kind])
    return found


def _without_burns() -> Stack:
    stack = _stack()
    return stack.model_copy(
        update={"alerts": stack.alerts.model_copy(update={"off": ("burn-fast", "burn-slow")})}
    )


STACKS = [_stack(env) for env in ENVIRONMENTS]
STACKS += [
    _stack(services__gateway__public=False),
    _stack(services__archive__objectives={}),
    _stack(tracing__exporter="none"),
    _without_burns(),
    _stack(costs__tracing_usd=100, runbook_url="https://git.example.com/runbook.md"),
]
IDS = [*ENVIRONMENTS, "private", "two promises", "no export", "no burn", "budget"]
each_stack = pytest.mark.parametrize("stack", STACKS, ids=IDS)


@each_stack
def test_the_json_is_in_normal_form(stack: Stack) -> None:
    """Keys sorted, no spaces, nothing that the API would drop."""
    text = _json(stack)
    assert normalised(json.loads(text)) == text
    assert not [each for each in _values(json.loads(text)) if each in (0, "", None, False, [], {})]


def _values(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _values(each)


def _as_the_api_returns(value: Any) -> Any:
    """Without zeros and empty values, with fields of its own."""
    if isinstance(value, dict):
        kept = {key: _as_the_api_returns(item) for key, item in value.items()}
        kept = {key: item for key, item in kept.items() if item or isinstance(item, dict)}
        extra = {"thresholds": [], "timeshiftDuration": "0s", "breakdowns": [], "measures": []}
        return {**extra, **kept} if "dataSets" in kept or "timeSeriesQuery" in kept else kept
    return [_as_the_api_returns(item) for item in value] if isinstance(value, list) else value


def _without_computed(old: Any, new: Any) -> Any:
    """What the provider compares: the state without the keys that the program does not give.

    Source: removeComputedKeys in magic-modules, resource_monitoring_dashboard.go.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: _without_computed(item, new[key]) for key, item in old.items() if key in new}
    if isinstance(old, list) and isinstance(new, list):
        paired = [_without_computed(a, b) for a, b in zip(old, new, strict=False)]
        return [*paired, *old[len(new) :]]
    return old


@each_stack
def test_a_second_preview_is_empty(stack: Stack) -> None:
    """What the API gives back differs from what the program gives in nothing that the provider compares."""
    program = json.loads(_json(stack))
    state = {**_as_the_api_returns(program), "etag": "1", "name": "projects/7/dashboards/1", "labels": {}}
    assert _without_computed(state, program) == program


def test_a_zero_would_be_a_difference_for_ever() -> None:
    """The same comparison, with the zero of a first tile left in: the test above can fail."""
    program = json.loads(_json(STACKS[0]))
    program["mosaicLayout"]["tiles"][0]["xPos"] = 0
    state = _as_the_api_returns(program)
    assert _without_computed(state, program) != program


def test_taking_something_away_is_a_change_too() -> None:
    """The provider overlooks a key that only goes; the text of the first row changes with it."""
    with_limit, without = (
        json.loads(_json(_stack(costs__tracing_usd=100))),
        json.loads(_json(_stack(costs={}))),
    )
    assert "thresholds" in _cost(with_limit)
    assert "thresholds" not in _cost(without)
    assert _without_computed(copy.deepcopy(with_limit), without) != without


def _cost(program: dict[str, Any]) -> dict[str, Any]:
    (found,) = [
        tile["widget"]["xyChart"]
        for tile in program["mosaicLayout"]["tiles"]
        if "USD" in tile["widget"].get("title", "")
    ]
    chart: dict[str, Any] = found
    return chart


@each_stack
def test_every_tile_is_inside_the_grid_and_covers_no_other(stack: Stack) -> None:
    """The API refuses a tile beyond column 48 and one upon another."""
    taken: set[tuple[int, int]] = set()
    for tile in _tiles(stack):
        left, top = tile.get("xPos", 0), tile.get("yPos", 0)
        assert 0 <= left < left + tile["width"] <= 48
        cells = set(itertools.product(range(left, left + tile["width"]), range(top, top + tile["height"])))
        assert not cells & taken
        taken |= cells


def test_a_row_that_is_too_wide_is_refused() -> None:
    """Before the API does it, in the middle of a deployment."""
    with pytest.raises(ValueError, match="52 columns wide"):
        mosaic([[Tile({}, 26), Tile({}, 26)]])


def test_tiles_stay_within_the_limit_of_a_dashboard() -> None:
    """100 widgets: with very many public services only the first have charts of their alerts."""
    values = filled_in("dev")
    for i in range(40):
        gateway = values["blueprint:services"]["gateway"]
        values["blueprint:services"][f"edge-{i:02}"] = {**gateway, "env": {}}
    assert len(_tiles(parsed("dev", values))) < 100


@each_stack
def test_every_query_parses(stack: Stack) -> None:
    """A mistake would show as an empty chart, on the day somebody needs it."""
    for queries in _sources(stack, "prometheusQuery").values():
        for query in queries:
            parse(query)
    for widget in _widgets(stack).values():
        if panel := widget.get("logsPanel"):
            compile_query(panel["filter"])


THEMES = [
    ("Incidents", "incidentList", ""),
    ("Requests a second", "xyChart", "user_requests_dev"),
    ("4xx and 5xx a second, by status", "xyChart", 'status=~"4..|5.."'),
    ("Share of 5xx and 429", "xyChart", "5..|429"),
    ("Latency p50", "xyChart", "histogram_quantile(0.5,"),
    ("Latency p95", "xyChart", "histogram_quantile(0.95,"),
    ("Latency p99", "xyChart", "histogram_quantile(0.99,"),
    ("Cold starts in 5 minutes", "xyChart", "container_startup_latencies_count"),
    ("Startup latency p95", "xyChart", "container_startup_latencies_bucket"),
    ("Instances", "xyChart", "container_instance_count"),
    ("CPU utilisation p95", "xyChart", "container_cpu_utilizations_bucket"),
    ("Memory utilisation p95", "xyChart", "container_memory_utilizations_bucket"),
    ("Spans ingested a second (project)", "xyChart", "billing_spans_ingested"),
    ("Spans, USD a month (project)", "xyChart", "billing_monthly_spans_ingested"),
    ("Failures of the trace export", "logsPanel", "trace_export_failed"),
    ("Error logs", "logsPanel", "severity>=ERROR"),
    ("Availability budget left of 28 days (request log)", "xyChart", "[28d]"),
    ("Error budget left of 28 days (SLOs)", "xyChart", "select_slo_budget_fraction"),
    ("Burn of availability, last hour (request log)", "xyChart", "5..|429"),
    ("Burn of latency, last hour", "xyChart", "select_slo_burn_rate"),
    ("gateway: availability burns fast", "alertChart", "projects/acme-docs/alertPolicies/1"),
    ("gateway: latency burns slowly", "alertChart", "projects/acme-docs/alertPolicies/4"),
]


@pytest.mark.parametrize(("name", "kind", "mentions"), THEMES)
def test_everything_that_was_asked_for_is_there(name: str, kind: str, mentions: str) -> None:
    """By its title, as the kind of widget that shows it, from the source that has it."""
    widget = _widgets(_stack())[name][kind]
    assert mentions.replace('"', '\\"') in json.dumps(widget)


def test_no_chart_mixes_two_languages() -> None:
    """PromQL cannot read SLOs; whether one chart may have both is not documented."""
    for stack in STACKS:
        assert not _sources(stack, "prometheusQuery").keys() & _sources(stack, "timeSeriesFilter").keys()


@pytest.mark.parametrize("exporter", ["console", "none"])
def test_spans_that_do_not_go_to_google_have_no_chart(exporter: str) -> None:
    """Google's counter would show another stack's. Failures of the export are shown all the same."""
    widgets = _widgets(_stack(tracing__exporter=exporter))
    assert not [name for name in widgets if name.startswith("Spans")]
    assert "Failures of the trace export" in widgets


def test_a_stack_without_promises_has_no_budgets() -> None:
    """And no empty charts of them."""
    assert not [name for name in _widgets(_stack(services__gateway__public=False)) if "udget" in name]


def test_incidents_are_those_of_this_stack() -> None:
    """Two stacks may share a project. The API takes policies without the project in front."""
    assert _widgets(_stack())["Incidents"]["incidentList"] == {
        "policyNames": [f"alertPolicies/{i}" for i in (0, 1, 2, 3, 4)]
    }
    assert normalised(incidents("Incidents", [], 32).widget) == '{"incidentList":{},"title":"Incidents"}'


def test_the_order_of_the_stack_file_does_not_matter() -> None:
    """Else every `pulumi up` would change the dashboard."""
    values = filled_in("dev")
    backwards = changed(values, "services", dict(reversed(values["blueprint:services"].items())))
    assert _json(parsed("dev", values)) == _json(parsed("dev", backwards))


def test_the_forgotten_sampler_shows_in_dollars() -> None:
    """200 million spans a day are 40 USD a day: 1200 USD in 30 days, less the 2.5 million spans that are free."""
    labels = {"monitored_resource": "global", "project_id": "acme-docs", "service": "x", "chargeable": "true"}
    spans = Series(SPANS, labels, [200e6 / 1440] * 60)
    free = Series(SPANS, {**labels, "chargeable": "false"}, [1e9] * 60)
    month = Series("cloudtrace_googleapis_com:billing_monthly_spans_ingested", labels, [1e6])
    rate, so_far = _sources(_stack(), "prometheusQuery")["Spans, USD a month (project)"]
    assert evaluate(rate, [spans, free, month]) == {frozenset(): pytest.approx(1199.5)}
    assert evaluate(so_far, [spans, free, month]) == {frozenset(): 0}
    paid, _ = _sources(_stack(costs__free_tier=False), "prometheusQuery")["Spans, USD a month (project)"]
    assert evaluate(paid, [spans, free, month]) == {frozenset(): pytest.approx(1200)}


def test_a_service_without_errors_is_at_zero_and_not_absent() -> None:
    """A gap would look like missing data."""
    series = [
        Series(REQUESTS, {**RUN, "service": "gateway-dev", "status": "200"}, [95.0] * 5),
        Series(REQUESTS, {**RUN, "service": "gateway-dev", "status": "429"}, [5.0] * 5),
        Series(REQUESTS, {**RUN, "service": "archive-dev", "status": "404"}, [50.0] * 5),
    ]
    (query,) = _sources(_stack(), "prometheusQuery")["Share of 5xx and 429"]
    assert evaluate(query, series) == {
        frozenset({("service", "gateway-dev")}): pytest.approx(0.05),
        frozenset({("service", "archive-dev")}): 0,
    }


def test_the_burn_is_in_budgets() -> None:
    """7.2 % bad of 0.5 % allowed is 14.4, where the chart has its line."""
    series = [
        Series(REQUESTS, {**RUN, "service": "gateway-dev", "status": "200"}, [928.0] * 60),
        Series(REQUESTS, {**RUN, "service": "gateway-dev", "status": "503"}, [72.0] * 60),
    ]
    name = "Burn of availability, last hour (request log)"
    (query,) = _sources(_stack(), "prometheusQuery")[name]
    assert evaluate(query, series) == {frozenset(): pytest.approx(14.4)}
    assert [each["value"] for each in _widgets(_stack())[name]["xyChart"]["thresholds"]] == [14.4, 6]


@pytest.mark.parametrize(("bad", "left"), [([], 1), ([2.5], 0.5), ([5.0], 0), ([10.0], -1)])
def test_the_budget_that_is_left(bad: list[float], left: float) -> None:
    """Of 1000 requests 5 may fail; a service without a bad request has spent nothing, and is shown."""
    good = Series(REQUESTS, {**RUN, "service": "gateway-dev", "status": "200"}, [0.0, 1000 - sum(bad)])
    failed = [Series(REQUESTS, {**RUN, "service": "gateway-dev", "status": "429"}, bad)] if bad else []
    (query,) = _sources(_stack(), "prometheusQuery")["Availability budget left of 28 days (request log)"]
    assert evaluate(query, [good, *failed]) == {frozenset(): pytest.approx(left, abs=1e-9)}
    assert evaluate(query, []) == {}


def test_normal_form_drops_what_the_api_drops() -> None:
    """And keeps what looks empty but chooses something."""
    tile = chart("x", [], 1, [("spent", 0), ("alert", 1.0)]).widget
    assert normalised({"b": tile, "a": {"c": {}}, "n": None, "s": "ü"}) == (
        '{"b":{"title":"x","xyChart":{"chartOptions":{"mode":"COLOR"},"thresholds":[{"label":"spent","targetAxis":"Y1"},'
        '{"label":"alert","targetAxis":"Y1","value":1}],"yAxis":{"scale":"LINEAR"}}},"s":"ü"}'
    )


def test_the_address_is_that_of_the_console() -> None:
    """The API's name has the project's number in it; the console wants the id."""
    assert links.dashboard("acme-docs", "projects/7/dashboards/ab-1") == (
        "https://console.cloud.google.com/monitoring/dashboards/builder/ab-1?project=acme-docs"
    )


def test_what_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """One dashboard, with the names that the other resources were given."""

    def declare() -> None:
        this = stacks.read()
        alerts = {"Timeouts (504)": pulumi.Output.from_input("projects/acme-docs/alertPolicies/504")}
        board = Dashboard(this, Objectives(this, Channels(this)), alerts)
        pulumi.export("dashboard", board.address)

    monkeypatch.setattr(recorded, "declare", declare)
    found = recorded.record("dev", filled_in("dev"))
    (made,) = found.of("Dashboard").values()
    assert "alertPolicies/gateway-latency-burn-fast-dev" in made["dashboardJson"]
    assert "alertPolicies/504" in made["dashboardJson"]
    assert 'select_slo_burn_rate(\\"id-gateway-latency-dev\\", \\"3600s\\")' in made["dashboardJson"]
    assert normalised(json.loads(made["dashboardJson"])) == made["dashboardJson"]
    assert found.exports["dashboard"] == links.dashboard("acme-docs", "id-dashboard-dev")
