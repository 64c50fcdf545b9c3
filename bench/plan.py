"""How much is measured: seconds, rounds and repetitions, for a full run and for a quick look."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """One size of the benchmark: of paired load, in rounds through all variants, and of what is repeated otherwise."""

    rounds: int
    throughput_s: int
    latency_s: int
    memory_rounds: int
    memory_s: int
    cold_starts: int
    chain_requests: int


FULL = Plan(
    rounds=6,
    throughput_s=3,
    latency_s=4,
    memory_rounds=3,
    memory_s=2,
    cold_starts=10,
    chain_requests=2000,
)
QUICK = Plan(
    rounds=2,
    throughput_s=1,
    latency_s=1,
    memory_rounds=1,
    memory_s=1,
    cold_starts=3,
    chain_requests=300,
)
