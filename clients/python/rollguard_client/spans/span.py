"""A span of a tool, in the form that both encodings of OTLP are read into."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

SERVER: Final = 2
CLIENT: Final = 3
"""Kinds of spans, as OTLP numbers them."""
ERROR: Final = 2
"""The status of a span that failed, as OTLP numbers it."""

Attributes = Mapping[str, Any]
"""Values by their names: text, bool, int, float, bytes, or a list or dict of such."""


class SpanEvent(NamedTuple):
    """Something that happened during a span, such as an exception."""

    name: str
    attributes: Attributes


class Span(NamedTuple):
    """One span. Times are in nanoseconds since the epoch; 0 is a time that is not given."""

    trace_id: str
    """In hex, as ``span_id`` is."""
    span_id: str
    kind: int
    start_ns: int
    end_ns: int
    status: int
    message: str
    """What the status says; "" for nothing."""
    attributes: Attributes
    events: Sequence[SpanEvent] = ()


def text_of(attributes: Attributes, names: Iterable[str]) -> str | None:
    """Return the first of these attributes that is a text and not empty."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value
    return None
