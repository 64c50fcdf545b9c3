"""What the declared traffic costs: the sums are right, honest about the template, and budgets hold."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from stack_files import ROOT, changed, filled_in, parsed

import infra.stack
from infra.costs import instances, load, prices
from infra.costs.estimate import Estimate, estimate, export
from infra.costs.prices import DAYS
from infra.costs.report import SILENT, report
from infra.costs.spans import in_service
from infra.schema import budgets
from infra.schema.service import ServiceConfig
from infra.stack import Stack
from ops import stackfile
from ops.environment import Environment
from ops.google import TraceNotFound
from ops.options import EngineChoice

PARTS = ("spans", "logs", "instances", "buckets")


def stack(env: str = "dev", /, **changes: Any) -> Stack:
    """A shipped stack without its traffic and budgets, changed: `costs__free_tier=False` is `costs.free_tier`.

    Types are checked, rules between fields not.
    """
    values = changed(filled_in(env), "costs", {})
    for service in values["blueprint:services"]:
        values = changed(values, f"services.{service}.concurrency", 80)
        values = changed(values, f"services.{service}.expected_rps", ...)
    for path, value in changes.items():
        values = changed(values, path.replace("__", "."), value)
    fields = {key.rpartition(":")[2]: value for key, value in values.items()}
    return Stack.model_validate_json(json.dumps({**fields, "env": env}))


def busy(rps: float, /, **changes: Any) -> Stack:
    """The shipped stack `dev` with traffic at its gateway."""
    return stack("dev", services__gateway__expected_rps=rps, **changes)


def line(found: Estimate, what: str) -> Any:
    """The one line of that name."""
    (only,) = [each for each in found.lines if each.what == what]
    return only


def test_a_forgotten_debug_sampler_costs_forty_usd_a_day() -> None:
    """The incident: every trace kept at 500 requests/s. 40 USD a day are 4.63 spans a request at 0.20 USD a million."""
    found = estimate(busy(500, costs__spans_per_request=4.63, costs__free_tier=False))
    assert found.usd("spans") / DAYS == pytest.approx(40, abs=0.01)


@pytest.mark.parametrize(("ratio", "usd_a_day"), [(1.0, 77.76), (0.1, 8.48), (0.01, 1.55)])
def test_what_the_shipped_chain_costs_at_the_same_traffic(ratio: float, usd_a_day: float) -> None:
    """Nine spans a request, and 1 % of the others kept as they fail or are slow."""
    found = estimate(busy(500, tracing__sample_ratio=ratio, costs__free_tier=False))
    assert found.spans.per_request == 9
    assert found.usd("spans") / DAYS == pytest.approx(usd_a_day, abs=0.01)


def test_warm_instances_cost_what_the_stack_file_says() -> None:
    """`stacks/Pulumi.prod.yaml`: about 30 USD a month for the three, 50 each if billed by instance."""
    assert estimate(stack("prod")).total_usd == pytest.approx(30, abs=1)
    one = stack("prod", services__gateway__billing="instance", costs__free_tier=False)
    (cpu, memory) = (line(estimate(one), f"{what}, billed by instance").usd for what in ("CPU", "memory"))
    assert cpu + memory == pytest.approx(50, abs=1)


def test_a_request_is_counted_in_every_service_it_visits() -> None:
    """Along `calls`, over each way there is; a service that is called from outside as well has both."""
    of = busy(10, services__extract__expected_rps=1, services__gateway__calls=["extract", "archive"])
    assert load.rps(of) == {"gateway": 10, "extract": 11, "archive": 21}
    assert load.entering_rps(of) == 11


SPANS = [
    ({}, 9),  # gateway 2, extract 3 with its counting of words, archive 4 with three for the bucket
    ({"services__archive__buckets": []}, 6),
    ({"services__extract__env__PIPELINE_STEP": "receive"}, 8),
    ({"services__gateway__env__GEMINI_MODEL": "gemini-2.5-flash"}, 10),
    ({"services__extract__calls": []}, 4),
    ({"costs__spans_per_request": 4.5}, 4.5),
]


@pytest.mark.parametrize(("changes", "spans"), SPANS, ids=[str(changes) for changes, _ in SPANS])
def test_spans_of_a_request_follow_from_the_stack(changes: dict[str, Any], spans: float) -> None:
    """A span for each service and each call, three for a bucket, one for a model; a declared number wins."""
    assert estimate(busy(1, **changes)).spans.per_request == spans


@pytest.mark.xdist_group("cloud")
def test_spans_are_counted_as_the_template_makes_them(tmp_path: Path) -> None:
    """One new document through the stack `local`: what each service exports is what the estimate takes it to."""
    config = stackfile.load(ROOT, "local")
    declared = {name: in_service(service) for name, service in stack("local").services.items()}
    with Environment(ROOT, tmp_path, config, engine=EngineChoice.embedded) as environment:
        url = environment.up(config).urls["gateway"]
        for document in (b"the first has the starts of instances in its trace", b"the second"):
            answer = requests.post(f"{url}/documents?name=a.txt", data=document, timeout=20)
        until, made = time.monotonic() + 20, Counter[str]()
        while made != declared and time.monotonic() < until:
            made = spans_by_service(environment, answer.json()["trace_id"])
    assert made == declared


def spans_by_service(environment: Environment, trace_id: str) -> Counter[str]:
    """What has arrived of a trace, without the platform's own spans."""
    try:
        found = environment.google.trace(trace_id).spans
    except TraceNotFound:
        return Counter()
    return Counter(span.service for span in found if not span.is_platform)


@pytest.mark.parametrize("exporter", ["otlp", "console", "none"])
def test_spans_that_go_elsewhere_cost_nothing_here(exporter: str) -> None:
    """What another backend charges is not Google's price."""
    assert estimate(busy(500, tracing__exporter=exporter)).usd("spans") == 0


def test_kept_beyond_the_ratio_is_bounded() -> None:
    """An error storm costs at most `keep_per_second` for each instance there may be, and 0 switches it off."""
    storm = {"tracing__sample_ratio": 0.0, "costs__kept_share": 1.0}
    assert estimate(busy(100_000, tracing__keep_per_second=0, **storm)).spans.kept == 0
    assert estimate(busy(100_000, tracing__keep_per_second=100, **storm)).spans.kept == pytest.approx(0.004)
    assert estimate(busy(1, **storm)).spans.kept == 1


def test_free_tier_is_taken_off_once() -> None:
    """2.5 million spans, 50 GiB of logs, 2 million requests, 180000 vCPU-seconds of one month."""
    free = {each.what: each.free for each in estimate(busy(500)).lines if each.free}
    assert free == {
        "sent to Cloud Trace": 2.5,
        "ingested": 50,
        "requests": 2,
        "CPU, while serving": 180_000,
        "memory, while serving": 360_000,
    }
    assert not any(each.free for each in estimate(busy(500, costs__free_tier=False)).lines)
    saved = estimate(busy(500, costs__free_tier=False)).total_usd - estimate(busy(500)).total_usd
    assert saved == pytest.approx(2.5 * 0.20 + 50 * 0.50 + 2 * 0.40 + 4.32 + 0.90, abs=0.01)


def test_a_small_stack_is_free() -> None:
    """One request in ten seconds, nothing kept warm: only operations on the bucket are charged."""
    found = estimate(busy(0.1))
    assert found.usd("spans") == found.usd("logs") == found.usd("instances") == 0
    assert found.usd("buckets") == 1.40


@pytest.mark.parametrize(
    ("rps", "changes", "expected"),
    [
        (0, {}, {instances.SERVING: 0, instances.WARM: 0}),
        (0.1, {}, {instances.SERVING: 0.00995, instances.WARM: 0}),  # nearly no two at once
        (10, {}, {instances.SERVING: 0.632, instances.WARM: 0}),  # one at a time on average: they overlap
        (1600, {}, {instances.SERVING: 2, instances.WARM: 0}),  # full ones
        (1e6, {}, {instances.SERVING: 4, instances.WARM: 0}),  # beyond max_instances requests get 429
        (10, {"min_instances": 2}, {instances.SERVING: 0.632, instances.WARM: 1.368}),
        (10, {"cpu": 0.5}, {instances.SERVING: 1, instances.WARM: 0}),  # one request at once
        (0, {"billing": "instance"}, {instances.ALWAYS: 0}),
        (
            0.001,
            {"billing": "instance"},
            {instances.ALWAYS: 0.593},
        ),  # a quarter of an hour after each request
        (0, {"billing": "instance", "min_instances": 2}, {instances.ALWAYS: 2}),
        (1600, {"billing": "instance"}, {instances.ALWAYS: 2}),
    ],
)
def test_instances_on_average(rps: float, changes: dict[str, Any], expected: dict[str, float]) -> None:
    """Time in which at least one request is served, or more where that many are full; warm ones for the rest."""
    service = ServiceConfig.model_validate({"max_instances": 4, **changes})
    found = instances.instances(service, rps, 100)
    assert found == {key: pytest.approx(value, abs=0.001) for key, value in expected.items()}


def test_time_is_billed_in_steps_of_100_ms() -> None:
    """30 ms cost what 100 ms do."""
    short, long, longer = (
        instances.instances(ServiceConfig(), 1, ms)[instances.SERVING] for ms in (30, 100, 101)
    )
    assert short == long < longer


def test_a_region_of_tier_2_is_dearer() -> None:
    """CPU and memory 1.4 times, requests alike; the free tier is money at tier 1 prices, so it is less time."""
    near, far = (estimate(busy(500, **{"gcp:region": region})) for region in ("us-east1", "europe-west3"))
    for what, usd in (("CPU, while serving", 0.0000336), ("memory, while serving", 0.0000035)):
        assert line(far, what).price.usd == pytest.approx(usd)
        assert line(far, what).free == pytest.approx(line(near, what).free / 1.4)
    assert line(far, "requests") == line(near, "requests")
    assert prices.in_region(prices.WARM_CPU, "mars-north1").usd > prices.WARM_CPU.usd  # unknown: the dearer


@pytest.mark.parametrize(
    ("location", "usd"), [(None, 0.005), ("europe-west3", 0.005), ("EU", 0.01), ("NAM4", 0.01)]
)
def test_operations_follow_the_buckets_location(location: str | None, usd: float) -> None:
    """Uploads to several regions cost twice as much."""
    bucket = {"location": location, "cross_region_reason": "every access is priced"} if location else {}
    assert line(estimate(busy(1, buckets__documents=bucket)), "uploads to documents").price.usd == usd


def test_every_price_names_its_source() -> None:
    """A price can be looked up again."""
    found = [value for value in vars(prices).values() if isinstance(value, prices.Price)]
    assert len(found) == 12
    assert all("cloud.google.com/" in each.source and each.usd > 0 and each.free >= 0 for each in found)


RPS = st.floats(0, 1e6)
RATIO = st.floats(0, 1)


def quick(rps: float, ratio: float, free: bool = True, share: float = 0.01) -> Stack:
    """`busy`, without reading and checking a file each time."""
    gateway = BASE.services["gateway"].model_copy(update={"expected_rps": rps})
    return BASE.model_copy(
        update={
            "services": {**BASE.services, "gateway": gateway},
            "tracing": BASE.tracing.model_copy(update={"sample_ratio": ratio}),
            "costs": BASE.costs.model_copy(update={"free_tier": free, "kept_share": share}),
        }
    )


BASE = stack("prod")


@given(one=RPS, other=RPS, ratio=RATIO)
def test_more_traffic_never_costs_less(one: float, other: float, ratio: float) -> None:
    """In total and in each part, up to the rounding of its lines.

    With the free tier it may: a warm instance that serves is charged to free seconds.
    """
    less, more = (estimate(quick(rps, ratio, free=False)) for rps in sorted((one, other)))
    assert all(less.usd(part) <= more.usd(part) + 0.03 for part in PARTS)
    less, more = (estimate(quick(rps, ratio)) for rps in sorted((one, other)))
    assert all(less.usd(part) <= more.usd(part) for part in PARTS if part != "instances")


@given(one=RATIO, other=RATIO, rps=RPS, share=RATIO)
def test_a_larger_ratio_never_costs_less(one: float, other: float, rps: float, share: float) -> None:
    """Whatever is kept beside it."""
    less, more = (estimate(quick(rps, ratio, share=share)) for ratio in sorted((one, other)))
    assert less.usd("spans") <= more.usd("spans")


@given(rps=RPS, ratio=RATIO, free=st.booleans(), share=RATIO)
def test_sums_add_up(rps: float, ratio: float, free: bool, share: float) -> None:
    """Nothing is negative, nothing is given away that was not used, and the parts are the whole."""
    found = estimate(quick(rps, ratio, free, share))
    for each in found.lines:
        assert each.usd >= 0
        assert 0 <= each.free <= each.quantity
        assert each.part in PARTS
    assert 0 <= found.spans.kept <= 1
    assert found.total_usd == pytest.approx(sum(found.usd(part) for part in PARTS), abs=0.001)


@given(rps=RPS, ratio=RATIO)
def test_the_report_fits_a_terminal(rps: float, ratio: float) -> None:
    """100 columns, and each line of the estimate in one of its own."""
    of, name = quick(rps, ratio), "documents-of-customers-in-europe"
    archive = of.services["archive"].model_copy(update={"buckets": (name,)})
    update = {"services": {**of.services, "archive": archive}, "buckets": {name: of.buckets["documents"]}}
    found = estimate(of.model_copy(update=update))
    text = report(found)
    assert max(map(len, text.splitlines())) <= 100
    assert len(text.splitlines()) == len(found.lines) + 4


@given(rps=st.floats(50, 1e5), usd=st.floats(1, 1000), share=st.floats(0, 0.2))
def test_the_ratio_that_is_proposed_fits(rps: float, usd: float, share: float) -> None:
    """Following the advice ends the refusal, and little is given away."""
    full = quick(rps, 1.0, share=share)
    ratio = budgets.fitting_ratio(full, usd)
    assert 0 <= ratio <= 1
    if ratio:
        assert estimate(quick(rps, ratio, share=share)).usd("spans") <= usd
    elif estimate(full).usd("spans") > usd:
        assert estimate(quick(rps, 0.00001, share=share)).usd("spans") > usd


def with_budget(of: Stack, **costs: float) -> Stack:
    """`of` with budgets, as the rule gets it."""
    return of.model_copy(update={"costs": of.costs.model_copy(update=costs)})


def refused(of: Stack, **costs: float) -> list[str]:
    """The sentences for a stack with these budgets."""
    return [str(problem) for problem in budgets.budgets(with_budget(of, **costs))]


def test_a_debug_sampler_is_refused_with_the_sum_and_the_ratio_that_fits() -> None:
    """The operator sees what it would have cost, and what to write instead."""
    assert refused(busy(500, tracing__sample_ratio=1.0), tracing_usd=100) == [
        "blueprint:costs.tracing_usd is 100, but must be at least 2332.30 (1,296,000,000 requests * 9 spans * 1 kept"
        " = 11,664.00 million spans a month, 2.5 of them free, at 0.20 USD each); lower blueprint:tracing.sample_ratio"
        " to 0.033, or raise it."
    ]
    assert refused(busy(500, tracing__sample_ratio=0.033), tracing_usd=100) == []


def test_too_many_log_lines_are_refused_with_the_bytes_that_fit() -> None:
    """Three services, 2000 bytes each."""
    assert refused(busy(100), logging_usd=200) == [
        "blueprint:costs.logging_usd is 200, but must be at least 699.20 (2000 bytes a request and service = 1,448.39 GiB"
        " a month, 50 of them free, at 0.50 USD each); log less and lower blueprint:costs.log_bytes_per_request to 621,"
        " or raise it."
    ]
    assert refused(busy(100, costs__log_bytes_per_request=621), logging_usd=200) == []


def test_a_ratio_cannot_mend_everything() -> None:
    """What is kept beside the ratio may be too much by itself."""
    (sentence,) = refused(quick(50_000, 1.0, share=0.5), tracing_usd=1)
    assert "no blueprint:tracing.sample_ratio makes it fit" in sentence


def test_a_stack_without_budgets_is_refused_nothing() -> None:
    """A budget is a choice; 0 is one."""
    assert refused(busy(1e6)) == []
    assert len(refused(busy(500), tracing_usd=0, logging_usd=0)) == 2
    assert refused(stack("prod"), tracing_usd=0, logging_usd=0) == []


@pytest.mark.parametrize("calls", [["gateway"], ["nobody"]])
def test_calls_that_are_refused_are_no_traffic(calls: list[str]) -> None:
    """A cycle or an unknown service is refused by its own sentence, not by a failure here."""
    of = quick(500, 1.0)
    archive = of.services["archive"].model_copy(update={"calls": tuple(calls)})
    of = of.model_copy(update={"services": {**of.services, "archive": archive}})
    assert refused(of, tracing_usd=1) == []


def test_a_stack_file_above_its_budget_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any resource is declared, like every mistake."""
    monkeypatch.setattr(infra.stack, "RULES", (budgets.budgets,))
    values = changed(
        changed(filled_in("dev"), "services.gateway.expected_rps", 500), "costs.tracing_usd", 100
    )
    with pytest.raises(
        infra.stack.StackRefused, match=r"tracing_usd is 100\.0, but must be at least 2332\.30"
    ):
        parsed("dev", values)


REPORT = """
30 days                                       quantity  unit                     free            USD
spans     sent to Cloud Trace                   127.14  million spans            2.50          24.93
logs      ingested                              724.20  GiB                     50.00         337.10
instances CPU, while serving                 5,149,070  vCPU-seconds          180,000         119.26
instances memory, while serving              2,574,535  GiB-seconds           360,000           5.54
instances CPU, kept warm                        34,930  vCPU-seconds                            0.09
instances memory, kept warm                     17,465  GiB-seconds                             0.04
instances CPU, billed by instance            2,592,000  vCPU-seconds          240,000          42.34
instances memory, billed by instance         1,296,000  GiB-seconds           450,000           1.69
instances requests                              259.20  million requests         2.00         102.88
buckets   uploads to documents                 129,600  thousand operations                   648.00
buckets   lookups in documents                 129,600  thousand operations                    51.84
total                                                                                       1,333.71
50 requests/s from outside, 9 spans each, 10.9 % sent.
Not in it: storage, egress, models, alerting, images, builds, cold starts, spare instances, probes.
"""


def test_the_report_says_what_costs_what() -> None:
    """The same text for the same stack, so that two previews differ only where the stack does."""
    of = stack("prod", services__gateway__expected_rps=50, services__archive__billing="instance")
    assert report(estimate(of)) == REPORT.strip()


def test_a_stack_without_traffic_says_so() -> None:
    """Else its few dollars would look like the truth."""
    assert SILENT in report(estimate(stack("prod")))
    assert SILENT not in report(estimate(busy(1)))


def test_what_is_exported_is_plain_json() -> None:
    """`pulumi stack output estimate` gives tools what the table gives people."""
    exported = export(estimate(busy(500)))
    assert json.loads(json.dumps(exported)) == exported
    assert exported["usd_per_month"] == pytest.approx(sum(each["usd"] for each in exported["lines"]))
    assert exported["lines"][0] == {
        "part": "spans", "what": "sent to Cloud Trace", "quantity": 11664.0, "free": 2.5, "unit": "million spans", "usd": 2332.3,
    }  # fmt: skip
