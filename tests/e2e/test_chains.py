"""One request, one trace over three services, whole and with the right parents, whatever headers a caller sends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, uuid5

import pytest
from chain import CALLER, REASON, ROOT, Running, eventually, orphans, running, servers, w3c

from localcloud.run.options import RunOptions
from ops import stackfile
from traces.span import Span, Trace

pytestmark = pytest.mark.xdist_group("cloud")

PIPELINE = ("gateway", "extract", "archive")
OTHER, STRANGE = "1111111111111111", "5" * 32


@dataclass
class Pipeline:
    """The stack `local`, up, with one exporter. `clock` is that of the front ends' sampling, in seconds."""

    chain: Running
    clock: list[float]
    asked: set[str] = field(default_factory=set)

    def send(self, headers: dict[str, str], sampled: bool) -> str:
        """One document; the id of its trace. `sampled`: every front end samples and so exports a span of its own."""
        if sampled:
            self.clock[0] += 60
        answer = self.chain.send(headers)
        assert answer.status_code == 201, answer.text
        found: str = answer.json()["trace_id"]
        self.asked.add(found)
        return found


@pytest.fixture(scope="module", params=["gcp_otlp", "gcp_trace"])
def pipeline(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    config = stackfile.changed(stackfile.load(ROOT, "local"), "tracing", "exporter", value=request.param)
    for name in PIPELINE:
        config = stackfile.changed(config, "services", name, "env", "OTEL_BSP_SCHEDULE_DELAY", value="20")
    # Nothing here is about the time that a first request takes on a busy machine.
    config = stackfile.changed(config, "services", "gateway", "env", "REQUEST_BUDGET_MS", value="60000")
    clock = [0.0]
    options = RunOptions(clock=lambda: clock[0])
    with running(config, tmp_path_factory.mktemp("chains"), "gateway", options) as chain:
        pipeline = Pipeline(chain, clock)
        pipeline.send({}, sampled=False)  # an instance's first request is always sampled
        yield pipeline


def google(trace: str, options: str = ";o=1") -> str:
    return f"{trace}/{int(CALLER, 16)}{options}"


# What a caller sends; THEIRS stands for its trace id.
KEPT = {
    "w3c sampled": {"traceparent": w3c("THEIRS")},
    "w3c unsampled": {"traceparent": w3c("THEIRS", "00")},
    "w3c level 2": {"traceparent": w3c("THEIRS", "03"), "tracestate": "vendor=1"},
    "google sampled": {"X-Cloud-Trace-Context": google("THEIRS")},
    "google unsampled": {"X-Cloud-Trace-Context": google("THEIRS", ";o=0")},
    "google without flag": {"X-Cloud-Trace-Context": google("THEIRS", "")},
    "google trace only": {"X-Cloud-Trace-Context": "THEIRS"},
    "both alike": {"traceparent": w3c("THEIRS"), "X-Cloud-Trace-Context": google("THEIRS")},
    "both, w3c wins": {"traceparent": w3c("THEIRS"), "X-Cloud-Trace-Context": google(STRANGE)},
    "w3c garbage": {"traceparent": "00-xyz-1-01", "X-Cloud-Trace-Context": google("THEIRS")},
    "google garbage": {"traceparent": w3c("THEIRS"), "X-Cloud-Trace-Context": "%%%;o=1"},
    "tracestate garbage": {"traceparent": w3c("THEIRS"), "tracestate": "=,=;\t=" * 40},
    "hostile original": {
        "traceparent": w3c("THEIRS"),
        "x-original-traceparent": w3c("THEIRS", span=OTHER),
    },
    "hostile original of another trace": {
        "traceparent": w3c("THEIRS", "00"),
        "x-original-traceparent": w3c(STRANGE, span=OTHER),
    },
}  # fmt: skip
NEW = {
    "none": {},
    "both garbage": {"traceparent": "ff-" + w3c(STRANGE)[3:], "X-Cloud-Trace-Context": "/;o=1"},
    "zeros": {"traceparent": w3c("0" * 32), "X-Cloud-Trace-Context": f"{'0' * 32}/0;o=1"},
    "original alone": {"x-original-traceparent": w3c(STRANGE, span=OTHER)},
    "original garbage": {"x-original-traceparent": "ÿ" * 300},
}


@pytest.mark.parametrize("sampled", [True, False], ids=["platform-sampled", "platform-unsampled"])
@pytest.mark.parametrize("case", [*KEPT, *NEW])
def test_a_request_is_one_whole_trace(pipeline: Pipeline, case: str, sampled: bool) -> None:
    """The caller's valid trace id is kept, else there is a new one; every parent is right, nothing is an orphan."""
    theirs = uuid5(NAMESPACE_URL, f"{case} {sampled}").hex
    sent = {name: value.replace("THEIRS", theirs) for name, value in {**KEPT, **NEW}[case].items()}
    trace_id = pipeline.send(sent, sampled)
    assert (trace_id == theirs) == (case in KEPT)
    assert trace_id != STRANGE
    trace = whole(pipeline, trace_id, platforms=3 if sampled else 0)
    assert_parents(trace, sampled)
    assert {span.labels.get(REASON) for span in servers(trace)} == {"head"}
    assert pipeline.chain.trace_ids() <= pipeline.asked


def whole(pipeline: Pipeline, trace_id: str, platforms: int) -> Trace:
    """The trace, once it has the server spans of all three services, and so many of the platform."""

    def found() -> Trace | None:
        trace = pipeline.chain.arrived(trace_id, PIPELINE)
        return trace if sum(span.is_platform for span in trace.spans) >= platforms else None

    trace: Trace | None = eventually(found)
    assert trace, f"fewer than {platforms} spans of the platform"
    return trace


def assert_parents(trace: Trace, sampled: bool) -> None:
    """From each service's server span up to its caller's, and from the entry to the platform's span or to nobody."""
    spans = {span.span_id: span for span in trace.spans}
    entry, *callees = servers(trace)
    assert entry.service == "gateway"
    assert sum(span.is_platform for span in trace.spans) == (3 if sampled else 0)
    if sampled:
        above = spans[entry.parent_id]
        assert (above.is_platform, above.run_service) == (True, "gateway-local")
    else:
        assert entry.parent_id == ""
    caller = entry
    for callee in callees:
        call = spans[callee.parent_id]
        assert (call.kind, call.service) == ("CLIENT", caller.service)
        assert owner(spans, call) == caller
        caller = callee
    assert orphans(trace) == []
    assert OTHER not in {span.parent_id for span in trace.spans}


def owner(spans: dict[str, Span], span: Span) -> Span:
    """The server span of the service that made `span`."""
    while span.kind != "SERVER":
        span = spans[span.parent_id]
    return span
