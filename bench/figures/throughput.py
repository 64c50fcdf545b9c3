"""Requests per second, with as many as one core serves: on an endpoint that does nothing, and on one that calls on."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

from bench import load
from bench.figure import Figure
from bench.load import Load
from bench.processes import Server
from bench.ratios import Relation, Samples
from bench.run import Run

CONNECTIONS = 16


def _measure(run: Run, *, name: str, path: str, ratio: float) -> Samples:
    def rate(server: Server, index: int) -> float:
        return load.run(server, path, Load(CONNECTIONS, run.plan.throughput_s), seed=index + 1).rate

    # New processes for each round: of two that run the same code one may be some percent faster than the other.
    return run.paired(name, partial(_fleet, run, path, ratio), rate, "requests/s")


@contextmanager
def _fleet(run: Run, path: str, ratio: float) -> Iterator[Mapping[str, Server]]:
    with ExitStack() as stack:
        servers = {
            variant.key: stack.enter_context(run.serve(variant, run.settings(variant, ratio)))
            for variant in run.variants
        }
        load.warm_up(list(servers.values()), path, run.plan.warm_up_s)
        yield servers


def _figure(
    name: str,
    title: str,
    path: str,
    ratio: float,
    meaning: str,
    *,
    target: str = "",
    contract: bool = True,
) -> Figure:
    measure = partial(_measure, name=name, path=path, ratio=ratio)
    return Figure(name, title, meaning, "requests/s", Relation.RATIO, measure, target, contract)


THROUGHPUT_10 = _figure(
    "throughput_ratio_10",
    "throughput, 10 % sampled",
    "/noop",
    0.1,
    "Requests per second on an endpoint that does nothing, sampling 10 %, relative to bare. More is better.",
    target="at least 0.85",
)
THROUGHPUT_100 = _figure(
    "throughput_ratio_100",
    "throughput, 100 % sampled",
    "/noop",
    1.0,
    "The same with every request sampled.",
    target="at least 0.55",
)
THROUGHPUT_100_IDS = _figure(
    "throughput_ratio_100_ids",
    "throughput, 100 %, ids in the path",
    "/items/",
    1.0,
    "The same on `/items/{item}` with random ids from 0 to 4095, so that few paths repeat.",
    contract=False,
)
CHAIN_10 = _figure(
    "chain_ratio_10",
    "throughput of a calling service, 10 %",
    "/chain",
    0.1,
    "Requests per second on an endpoint that calls the next service with `requests`, sampling 10 %, relative to bare.",
    target="at least 0.92",
)
