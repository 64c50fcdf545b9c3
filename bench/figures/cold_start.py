"""From the start of the process to its first answer."""

from bench.figure import Figure
from bench.ratios import Relation, Samples
from bench.run import Run, rotated
from bench.variants import OURS, OURS_GCP_OTLP


def _measure(run: Run) -> Samples:
    variants = [*run.variants, *([OURS_GCP_OTLP] if OURS in run.variants else [])]
    samples: dict[str, list[float]] = {variant.key: [] for variant in variants}
    for index in range(-1, run.plan.cold_starts):
        for variant in rotated(variants, index):
            with run.serve(variant, run.settings(variant, 0.1)) as server:
                seconds = server.wait_until_ready()
            if index >= 0:  # the first one compiles byte code and fills the page cache
                samples[variant.key].append(seconds * 1000)
        if index >= 0:
            last = "  ".join(f"{key} {found[-1]:,.0f}" for key, found in samples.items())
            run.say(COLD_START.name, f"round {index + 1} of {run.plan.cold_starts}  {last}  ms")
    return samples


COLD_START = Figure(
    "cold_start_ratio",
    "cold start",
    "Time from the start of the process to its first 200, byte code and page cache being warm, relative to bare.",
    "ms",
    Relation.RATIO,
    _measure,
    target="at most 1.2",
)
