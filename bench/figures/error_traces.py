"""Failing requests through three services: how many of their traces are there as a whole."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import aiohttp

from bench import traceids
from bench.errors import BenchError
from bench.figure import Figure
from bench.processes import Server, scale_in
from bench.ratios import Relation, Samples
from bench.run import Run
from bench.traceids import Request
from bench.variants import Variant

HOPS = ("gateway", "middle", "last")
RATIO, FAIL_EVERY, AT_ONCE = 0.1, 20, 8
# Longer than the batch processor waits (OTEL_BSP_SCHEDULE_DELAY, 5 s): nobody loses spans to SIGTERM here.
SETTLE_S = 6.0


@contextmanager
def _services(run: Run, variant: Variant) -> Iterator[list[Server]]:
    """The three services of one variant, gateway first; SIGTERM ends them."""
    with ExitStack() as stack:
        servers: list[Server] = []
        next_url = run.backends.next_url
        for hop in reversed(HOPS):
            settings = run.settings(variant, RATIO)._replace(
                service=f"{variant.key}-{hop}", next_url=next_url, public=hop == "gateway"
            )
            server = stack.enter_context(run.serve(variant, settings, pinned=False))
            next_url = f"{server.url}/{'fail' if hop == 'last' else 'chain'}"
            servers.insert(0, server)
        yield servers


async def _send(gateway: Server, requests: Sequence[Request]) -> None:
    waiting = iter(requests)

    async def client(session: aiohttp.ClientSession) -> None:
        for request in waiting:
            url = f"{gateway.url}/chain{'?fail=1' if request.fails else ''}"
            try:
                async with session.get(url, headers=request.headers) as answer:
                    await answer.read()
            except aiohttp.ClientError as error:
                raise BenchError(f"{gateway.name}: {error!r}. It wrote:\n{gateway.tail()}") from error
            if (answer.status == 502) != request.fails:
                raise BenchError(f"{gateway.name} answered {answer.status}. It wrote:\n{gateway.tail()}")

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(client(session) for _ in range(AT_ONCE)))


def _measure(run: Run) -> Samples:
    run = run.only_tracing()
    run.backends.reset()
    sent: dict[str, list[Request]] = {}
    with ExitStack() as stack:
        chains = {variant.key: stack.enter_context(_services(run, variant)) for variant in run.variants}
        for key, servers in chains.items():
            for server in servers:
                server.wait_until_ready()
            sent[key] = traceids.requests(run.plan.chain_requests, FAIL_EVERY, seed=1)
            began = time.perf_counter()
            asyncio.run(_send(servers[0], sent[key]))
            rate = len(sent[key]) / (time.perf_counter() - began)
            run.say(ERROR_TRACES.name, f"{key}: {len(sent[key])} requests at {rate:,.0f} requests/s")
        time.sleep(SETTLE_S)
        scale_in([server for servers in chains.values() for server in servers])
    return _complete(run, sent)


def _complete(run: Run, sent: dict[str, list[Request]]) -> Samples:
    seen: dict[str, set[str]] = defaultdict(set)
    for span in run.backends.spans():
        if span.server:
            seen[span.trace_id].add(span.service)
    shares: dict[str, list[float]] = {}
    for key, requests in sent.items():
        whole = {f"{key}-{hop}" for hop in HOPS}
        failed = [request for request in requests if request.fails]
        complete = sum(whole <= seen[request.hex_id] for request in failed)
        shares[key] = [complete / len(failed)]
        run.say(ERROR_TRACES.name, f"{key}: {complete} of {len(failed)} error traces are complete")
    return shares


ERROR_TRACES = Figure(
    "error_traces_complete",
    "error traces that are complete",
    "Share of failing requests whose trace has the server span of all three services of a chain, sampling 10 %; the last "
    "hop answers 500 to every 20th request.",
    "",
    Relation.ITSELF,
    _measure,
    target="1",
)
