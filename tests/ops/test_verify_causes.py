"""Why spans are missing: the services' own lines first, and a plain sentence where there is no evidence. And how long is waited."""

from __future__ import annotations

from typing import Any

import pytest
from handmade import PROJECT, TRACE_ID, healthy, log, platform, server, story
from verify_world import CHAIN, World, deployment, failed_export, probe, requests

from localcloud.logs.query import compile_query
from ops.checks import Check
from ops.deployment import Deployment
from ops.verify.checks import kept, of_trace
from ops.verify.waiting import wait

OTHER = "b" * 32
DISABLED = (
    "NotTaken: HTTP 403: Telemetry API has not been used in project 1 before or it is disabled. Enable it by visiting "
    "https://console.developers.google.com/apis/api/telemetry.googleapis.com/overview then retry."
)
REFUSED = "NotTaken: HTTP 403: Permission 'telemetry.traces.write' denied on resource"
CLOSED = "ConnectionError: HTTPConnectionPool(host='127.0.0.1', port=9): NewConnectionError: [Errno 111] Connection refused"
UNKNOWN_HOST = "ConnectionError: NameResolutionError: Failed to resolve 'collector' ([Errno -2] Name or service not known)"
ACCOUNT = f"extract-local@{PROJECT}.iam.gserviceaccount.com"


def judged(world: World, of: Deployment | None = None, timeout: float = 60, **asked: Any) -> dict[str, Check]:
    """All checks of one request, by name."""
    of, asking = of or deployment(), probe(**asked)
    evidence = wait(world, of, asking, CHAIN, timeout=timeout, clock=world.clock, sleep=world.sleep)
    return {check.name: check for check in of_trace(of, asking, evidence, CHAIN)}


def blamed(world: World, of: Deployment | None = None) -> Check:
    return judged(world.without("extract"), of)["spans of every service"]


@pytest.mark.parametrize(
    ("line", "of", "says", "mends"),
    [
        (
            failed_export("extract", 403, REFUSED),
            {},
            f"are refused (403): {ACCOUNT} lacks roles/cloudtrace.agent on project {PROJECT}",
            f"gcloud projects add-iam-policy-binding {PROJECT} --member serviceAccount:{ACCOUNT} --role roles/cloudtrace.agent; "
            "or let the program give it back: run `pulumi up --refresh --stack dev`",
        ),
        (
            failed_export("extract", 403, DISABLED),
            {},
            f"are refused (403): the API telemetry.googleapis.com is off in project {PROJECT}",
            f"gcloud services enable telemetry.googleapis.com --project {PROJECT}",
        ),
        (
            failed_export("extract", 403, "403 SERVICE_DISABLED", exporter="gcp_trace"),
            {},
            "the API cloudtrace.googleapis.com is off",
            "gcloud services enable cloudtrace.googleapis.com",
        ),
        (
            failed_export("extract", 401, "NotTaken: HTTP 401"),
            {},
            f"are refused (401): the metadata server gave {ACCOUNT} no valid token",
            f"gcloud iam service-accounts describe {ACCOUNT}",
        ),
        (
            failed_export("extract", 401, "NotTaken: HTTP 401", exporter="otlp"),
            {"exporter": "otlp", "env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://otlp.example"}},
            "are refused (401) by the collector, https://otlp.example (OTEL_EXPORTER_OTLP_ENDPOINT)",
            "OTEL_EXPORTER_OTLP_HEADERS",
        ),
        (
            failed_export("extract", None, CLOSED, exporter="otlp"),
            {"exporter": "otlp"},
            "http://localhost:4318/v1/traces (the default of otlp) cannot be reached (connection refused)",
            "set services.extract.env.OTEL_EXPORTER_OTLP_ENDPOINT in stacks/Pulumi.dev.yaml",
        ),
        (
            failed_export("extract", None, UNKNOWN_HOST, exporter="otlp"),
            {"exporter": "otlp", "env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}},
            "http://collector:4318 (OTEL_EXPORTER_OTLP_ENDPOINT) cannot be reached (name or service not known)",
            "correct services.extract.env.OTEL_EXPORTER_OTLP_ENDPOINT in stacks/Pulumi.dev.yaml",
        ),
        (
            failed_export("extract", 503, "ServiceUnavailable: 503 failed to connect to all addresses", exporter="gcp_trace"),
            {"exporter": "gcp_trace", "env": {"CLOUD_TRACE_ENDPOINT": "127.0.0.1:9"}},
            "127.0.0.1:9 (CLOUD_TRACE_ENDPOINT) cannot be reached",
            "correct services.extract.env.CLOUD_TRACE_ENDPOINT",
        ),
        (
            failed_export("extract", None, "ConnectTimeout: timed out"),
            {},
            "telemetry.googleapis.com cannot be reached",
            "its vpc.egress, and private Google access",
        ),
        (
            failed_export("extract", 429, "NotTaken: HTTP 429: Quota exceeded"),
            {},
            "fail (429): NotTaken: HTTP 429: Quota exceeded",
            "mend that cause",
        ),
    ],
    ids=["role", "API off", "API off, gRPC", "401", "collector refuses", "no collector", "no such host", "gRPC to nowhere",
         "no way to Google", "quota"],
)  # fmt: skip
def test_the_services_own_line_says_why(
    line: dict[str, Any], of: dict[str, Any], says: str, mends: str
) -> None:
    """One sentence that names who, what and where, and a remedy; nobody waits for the rest of the minute."""
    world = World(exports=[line])
    found = blamed(world, deployment(**of))
    assert found.detail.startswith("extract says that its exports ")
    assert says in found.detail
    assert mends in found.remedy
    assert world.now < 30


def test_a_line_from_before_the_request_is_evidence_but_does_not_end_the_wait() -> None:
    """What it tells may have been mended since: a service says the same once a minute only."""
    old = failed_export("extract", 403, REFUSED, ms=-30_000)
    world = World(exports=[old])
    assert "lacks roles/cloudtrace.agent" in blamed(world).detail
    assert world.now >= 60
    late = World(exports=[old], late={"extract": 30})
    assert all(check.ok for check in judged(late).values())


def test_a_line_of_another_revision_says_nothing_of_this_one() -> None:
    """The revision before it may have had the wrong endpoint."""
    line = failed_export("extract", 403, REFUSED)
    line["resource"]["labels"]["revision_name"] = "extract-local-00001"
    entries = requests(*CHAIN)
    for entry in entries:
        entry["resource"]["labels"]["revision_name"] = "extract-local-00002"
    assert "there is no evidence why" in blamed(World(exports=[line], entries_=entries)).detail


def test_a_callee_under_another_trace_accuses_its_caller() -> None:
    """And not the service behind it, which only follows. Other people's requests at that time are no evidence."""
    strangers = requests(*CHAIN, trace_id="c" * 32)
    world = World(
        entries_=requests("gateway"), others=[*strangers, *requests("extract", "archive", trace_id=OTHER)]
    ).without("archive")
    found = blamed(world)
    assert found.detail == (
        f"extract served this request under another trace ({OTHER}): gateway does not propagate the trace context to it. "
        "Without spans too: archive."
    )
    assert world.now < 30
    alone = blamed(World(entries_=requests("gateway"), others=strangers))
    assert "no call from gateway reached it with this trace" in alone.detail


def test_an_entry_that_answers_under_another_trace_is_said_so() -> None:
    """Something before it replaces the header."""
    world = World(spans=[], entries_=[])
    assert f"gateway answered under another trace ({OTHER})" in judged(world, told=OTHER)["entry span"].detail


@pytest.mark.parametrize(
    ("world", "of", "says"),
    [
        (World(), {}, "extract served the request, but no span of it arrived, and it logged no failed export"),
        (World(entries_=requests("gateway", "archive")), {}, "extract has neither a span nor a request log"),
        (
            World(entries_=[*requests(*CHAIN), log(5, "INFO", "stored", 3, "extract") | {"traceSampled": False}]),
            {},
            "extract did not keep its part: its log lines of this trace are marked as not sampled",
        ),
        (World(), {"env": {"OTEL_SDK_DISABLED": "true"}}, "services.extract.env.OTEL_SDK_DISABLED is true"),
    ],
    ids=["nothing known", "not called", "not kept", "switched off"],
)  # fmt: skip
def test_without_a_failed_export_the_next_thing_is_named(world: World, of: dict[str, Any], says: str) -> None:
    found = blamed(world, deployment(**of))
    assert (says in found.detail, found.remedy != "") == (True, True)


def test_spans_that_come_late_are_waited_for() -> None:
    """Cloud Trace shows spans some seconds after they were sent; a cold service sends them later still."""
    world = World(late=dict.fromkeys(CHAIN, 25.0) | {"archive": 40.0})
    found = judged(world)
    assert [check.name for check in found.values() if not check.ok] == []
    assert list(found) == ["entry span", "spans of every service", "parents", "logs", "correlation"]
    assert 40 <= world.now < 50


@pytest.mark.parametrize(
    "world", [World(late={f"{2:016x}": 30.0}), World(logs_late=30.0)], ids=["a call", "logs"]
)
def test_parents_and_logs_that_come_late_are_waited_for(world: World) -> None:
    """The span of a call may leave in another batch than its callee's; Logging has its own delay."""
    assert [check.name for check in judged(world).values() if not check.ok] == []
    assert 30 <= world.now < 45


def test_a_trace_that_is_whole_is_not_waited_for() -> None:
    world = World()
    assert all(check.ok for check in judged(world).values())
    assert world.now < 10


def test_a_slow_request_is_explained_but_is_not_broken() -> None:
    """Verify asks whether tracing is complete; the verdict is for information."""
    found = judged(World(spans=list(story().spans)))["spans of every service"]
    assert found.ok
    assert "; slow: archive spent" in found.detail


def test_lost_parents_fail_but_the_clients_own_span_is_missed_by_nobody() -> None:
    """Nobody exports the span of who asked, which Cloud Run's own span of the entry has for a parent."""
    own = platform(90, int(probe().span_id, 16), "gateway", 0, 61)
    assert judged(World(spans=[*healthy().spans, own]))["parents"].ok
    lost = judged(World(spans=[*healthy().spans, server(91, 92, "archive", 40, 50)]), timeout=10)["parents"]
    assert lost.detail == "1 spans name a parent that is not in the trace: archive POST /documents."


def test_log_lines_lead_to_their_spans() -> None:
    """The request log names the platform's span, which is rarely exported: only the services' own lines count."""
    own = log(5, "INFO", "stored", 3, "extract")
    assert (
        judged(World(entries_=[*requests(*CHAIN), own]))["correlation"].detail
        == "1 log lines lead to their spans"
    )
    lost = judged(World(entries_=[*requests(*CHAIN), log(5, "INFO", "stored", 77, "extract")]))["correlation"]
    assert not lost.ok
    assert "extract-local name a span that is not in the trace, such as 000000000000004d" in lost.detail


def test_logs_that_are_missing_are_named() -> None:
    found = judged(World(entries_=requests("gateway", "archive")), timeout=10)["logs"]
    assert found.detail == f"No log entry of extract carries the trace {TRACE_ID}."


def test_what_may_not_be_read_is_its_own_failure() -> None:
    """Without the right to read logs the trace is still judged, and the other way round."""
    found = judged(World(forbidden=("logs",)))
    assert [name for name, check in found.items() if not check.ok] == ["logs"]
    assert "Reading logs is refused (403)" in found["logs"].detail
    world = World(forbidden=("spans",))
    assert [name for name, check in judged(world).items() if not check.ok] == ["entry span"]
    assert world.now < 30


@pytest.mark.parametrize("what", ["spans", "logs"])
def test_what_is_not_answered_just_now_is_read_again(what: str) -> None:
    """429 and 5xx pass; each look comes later than the one before."""
    world = World(failing={what: 40.0})
    assert [check.name for check in judged(world).values() if not check.ok] == []
    assert world.asked.count("spans") < 10
    never = World(failing={what: 100.0})
    failed = [check for check in judged(never).values() if not check.ok]
    assert [check.remedy for check in failed] == ["verify again in a minute"]
    assert never.now >= 60


def test_logs_that_could_not_be_read_are_no_evidence_of_silence() -> None:
    found = blamed(World(forbidden=("logs",)))
    assert (
        found.detail == "No span of extract arrived, and the logs, which would tell why, could not be read."
    )


def test_logs_are_asked_for_by_the_project_of_the_stack_and_of_their_time() -> None:
    """A trace alone would be looked for in all that is retained."""
    world = World(entries_=requests("gateway"))
    judged(world.without("extract"), timeout=10)
    for filter in world.filters:
        assert "timestamp>=" in filter
        compile_query(filter)
    named = [filter for filter in world.filters if "/traces/" in filter or "logName" in filter]
    assert all(f'="projects/{PROJECT}/' in filter for filter in named)
    assert any("logName" in filter for filter in named)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sample_ratio": 0.0}, "sample_ratio is 0: only errors and slow requests are kept"),
        ({"exporter": "none"}, "The exporter is none (OTEL_TRACES_EXPORTER): no span leaves the services"),
        ({"exporter": "console"}, "The exporter is console (OTEL_TRACES_EXPORTER): no span leaves"),
    ],
)
def test_a_stack_that_lets_no_trace_through_is_said_so(changes: dict[str, Any], says: str) -> None:
    found = kept(deployment(**changes))
    assert (found.ok, says in found.detail, "stacks/Pulumi.dev.yaml" in found.remedy) == (False, True, True)
