"""What ends a benchmark early, in one sentence."""


class BenchError(Exception):
    """A server that did not start, a request that failed, a tool that is missing."""
