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
    warm_up_s: int
    lifetimes: int


FULL = Plan(
    rounds=5,
    throughput_s=2,
    latency_s=3,
    memory_rounds=2,
    memory_s=2,
    cold_starts=7,
    chain_requests=1500,
    warm_up_s=6,  # longer than the 5 s that batch processors wait: they export while they are measured
    lifetimes=4,
)
QUICK = Plan(
    rounds=1,
    throughput_s=1,
    latency_s=1,
    memory_rounds=1,
    memory_s=1,
    cold_starts=1,
    chain_requests=200,
    warm_up_s=1,
    lifetimes=1,
)
