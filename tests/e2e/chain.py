"""Three services that call each other on a local cloud, and how the tests ask them and read their traces back."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from localcloud.run.container import Image
from localcloud.run.options import RunOptions
from ops import stackfile
from ops.environment import Environment
from ops.google import TraceNotFound
from ops.options import EngineChoice
from ops.stackfile import Config
from traces.span import Span, Trace, span_from_json

ROOT = Path(__file__).parents[2]
FRONT, MIDDLE, LAST = CHAIN = ("front", "middle", "last")
CALLER = "00f067aa0ba902b7"  # the span of somebody outside, who exports nothing here
REASON = "sampling.keep_reason"
FAULTY = {"faulty": Image((sys.executable, "-u", str(Path(__file__).with_name("faulty_service.py"))), ROOT)}


def eventually(read: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true result; spans and logs come by processes of their own, which tell nobody when they are done."""
    until = time.monotonic() + seconds
    while not (found := read()) and time.monotonic() < until:
        time.sleep(0.02)
    return found


def faulty_chain(ratio: float, **service: Any) -> Config:
    """The config of a chain of `faulty_service.py`, of which only the first is public; spans leave after 50 ms."""
    own = {"image": "faulty", "billing": "instance", "min_instances": 1, "max_instances": 1, **service}
    own["env"] = {"OTEL_BSP_SCHEDULE_DELAY": "50", "LOG_LEVEL": "ERROR", **service.get("env", {})}
    config = stackfile.changed(
        stackfile.load(ROOT, "local"),
        "services",
        value={
            FRONT: {**own, "public": True, "calls": [MIDDLE]},
            MIDDLE: {**own, "calls": [LAST]},
            LAST: own,
        },
    )
    config = stackfile.changed(config, "buckets", value={})
    return stackfile.changed(config, "tracing", value={"sample_ratio": ratio})


class Running:
    """A deployed chain whose entry is the service `entry`."""

    def __init__(self, environment: Environment, config: Config, entry: str) -> None:
        self.environment, self.google = environment, environment.google
        self.url = environment.up(config).urls[entry]
        self._session = requests.Session()
        self._session.trust_env = False

    def ask(self, query: str = "", headers: Mapping[str, str] | None = None) -> requests.Response:
        """One request to `/work`, by a client that traces nothing."""
        return self._session.get(f"{self.url}/work?{query}", headers=dict(headers or {}), timeout=60)

    def send(self, headers: Mapping[str, str]) -> requests.Response:
        """One document to the pipeline of the stack `local`."""
        return self._session.post(
            f"{self.url}/documents?name=a.txt", data=b"one two", headers=dict(headers), timeout=60
        )

    def trace(self, trace_id: str) -> Trace:
        """What has arrived of a trace."""
        try:
            return self.google.trace(trace_id)
        except TraceNotFound:
            return Trace(trace_id, "", ())

    def trace_ids(self) -> set[str]:
        """All traces of which a service has sent anything; Cloud Run's own spans follow a sampling of their own."""
        url = f"{self.environment.url}/v1/projects/{self.google.project}/traces?pageSize=1000&view=COMPLETE"
        listed = self._session.get(url, timeout=30).json().get("traces", [])
        return {
            trace["traceId"]
            for trace in listed
            if not all(span_from_json(span).is_platform for span in trace["spans"])
        }

    def arrived(self, trace_id: str, services: Iterable[str]) -> Trace:
        """The trace, once the server spans of `services` are there, each as often as it is named."""
        wanted = sorted(services)

        def found() -> Trace | None:
            trace = self.trace(trace_id)
            return trace if sorted(span.service for span in servers(trace)) == wanted else None

        trace = eventually(found)
        assert trace, [(span.service, span.name) for span in self.trace(trace_id).spans]
        result: Trace = trace
        return result


@contextmanager
def running(
    config: Config, directory: Path, entry: str = FRONT, options: RunOptions | None = None
) -> Iterator[Running]:
    """The chain, up."""
    with Environment(
        ROOT, directory / "state", config, engine=EngineChoice.embedded, images=FAULTY, run=options
    ) as environment:
        yield Running(environment, config, entry)


def servers(trace: Trace) -> list[Span]:
    """The server spans of the services, in order of start; the platform's own are none of theirs."""
    found = [span for span in trace.spans if span.kind == "SERVER" and not span.is_platform]
    return sorted(found, key=lambda span: span.start_ns)


def reasons(trace: Trace) -> dict[str, str]:
    """Why each service kept its part."""
    return {span.service: span.labels[REASON] for span in servers(trace)}


def orphans(trace: Trace) -> list[Span]:
    """Spans whose parent is not in the trace. Cloud Run's own span of the entry may name CALLER; nobody else may."""
    known = {span.span_id for span in trace.spans} | {""}
    lost = [span for span in trace.spans if span.parent_id not in known]
    return [span for span in lost if not (span.is_platform and span.parent_id == CALLER)]


def w3c(trace: str, flags: str = "01", span: str = CALLER) -> str:
    """A `traceparent`."""
    return f"00-{trace}-{span}-{flags}"


def trace_id(number: int, *, within: float | None = None) -> str:
    """A valid trace id of that number; `within` a ratio just so (its low 64 bits decide), else beyond any."""
    low = int(within * 2**64) - 2**32 if within else 2**64 - 2**32
    return f"{number + 2**120:016x}"[:16] + f"{low + number:016x}"
