"""The slowest hundredth of requests at a moderate load, with a healthy backend and with one that never answers."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial

from bench import load
from bench.figure import Figure, part
from bench.load import Load
from bench.processes import Server
from bench.ratios import Relation, Samples
from bench.run import Run

# 16 connections that pause 40 ms on average: about 400 requests/s, whoever serves them.
CONNECTIONS, PAUSE_MS = 16, 40
FAIL_EVERY = 100
HEALTHY_MS, HANGING_MS = "p99_ms_backend_healthy", "p99_ms_backend_hanging"


def _p99(run: Run, server: Server, index: int, fail_every: int = 0) -> float:
    moderate = Load(CONNECTIONS, run.plan.latency_s, PAUSE_MS, fail_every)
    return load.run(server, "/noop", moderate, seed=index + 1).p99_ms


def _same(servers: Mapping[str, Server]) -> AbstractContextManager[Mapping[str, Server]]:
    return nullcontext(servers)


def _measure_p99(run: Run) -> Samples:
    with ExitStack() as stack:
        servers = {
            variant.key: stack.enter_context(run.serve(variant, run.settings(variant, 0.1)))
            for variant in run.variants
        }
        load.warm_up(list(servers.values()), "/noop", run.plan.warm_up_s)
        fleet = partial(_same, servers)
        return run.paired(P99_10.name, fleet, lambda server, index: _p99(run, server, index), "ms")


def _measure_hanging(run: Run) -> Samples:
    run = run.only_tracing()
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for variant in run.variants:
            settings = run.settings(variant, 1.0)
            hanging = settings._replace(backend=run.backends.hanging)
            servers[part(variant.key, HEALTHY_MS)] = stack.enter_context(run.serve(variant, settings))
            servers[part(variant.key, HANGING_MS)] = stack.enter_context(run.serve(variant, hanging))
        load.warm_up(list(servers.values()), "/noop", run.plan.warm_up_s)
        fleet = partial(_same, servers)
        found = run.paired(
            P99_HANGING.name, fleet, lambda server, index: _p99(run, server, index, FAIL_EVERY), "ms"
        )
    for key in (variant.key for variant in run.variants):
        pairs = zip(found[part(key, HANGING_MS)], found[part(key, HEALTHY_MS)], strict=True)
        found[key] = [slow / usual for slow, usual in pairs]
    return found


P99_10 = Figure(
    "p99_ratio_10",
    "p99 latency, 10 % sampled",
    "99th percentile of latency at about 400 requests/s, sampling 10 %, relative to bare. Less is better.",
    "ms",
    Relation.RATIO,
    _measure_p99,
)
P99_HANGING = Figure(
    "p99_ratio_backend_hanging",
    "p99 latency, backend hangs",
    "99th percentile of latency with a backend that accepts spans and never answers, divided by the same variant's with "
    "a healthy one; every request sampled, every 100th failing. 1 means that requests do not notice. The rows below it are both in ms.",
    "",
    Relation.ITSELF,
    _measure_hanging,
    target="at most 1.1",
    also={
        HEALTHY_MS: "p99 latency in ms, backend healthy, 100 %",
        HANGING_MS: "p99 latency in ms, backend hangs, 100 %",
    },
)
