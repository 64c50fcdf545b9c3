"""Resident memory after load."""

from bench import load
from bench.figure import Figure
from bench.load import Load
from bench.ratios import Relation, Samples
from bench.run import Run, rotated
from bench.variants import OURS, OURS_GCP_OTLP


def _measure(run: Run) -> Samples:
    variants = [*run.variants, *([OURS_GCP_OTLP] if OURS in run.variants else [])]
    samples: dict[str, list[float]] = {variant.key: [] for variant in variants}
    for index in range(run.plan.memory_rounds):
        for variant in rotated(variants, index):
            with run.serve(variant, run.settings(variant, 0.1)) as server:
                server.wait_until_ready()
                for path in ("/noop", "/chain"):
                    load.run(server, path, Load(16, run.plan.memory_s), seed=index + 1)
                samples[variant.key].append(server.memory_mb())
        run.backends.reset()
        last = "  ".join(f"{key} {found[-1]:,.1f}" for key, found in samples.items())
        run.say(MEMORY.name, f"round {index + 1} of {run.plan.memory_rounds}  {last}  MB")
    return samples


MEMORY = Figure(
    "memory_added_mb",
    "memory added, MB",
    "Resident memory of a fresh process after load on both endpoints, sampling 10 %, minus bare's.",
    "MB",
    Relation.DIFFERENCE,
    _measure,
    target="at most 8",
)
