"""The span of a tool as the SDK of OpenTelemetry hands it over when it has ended."""

from typing import TYPE_CHECKING, Final

from rollguard_client.spans.span import Span, SpanEvent

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_KINDS: Final = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
"""OTLP numbers kinds in another way than the SDK."""


def span_of(given: "ReadableSpan") -> Span:
    """Return a span of the SDK in the form that OTLP is read into, too."""
    context, status = given.get_span_context(), given.status
    trace_id, span_id = (0, 0) if context is None else (context.trace_id, context.span_id)
    return Span(
        trace_id=f"{trace_id:032x}",
        span_id=f"{span_id:016x}",
        kind=_KINDS.get(given.kind.name, 0),
        start_ns=given.start_time or 0,
        end_ns=given.end_time or 0,
        status=status.status_code.value,
        message=status.description or "",
        attributes=given.attributes or {},
        events=[SpanEvent(each.name, each.attributes or {}) for each in given.events],
    )
