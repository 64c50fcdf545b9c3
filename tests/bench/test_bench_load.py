"""What the benchmark sends, and what it reads of wrk."""

import pytest

from bench import traceids
from bench.errors import BenchError
from bench.load import Outcome, parse
from bench.run import rotated

OUTPUT = """Running 4s test @ http://127.0.0.1:8080/noop
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.98ms    1.20ms  20.00ms   90.00%
  8000 requests in 4.00s, 1.00MB read
Requests/sec:   2000.00
bench {"requests": 8000, "us": 4000000, "failed": 3, "refused": 80, "p99_us": 7292.0}
"""


def test_the_line_of_the_script_is_read() -> None:
    """Rates are per second and latencies in ms, in full precision, not as wrk rounds them."""
    assert parse(OUTPUT) == Outcome(requests=8000, failed=3, refused=80, rate=2000.0, p99_ms=7.292)


def test_output_without_a_result_is_an_error() -> None:
    """wrk that cannot connect, or lost its script, is no measurement of zero; what it said is passed on."""
    with pytest.raises(BenchError, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1 Connection refused")


def test_every_variant_takes_every_place() -> None:
    """Over as many rounds as variants each is first once, and follows each other one equally often."""
    orders = [rotated("abc", round_) for round_ in range(4)]
    assert orders == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


def test_requests_are_the_same_for_the_same_seed() -> None:
    """Variants are compared on the same trace ids, of which every n-th fails."""
    assert traceids.requests(40, 20, seed=1) == traceids.requests(40, 20, seed=1)
    assert [index for index, request in enumerate(traceids.requests(40, 20, 1)) if request.fails] == [19, 39]


def test_the_kept_set_is_the_samplers() -> None:
    """What the harness expects to arrive is what OpenTelemetry's own ratio sampler keeps."""
    from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

    sampler = TraceIdRatioBased(0.1)
    for request in traceids.requests(500, 10, seed=1):
        kept = sampler.should_sample(None, request.trace_id, "").decision is Decision.RECORD_AND_SAMPLE
        assert request.sampled(0.1) == kept
