"""All figures, in the order of the table. Those that are not `contract` are extras in the JSON."""

from bench.figure import Figure
from bench.figures.cold_start import COLD_START
from bench.figures.error_traces import ERROR_TRACES
from bench.figures.kept_spans import KEPT_SPANS
from bench.figures.latency import P99_10, P99_HANGING
from bench.figures.memory import MEMORY
from bench.figures.throughput import CHAIN_10, THROUGHPUT_10, THROUGHPUT_100, THROUGHPUT_100_IDS

FIGURES: tuple[Figure, ...] = (
    THROUGHPUT_10,
    THROUGHPUT_100,
    THROUGHPUT_100_IDS,
    CHAIN_10,
    P99_10,
    COLD_START,
    MEMORY,
    ERROR_TRACES,
    KEPT_SPANS,
    P99_HANGING,
)
