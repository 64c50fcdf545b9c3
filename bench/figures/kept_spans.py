"""Spans that a sampler kept and nobody will ever see, on instances that are frozen between requests and scaled in."""

import http.client
import time
from collections.abc import Sequence
from contextlib import ExitStack

from bench import traceids
from bench.errors import BenchError
from bench.figure import Figure, part
from bench.processes import Server, pid_1_launcher, scale_in
from bench.ratios import Relation, Samples
from bench.run import Run
from bench.traceids import Request
from bench.variants import Variant

RATIO, FAIL_EVERY = 0.1, 10
PER_LIFETIME = 50
AS_PID_1 = "kept_spans_lost_as_pid_1"
# Once in each lifetime longer than the batch processor waits (OTEL_BSP_SCHEDULE_DELAY, 5 s), so that it is due at the thaw.
IDLE_S, LONG_IDLE_S = 0.03, 5.5


class Instance:
    """A server of one variant that has CPU only while it answers; one connection to it, as from the front end."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

    def ask(self, request: Request) -> None:
        """Thaw, ask, read to the last byte, freeze."""
        path = "/fail?fail=1" if request.fails else "/fail"
        try:
            with self.server.thawed():
                self._connection.request("GET", path, headers=request.headers)
                answer = self._connection.getresponse()
                answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise BenchError(f"{self.server.name}: {error!r}. It wrote:\n{self.server.tail()}") from error
        if (answer.status == 500) != request.fails:
            raise BenchError(f"{self.server.name} answered {answer.status}. It wrote:\n{self.server.tail()}")


def _lifetime(run: Run, launcher: Sequence[str], requests: Sequence[Request]) -> None:
    with ExitStack() as stack:
        instances: list[Instance] = []
        for variant in run.variants:
            settings = run.settings(variant, RATIO)
            instances.append(Instance(stack.enter_context(run.serve(variant, settings, pinned=False))))
            if launcher:
                inside = settings._replace(service=part(variant.key, AS_PID_1))
                server = run.serve(variant, inside, pinned=False, launcher=launcher)
                instances.append(Instance(stack.enter_context(server)))
        for instance in instances:
            instance.server.wait_until_ready()
        for instance in instances:
            instance.server.freeze()
        for index, request in enumerate(requests):
            for instance in instances:
                instance.ask(request)
            time.sleep(LONG_IDLE_S if index == PER_LIFETIME // 2 else IDLE_S)
        scale_in([instance.server for instance in instances])


def _measure(run: Run) -> Samples:
    run = run.only_tracing()
    run.backends.reset()
    launcher = pid_1_launcher()
    requests = traceids.requests(run.plan.lifetimes * PER_LIFETIME, FAIL_EVERY, seed=1)
    for start in range(0, len(requests), PER_LIFETIME):
        _lifetime(run, launcher, requests[start : start + PER_LIFETIME])
        run.say(KEPT_SPANS.name, f"{start + PER_LIFETIME} of {len(requests)} requests")
    return _lost(run, requests, as_pid_1=bool(launcher))


def _lost(run: Run, requests: Sequence[Request], *, as_pid_1: bool) -> Samples:
    arrived = {(span.service, span.trace_id) for span in run.backends.spans() if span.server}
    lost: dict[str, list[float]] = {}
    for variant in run.variants:
        expected = _expected(variant, requests)
        for service in [variant.key, *([part(variant.key, AS_PID_1)] if as_pid_1 else [])]:
            missing = sum((service, request.hex_id) not in arrived for request in expected)
            lost[service] = [missing]
            text = f"{service}: {missing} of {len(expected)} kept server spans never arrived"
            run.say(KEPT_SPANS.name, text)
    return lost


def _expected(variant: Variant, requests: Sequence[Request]) -> list[Request]:
    return [
        request for request in requests if request.sampled(RATIO) or (variant.keeps_errors and request.fails)
    ]


KEPT_SPANS = Figure(
    "kept_spans_lost",
    "kept spans lost",
    "Server spans that the variant's sampling keeps and that never arrived, over 200 requests with request-based billing: "
    "the process is frozen (SIGSTOP) from the last byte to the next request, and every 50 requests scaled in (SIGTERM, "
    "10 s, SIGKILL). Sampling 10 %; every 10th request fails. The process is an ordinary one, as under a shell or on "
    "a laptop; the row below it has it as PID 1 of a namespace, as in a container whose command is in exec form. "
    "(`--quick`: 50 requests.)",
    "",
    Relation.ITSELF,
    _measure,
    target="0",
    also={AS_PID_1: "kept spans lost, as PID 1"},
)
