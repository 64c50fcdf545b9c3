"""The PromQL of the alerts: each expression is read by Prometheus' grammar, and says what it is meant to say."""

from __future__ import annotations

import re
from typing import Any

import promql_parser
import pytest
from stack_files import changed, filled_in, parsed

from infra.alerting.rules import rules
from infra.promql import CHANCE, FEWEST, enough_requests, requests_without_spans
from infra.stack import Stack

RESOURCES = {
    "logging_googleapis_com:user_requests_prod": "cloud_run_revision",
    "logging_googleapis_com:user_request_latencies_prod_bucket": "cloud_run_revision",
    "run_googleapis_com:request_count": "cloud_run_revision",
    "run_googleapis_com:container_instance_count": "cloud_run_revision",
    "cloudtrace_googleapis_com:billing_spans_ingested": "global",
    "logging_googleapis_com:billing_bytes_ingested": "global",
    "storage_googleapis_com:api_request_count": "gcs_bucket",
}
"""Each metric that an alert may ask for, with the resource that it is written against."""
REQUESTS = (
    'logging_googleapis_com:user_requests_prod{monitored_resource="cloud_run_revision",project_id="acme-docs"'
)


def _prod(path: str = "", value: Any = None) -> Stack:
    """With budgets, and no declared traffic that they could refuse."""
    values = changed(filled_in("prod"), "costs", {"tracing_usd": 50, "logging_usd": 20})
    values = changed(values, path, value) if path else values
    return parsed("prod", changed(values, "services.gateway.expected_rps", ...))


def _query(key: str, stack: Stack | None = None) -> str:
    return next(rule.query for rule in rules(stack or _prod()) if rule.key == key)


QUERIES = {rule.key: rule.query for rule in rules(_prod()) if rule.query}


def _selectors(node: Any) -> list[promql_parser.VectorSelector]:
    """Every vector selector of a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        return [node]
    found = []
    for name in ("lhs", "rhs", "expr", "vector_selector", "args"):
        for child in _listed(getattr(node, name, None)):
            found += _selectors(child)
    return found


def _listed(child: Any) -> list[Any]:
    return child if isinstance(child, list) else [child] if child is not None else []


@pytest.mark.parametrize("key", QUERIES)
def test_an_expression_is_promql_over_metrics_of_this_project(key: str) -> None:
    """Each metric is known, and is asked of the one type of resource that it is written against and of no other project."""
    tree = promql_parser.parse(QUERIES[key])
    selectors = _selectors(tree)
    assert len(selectors) == len(re.findall(r"googleapis_com:", QUERIES[key]))
    for selector in selectors:
        matchers = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
        assert matchers["monitored_resource"] == RESOURCES[selector.name]
        assert matchers["project_id"] == "acme-docs"


@pytest.mark.parametrize("key", QUERIES)
def test_an_expression_is_the_same_in_whatever_order_things_are_declared(key: str) -> None:
    """Otherwise every `pulumi up` would change the policy."""
    values = filled_in("prod")
    backwards = dict(reversed(values["blueprint:services"].items()))
    assert _query(key, _prod("services", backwards)) == QUERIES[key]


def test_a_ratio_counts_only_where_there_is_traffic() -> None:
    """5xx of the request log by all of it, for each service: of enough requests, or nothing but failures of a few in half an hour."""
    asked, failed = (
        f"sum by (service) (increase({REQUESTS}{status}}}[%s]))" for status in ("", ',status=~"5.."')
    )
    of = f"{failed} / {asked}"
    outage = f"{of} > 0.99\nand\n{asked} >= 5" % (("30m",) * 3)
    busy = f"{of} > %s\nand\n{asked} >= %s"
    assert _query("error-ratio") == busy % ("5m", "5m", 0.05, "5m", 20) + "\nor\n" + outage
    stack = _prod("alerts", {"error_ratio": 0.2, "min_requests": 7})
    assert _query("error-ratio", stack) == busy % ("5m", "5m", 0.2, "5m", 7) + "\nor\n" + outage


def test_latency_is_that_of_the_objective() -> None:
    """The promised share as quantile, the promised time in seconds, and again only where there is traffic."""
    stack = _prod("services.gateway.objectives", {"latency_ms": 300, "latency_share": 0.99})
    latencies = (
        REQUESTS.replace("requests_prod", "request_latencies_prod_bucket") + ',service="gateway-prod"}[5m]'
    )
    assert _query("latency", stack) == (
        f"(histogram_quantile(0.99, sum by (service, le) (increase({latencies}))) > 0.3\n"
        f'and\nsum by (service) (increase({REQUESTS},service="gateway-prod"}}[5m])) >= 20)'
    )


def test_each_promise_is_kept_apart() -> None:
    """Two services, two terms, either of which opens the alert."""
    tree = promql_parser.parse(_query("latency", _prod("services.archive.objectives", {"latency_ms": 200})))
    assert isinstance(tree, promql_parser.BinaryExpr)
    for term, service in ((tree.lhs, "archive-prod"), (tree.rhs, "gateway-prod")):
        asked = {
            matcher.value
            for selector in _selectors(term)
            for matcher in selector.matchers.matchers
            if matcher.name == "service"
        }
        assert asked == {service}


def test_instances_are_compared_with_the_limit_of_their_service() -> None:
    """Each service has its own; while two revisions serve, each has the limit for itself."""
    assert _query("instances").split("\nor\n")[0] == (
        "max by (service_name) (sum by (service_name, revision_name) ("
        'run_googleapis_com:container_instance_count{monitored_resource="cloud_run_revision",project_id="acme-docs",'
        'location="europe-southwest1",service_name="archive-prod",state="active"})) >= 16'
    )


@pytest.mark.parametrize(
    ("costs", "key", "most"),
    [
        ({"tracing_usd": 50}, "span-ingestion", 252_500_000),
        ({"tracing_usd": 50, "free_tier": False}, "span-ingestion", 250_000_000),
        ({"tracing_usd": 0}, "span-ingestion", 2_500_000),
        ({"logging_usd": 20}, "log-ingestion", 90 * 2**30),
        ({"logging_usd": 20, "free_tier": False}, "log-ingestion", 40 * 2**30),
    ],
)
def test_ingestion_is_compared_with_what_the_budget_buys(costs: dict[str, Any], key: str, most: int) -> None:
    """A day of it, times thirty, against budget by price and what is free."""
    assert re.search(r"\[1d\]\)\) \* 30 > (\d+)$", _query(key, _prod("costs", costs))).group(1) == str(most)  # type: ignore[union-attr]


def test_the_forgotten_debug_sampler_is_noticed_within_hours() -> None:
    """40 USD a day where 50 a month are the budget: the window holds too much of it after three hours."""
    spans_a_day = 40 / 0.20 * 1e6
    most = int(_query("span-ingestion").rpartition(" ")[2])
    assert spans_a_day * (1 / 24) * 30 <= most < spans_a_day * (3 / 24) * 30 * 0.5


def test_a_bucket_is_expected_where_its_stack_file_has_it() -> None:
    """In the stack's region, or elsewhere with a reason; in no other place."""
    buckets = {
        "documents": {},
        "far": {"location": "EU", "cross_region_reason": "shared with another team"},
    }
    eu, home = _query("bucket-region", _prod("buckets", buckets)).split("\nor\n")
    assert 'bucket_name=~"acme-docs-far-prod",location!~"(?i)eu"}[15m])) > 0' in eu
    assert 'bucket_name=~"acme-docs-documents-prod",location!~"(?i)europe-southwest1"}[15m])) > 0' in home


@pytest.mark.parametrize("ratio", [1e-6, 0.001, 0.01, 0.05, 0.1, 0.2])
def test_so_many_requests_are_just_enough_to_believe_the_silence(ratio: float) -> None:
    """With one fewer, all of them unsampled would still be likelier than one in ten thousand."""
    n = enough_requests(ratio)
    assert (1 - ratio) ** n < CHANCE <= (1 - ratio) ** (n - 1)


@pytest.mark.parametrize(
    ("ratio", "requests"), [(0.1, 88), (0.01, 917), (0.5, FEWEST), (0.999, FEWEST), (1.0, FEWEST)]
)
def test_a_handful_of_requests_is_never_enough(ratio: float, requests: int) -> None:
    """One burst may leave all its spans in an instance that was frozen with them, whatever the ratio."""
    assert enough_requests(ratio) == requests


def test_the_expression() -> None:
    """Requests of the busiest service of this stack, against charged spans of the project, both over a quarter of an hour."""
    stack = parsed("prod", filled_in("prod"))
    assert requests_without_spans(stack) == (
        "max(sum by (service_name) (increase("
        'run_googleapis_com:request_count{monitored_resource="cloud_run_revision",project_id="acme-docs",'
        'location="europe-southwest1",service_name=~"archive-prod|extract-prod|gateway-prod"}[15m]))) > 88\n'
        "and\n"
        "(sum(increase("
        'cloudtrace_googleapis_com:billing_spans_ingested{monitored_resource="global",project_id="acme-docs",'
        'chargeable!="false"}[15m])) or vector(0)) == 0'
    )


def test_both_sides_have_no_labels_left() -> None:
    """`and` compares label sets: one label on either side, and the alert never fires."""
    left, right = requests_without_spans(parsed("dev", filled_in("dev"))).split("\nand\n")
    assert left.startswith("max(")
    assert right.startswith("(sum(")
    assert " by " not in right
