"""Ids for spans: a root span takes the trace id that its request arrived with, if one was kept for it."""

from opentelemetry.context import Context, create_key, get_value, set_value
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanContext

_KEPT = create_key("kept-trace-id")


def keep_trace_id(arrived: SpanContext, context: Context) -> Context:
    """`context` in which a root span gets the trace id of `arrived`, whose own span is never exported."""
    return set_value(_KEPT, arrived, context)


class InheritingIdGenerator(RandomIdGenerator):
    """Random ids, unless the attached context keeps a trace id. The SDK asks while that context is attached."""

    def generate_trace_id(self) -> int:
        """The kept trace id, or a random one."""
        kept = get_value(_KEPT)
        return kept.trace_id if isinstance(kept, SpanContext) else super().generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """Whether the id's last 56 bits are random: our own are, a kept one if its sender said so."""
        kept = get_value(_KEPT)
        return kept.trace_flags.random_trace_id if isinstance(kept, SpanContext) else True
