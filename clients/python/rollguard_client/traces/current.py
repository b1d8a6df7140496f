"""The span of OpenTelemetry that runs where something is published, as headers of the record."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from rollguard_client.traces.context import TraceContext, headers_of

_given: Final[ContextVar[TraceContext | None]] = ContextVar("rollguard_trace", default=None)


def has_spans() -> bool:
    """Return whether the program may have spans: whether anything has imported OpenTelemetry."""
    return "opentelemetry.trace" in sys.modules


def trace_context_of(span_context: Any) -> TraceContext | None:
    """Return the context of a span in our form; None if there is none, or it cannot be read.

    Never raises: a span of somebody else's SDK must not keep anything from being published.
    """
    try:
        if span_context is None or not span_context.is_valid:
            return None
        return TraceContext(
            span_context.trace_id,
            span_context.span_id,
            bool(span_context.trace_flags.sampled),
            span_context.trace_state.to_header() if span_context.trace_state else "",
        )
    except Exception:
        return None


@contextmanager
def within_trace(context: TraceContext | None) -> Iterator[None]:
    """Let what is published in the block belong to a span of another program, if there is one."""
    token = _given.set(context)
    try:
        yield
    finally:
        _given.reset(token)


def current_trace_headers() -> list[tuple[str, bytes]]:
    """Return the headers that name the span which is recorded here now, or which is given.

    Never raises.
    """
    given = _given.get()
    if given is not None:
        return headers_of(given)
    if not has_spans():
        return []
    try:
        api: Any = sys.modules["opentelemetry.trace"]
        span = api.get_current_span()
        if span.is_recording():
            return headers_of(trace_context_of(span.get_span_context()))
    except Exception:
        return []
    return []
