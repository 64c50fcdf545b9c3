"""Request-based billing: CPU ends with the last byte, instances end when idle, and no kept span is lost by either."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from chain import CHAIN, LAST, Running, eventually, faulty_chain, orphans, running, servers, trace_id, w3c

from localcloud.run.options import RunOptions
from ops import stackfile
from traces.analysis import analyse

pytestmark = pytest.mark.xdist_group("cloud")

RATIO = 0.1
IDLE_S = 2.0
FROZEN_S = 0.2


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A chain that is frozen between requests and scales to zero; no probe gives it CPU meanwhile."""
    config = faulty_chain(
        RATIO, billing="request", min_instances=0, max_instances=2, env={"LOG_LEVEL": "INFO"}
    )
    config = stackfile.changed(config, "services", LAST, "concurrency", value=1)
    options = RunOptions(idle_timeout=IDLE_S, liveness_scale=1000)
    with running(config, tmp_path_factory.mktemp("frozen"), options=options) as chain:
        yield chain


def ask(chain: Running, trace: str, query: str = "") -> int:
    """One request; when its answer was there, in ns since the epoch."""
    chain.ask(query, {"traceparent": w3c(trace)})
    return time.time_ns()


def ended(chain: Running) -> list[dict[str, Any]]:
    """What each instance said of its spans at its end, once every one that was started has ended."""

    def entries(filter: str) -> list[dict[str, Any]]:
        return [dict(entry) for entry in chain.google.entries(filter)]

    def all_ended() -> list[dict[str, Any]]:
        health = entries('jsonPayload.event="trace_health" AND severity=INFO')
        started = entries('textPayload:"Starting new instance"')
        return health if len(health) >= len(started) else []

    found: list[dict[str, Any]] = eventually(all_ended, 30)
    assert found
    return [entry["jsonPayload"] for entry in found]


def test_no_kept_span_is_lost_by_freezing_and_scaling_to_zero(frozen: Running) -> None:
    """Of all requests within the ratio, and of all that failed, every span arrives; the instances' own counts agree.

    Frozen time is no span's duration: each has ended when the answer was there, however long the freeze after it was.
    """
    failing = [trace_id(number) for number in range(10)]
    within = [trace_id(number, within=RATIO) for number in range(10)]
    plain = [trace_id(number) for number in range(100, 120)]
    mixed = [trace for row in zip(failing, within, plain[::2], plain[1::2], strict=True) for trace in row]
    in_turn, at_once = mixed[:12], mixed[12:]
    answered: dict[str, int] = {}
    for trace in in_turn:
        answered[trace] = ask(frozen, trace, "last=500" if trace in failing else "")
        time.sleep(FROZEN_S)
    with ThreadPoolExecutor(2) as two:  # `last` serves one at a time, so it scales out, and in again
        times = two.map(lambda trace: ask(frozen, trace, "last=500" if trace in failing else ""), at_once)
        answered |= zip(at_once, times, strict=True)
    health = ended(frozen)
    traces = {trace: frozen.trace(trace) for trace in (*failing, *within)}
    for trace, found in traces.items():
        assert Counter(span.service for span in servers(found)) == Counter(CHAIN)
        assert orphans(found) == []
        late = max(span.end_ns for span in found.spans if not span.is_platform) - answered[trace]
        assert late < FROZEN_S * 1e9 / 2
    assert not {*plain} & frozen.trace_ids()
    assert not any(line["spans_failed"] or line["spans_dropped"] for line in health)
    arrived = sum(not span.is_platform for found in traces.values() for span in found.spans)
    assert sum(line["spans_exported"] for line in health) == arrived


def test_a_cold_start_is_named_in_every_service(frozen: Running) -> None:
    """After scaling to zero one request waits for three instances: each start is in its trace and named at fault."""
    ended(frozen)
    trace = trace_id(200, within=RATIO)
    ask(frozen, trace)
    ended(frozen)
    found = frozen.trace(trace)
    assert orphans(found) == []
    assert [span.cold_start for span in servers(found)] == [True] * 3
    starts = {span.service: span for span in found.spans if span.is_start}
    assert set(starts) == set(CHAIN)
    for server in servers(found):
        start = starts[server.service]
        assert start.parent_id == server.span_id
        assert start.start_ns < start.end_ns <= server.start_ns
    analysis = analyse(found)
    assert analysis.verdict
    assert (analysis.verdict.cause, analysis.verdict.span) == ("cold_start", "instance.start")
    begin, end = analysis.tree.extent
    assert sum(span.is_start for _, span in analysis.tree.walk()) == 3
    assert all(begin <= span.start_ns <= span.end_ns <= end for _, span in analysis.tree.walk())
    assert analysis.dark_ns < (end - begin) / 2


def test_a_trace_is_whole_although_a_call_was_given_up(tmp_path: Path) -> None:
    """The thread of a call that nobody waits for any more is frozen with the rest: the call ends with the answer.

    Its frozen time would else be its own, and what it called an orphan until the next request.
    """
    config = faulty_chain(0.0, billing="request", min_instances=1, env={"REQUEST_BUDGET_MS": "300"})
    answered, before_the_next = {}, {}
    with running(config, tmp_path, options=RunOptions(liveness_scale=1000)) as chain:
        for trace in map(trace_id, range(8)):
            assert chain.ask("last=400-ms", {"traceparent": w3c(trace)}).status_code == 504
            answered[trace] = time.time_ns()
            time.sleep(FROZEN_S)
            before_the_next[trace] = chain.trace(trace)
        chain.ask()
        whole = {trace: chain.arrived(trace, CHAIN) for trace in answered}
    for trace, found in whole.items():
        calls = [span for span in found.spans if span.kind == "CLIENT"]
        assert [span.end_ns < answered[trace] + FROZEN_S * 1e9 / 2 for span in calls] == [True] * 2
    # An instance's very first export may take longer than a last byte waits for it.
    known = [found for found in before_the_next.values() if len(servers(found)) == len(CHAIN)]
    assert known
    assert [orphans(found) for found in known] == [[]] * len(known)


def test_the_next_liveness_probe_lets_spans_out(tmp_path: Path) -> None:
    """What the ratio keeps waits for CPU; after the last request of all a probe gives it, every ten seconds on Google.

    https://docs.cloud.google.com/run/docs/configuring/cpu-allocation
    """
    config = faulty_chain(1.0, billing="request", min_instances=1)
    with running(config, tmp_path, options=RunOptions(liveness_scale=0.02)) as chain:
        chain.ask("", {"traceparent": w3c(trace_id(0))})
        assert orphans(chain.arrived(trace_id(0), CHAIN)) == []
