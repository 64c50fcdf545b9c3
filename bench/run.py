"""What every figure needs of one run: its variants, its servers, its order of rounds, and a line of progress."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from bench.backends import Backends
from bench.plan import Plan
from bench.processes import Server, cores
from bench.variants import OURS_GCP_OTLP, VARIANTS, Settings, Variant

T = TypeVar("T")
# Servers that are warmed up: new ones each time it is called, or the same.
Fleet = Callable[[], AbstractContextManager[Mapping[str, Server]]]
# Then new ones: of two processes that run the same code one may be some percent faster than the other.
ROUNDS_PER_FLEET = 2


@dataclass(frozen=True)
class Run:
    """One run of the benchmark."""

    plan: Plan
    variants: Sequence[Variant]
    backends: Backends

    def settings(self, variant: Variant, ratio: float) -> Settings:
        """What a server of `variant` is told unless a figure wants otherwise."""
        return Settings(ratio, self.backends.healthy, variant.key, self.backends.next_url)

    @contextmanager
    def serve(
        self, variant: Variant, settings: Settings, *, pinned: bool = True, launcher: Sequence[str] = ()
    ) -> Iterator[Server]:
        """A server for the length of a block, not yet ready."""
        environment = {
            "OTEL_SERVICE_NAME": settings.service,
            "NEXT_URL": settings.next_url,
            **variant.environment(settings),
        }
        environment |= _padding(len(environment), settings)
        name = f"{variant.key} ({settings.service})" if settings.service != variant.key else variant.key
        server = Server(name, variant.command, environment, cores()[0] if pinned else set(), launcher)
        try:
            yield server
        finally:
            server.close()

    def say(self, figure: str, text: str) -> None:
        """A line of progress."""
        print(f"{figure:<26} {text}", file=sys.stderr, flush=True)

    def paired(
        self, figure: str, fleet: Fleet, sample: Callable[[Server, int], float], unit: str
    ) -> dict[str, list[float]]:
        """Sample every server of a fleet once a round, each time in another order; only the one being sampled can run."""
        samples: dict[str, list[float]] = {}
        for first in range(0, self.plan.rounds, ROUNDS_PER_FLEET):
            with fleet() as servers:
                for index in range(first, min(first + ROUNDS_PER_FLEET, self.plan.rounds)):
                    self._round(servers, sample, index, samples)
                    last = "  ".join(f"{key} {found[-1]:,.5g}" for key, found in samples.items())
                    self.say(figure, f"round {index + 1} of {self.plan.rounds}  {last}  {unit}")
        return samples

    def _round(
        self,
        servers: Mapping[str, Server],
        sample: Callable[[Server, int], float],
        index: int,
        samples: dict[str, list[float]],
    ) -> None:
        self.backends.reset()
        for server in servers.values():
            server.freeze()
        for key in rotated(list(servers), index):
            with servers[key].thawed() as server:
                samples.setdefault(key, []).append(sample(server, index))

    def only_tracing(self) -> "Run":
        """The same run without the variants that make no spans."""
        return replace(self, variants=[variant for variant in self.variants if variant.traces])


def _padding(present: int, settings: Settings) -> dict[str, str]:
    """`requests` reads all of the environment at each call, so each variant gets as many variables as the one with most."""
    most = max(len(variant.environment(settings)) for variant in (*VARIANTS, OURS_GCP_OTLP))
    return {f"BENCH_UNUSED_{index}": "" for index in range(2 + most - present)}


def rotated(items: Sequence[T], by: int) -> list[T]:
    """`items`, begun at another one each time, so that no variant always follows the same or is always first."""
    start = by % len(items) if items else 0
    return [*items[start:], *items[:start]]
